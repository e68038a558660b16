"""A recipe as a check found it, and what every check looks at: the base's config and its tokenizer, never its weights.

The config is taken from the folder, from the Hub, or (where the Hub cannot be reached) from the facts in the recipes'
base.yaml. What was not looked at is said to be so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hyperbridge import hub
from hyperbridge.errors import HyperBridgeError
from hyperbridge.modeling.base import load_tokenizer, refuse_code
from hyperbridge.trainers.recipe_files import find_checkpoint

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

    from hyperbridge.trainers.estimate import Estimate, Gpu, Memory
    from hyperbridge.trainers.recipe import BaseSection, Section

CONFIG = "config.json"


@dataclass(slots=True)
class Checked:
    """A recipe as it was found.

    Attributes:
        name: as the user named it.
        recipe: its keys.
        notes: what was checked and found in order, in short.
        unchecked: what was not, and why.
        wrong: what would stop the run.
        estimate: None where nothing could be estimated.
    """

    name: str
    recipe: Section
    notes: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    estimate: Estimate | None = None

    @property
    def memory(self) -> Memory | None:
        return self.estimate.memory if self.estimate else None

    def fits(self, gpu: Gpu) -> bool:
        return self.estimate is not None and self.estimate.fits(gpu)


def find_config(checked: Checked, section: BaseSection) -> PretrainedConfig | None:
    """The base's config; where it is from is noted, and None told of."""
    from transformers import AutoConfig

    base = section.base()
    folder = Path(base.path())
    if folder.is_dir():
        return _folder_config(checked, section, folder)
    facts = _shipped_config(section)
    try:
        commit = hub.resolve_commit(base.model, base.revision)
        found = AutoConfig.from_pretrained(hub.fetch(base.model, commit, (CONFIG,)))
    except hub.HubUnreachable:
        if facts is None:
            checked.wrong.append(f"{base.model}: the Hub cannot be reached, and no facts of this base are shipped")
        else:
            checked.unchecked.append(f"config of {base.model}: the Hub cannot be reached; facts of its base.yaml taken")
        return facts
    except (HyperBridgeError, OSError, ValueError) as error:
        checked.wrong.append(" ".join(str(error).split())[:300])
        return None
    checked.notes.append(f"config of {base.model} at {commit[:12]}")
    checked.wrong += [f"{base.model}: {line}" for line in _differences(section, found)]
    return found


def find_tokenizer(checked: Checked, section: BaseSection, *, without: str) -> PreTrainedTokenizerBase | None:
    """The base's tokenizer, refused where a run would refuse it.

    Args:
        checked: is told why there is none.
        section: of the recipe.
        without: what is done where the Hub cannot be reached.
    """
    base = section.base()
    try:
        if not Path(base.path()).is_dir():
            hub.resolve_commit(base.model, base.revision)
        refuse_code(base)
        return load_tokenizer(base)
    except hub.HubUnreachable:
        looked_at = "chat template, invocation, EOS, padding"
        checked.unchecked.append(f"tokenizer of {base.model} ({looked_at}): the Hub cannot be reached; {without}")
    except HyperBridgeError as error:
        checked.wrong.append(str(error))
    return None


def smaller_passes(section: str, batch_size: int, accumulation: int) -> str:
    """Advice for a step that is too large: a quarter of the rows (or snippets) in a pass, and as many more passes.

    Args:
        section: of the recipe, which holds both keys.
        batch_size: rows of a pass, at least two.
        accumulation: passes of a step.
    """
    smaller = max(1, batch_size // 4)
    passes = accumulation * batch_size // smaller
    return (
        f"--set {section}.batch_size={smaller} --set {section}.gradient_accumulation_steps={passes} "
        "(the same training, in smaller passes)"
    )


def _folder_config(checked: Checked, section: BaseSection, folder: Path) -> PretrainedConfig | None:
    from transformers import AutoConfig

    options = {"gguf_file": section.gguf_file} if section.gguf_file else {}
    try:
        config = AutoConfig.from_pretrained(folder, **options)
    except (OSError, ValueError) as error:
        checked.wrong.append(f"{folder}: no config that transformers reads: {' '.join(str(error).split())[:200]}")
        return None
    checked.notes.append(f"config of {section.model}")
    return config


def _shipped_config(section: BaseSection) -> PretrainedConfig | None:
    from transformers import AutoConfig

    known = find_checkpoint(section.model)
    if known is None:
        return None
    facts = dict(known.architecture)
    return AutoConfig.for_model(facts.pop("model_type"), dtype=known.dtype, **facts)


def _differences(section: BaseSection, config: PretrainedConfig) -> Iterator[str]:
    """Where the shipped facts and the Hub's config say different things."""
    known = find_checkpoint(section.model)
    for key, ours in (known.architecture if known else {}).items():
        theirs = getattr(config, key, None)
        if theirs != ours and not (key == "head_dim" and theirs is None):
            yield f"its config says {key}={theirs}, recipes/*/base.yaml says {ours}"
