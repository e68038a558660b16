"""Bundles and registers to the Hub, and bundles from it.

A push stages exactly the files that belong to a bundle in a temporary folder: the base under its Hub id and commit,
never under a path of this machine, the adapters as they are, a card made from what the run measured. The folder is
one commit on the commit that was looked at. Nothing is removed that the pusher did not ask to remove.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hyperbridge import hub
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer
from hyperbridge.locations import PACKAGE_PREFIX, resolve_path
from hyperbridge.model_cards.bundle_card import (
    MATRIX,
    PICTURE,
    RECIPE,
    SAMPLES,
    TRAINING,
    BundleFacts,
    Licences,
    draw_matrix,
    read_facts,
    render_bundle_card,
    render_register_card,
)
from hyperbridge.modeling.base import Base, published_digest
from hyperbridge.modeling.bundle import (
    ADAPTER,
    ADAPTER_CONFIG,
    CONFIG,
    FORMULAS,
    REGISTER,
    REGISTERS,
    RegisterCard,
    load_config,
    locate,
    read_register_card,
    register_folders,
    save_config,
    save_register_card,
)

Stale = Literal["refuse", "keep", "remove"]
CARD = "README.md"
BRIDGE = "bridge.safetensors"
UNSTATED = Licences()
BESIDE = (FORMULAS, BRIDGE, MATRIX, SAMPLES)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a push goes: `owner/name`, a branch (None: main), and what a new repository is to be."""

    repo_id: str
    revision: str | None = None
    private: bool | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """A folder that is to become a commit, and the registers in it."""

    folder: Path
    base: Base
    registers: tuple[str, ...]

    @property
    def alone(self) -> bool:
        """One register as a repository of its own, and no bundle."""
        return (self.folder / ADAPTER_CONFIG).is_file()

    def sizes(self) -> dict[str, int]:
        """Path in the repository -> bytes."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in paths}


@contextmanager
def staged_bundle(
    folder: Path,
    repo_id: str,
    *,
    registers: Iterable[str] | None = None,
    base: str | None = None,
    licences: Licences = UNSTATED,
) -> Iterator[Staged]:
    """A bundle as it is to lie on the Hub.

    Args:
        folder: the bundle here, as training left it.
        repo_id: where it goes, for the card.
        registers: names or styles; None takes all.
        base: the base's `owner/name` or `owner/name@revision` on the Hub, where the registers were trained on a folder.
        licences: for the card.

    Raises:
        HyperBridgeError: not a bundle, a register that cannot be published, or a base that is not on the Hub.
    """
    config = load_config(folder)
    chosen = register_folders(folder, registers)
    found = published_base(config.base, base)
    with tempfile.TemporaryDirectory(prefix="hyperbridge-push-") as made:
        target = Path(made)
        save_config(target, config.model_copy(update={"base": found}))
        cards = {name: _stage_register(path, target / REGISTERS / name, found) for name, path in chosen.items()}
        for name in BESIDE:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, target / name)
        _stage_recipe(folder, target, found)
        facts = _facts(target, found, cards)
        picture = facts.matrix is not None and draw_matrix(facts.matrix, target / PICTURE)
        _write(target / CARD, render_bundle_card(facts, repo_id, _of_base(licences, facts), picture=picture))
        yield Staged(target, found, tuple(cards))


@contextmanager
def staged_register(
    folder: Path, register: str, repo_id: str, *, base: str | None = None, licences: Licences = UNSTATED
) -> Iterator[Staged]:
    """One register as a repository of its own: a plain PEFT adapter at the root.

    Raises:
        HyperBridgeError: not a bundle, no such register, or a base that is not on the Hub.
    """
    config = load_config(folder)
    ((name, path),) = register_folders(folder, [register]).items()
    found = published_base(config.base, base)
    with tempfile.TemporaryDirectory(prefix="hyperbridge-push-") as made:
        target = Path(made)
        facts = _facts(folder, found, {name: _stage_register(path, target, found)})
        _write(target / CARD, render_register_card(facts, name, repo_id, _of_base(licences, facts)))
        yield Staged(target, found, (name,))


def push(staged: Staged, to: Destination, *, stale: Stale = "refuse") -> str:
    """Commit a staged folder; the commit.

    Args:
        staged: what to push.
        to: where.
        stale: what becomes of registers that the repository has and the folder has not: `refuse` the push, `keep`
            them beside (on the same base only), or `remove` them.

    Raises:
        HyperBridgeError: no right to write, somebody pushed in between, stale registers, or a repository of something
            else.
    """
    parent = hub.head(to.repo_id, to.revision)
    if parent is None and to.revision:
        parent = hub.head(to.repo_id)  # where a new branch begins
    if parent:
        _check_kind(staged, to, parent, stale)
    removed = _removed(staged, to, parent, stale) if parent else []
    return hub.publish(
        staged.folder,
        to.repo_id,
        message=to.message or f"{', '.join(staged.registers)} on {staged.base.model}",
        private=to.private,
        revision=to.revision,
        parent=parent,
        removed=removed,
    )


def pull(name: str, *, registers: Iterable[str] | None = None, output: Path | None = None) -> Path:
    """Fetch a bundle (`owner/name`, `owner/name@revision`) into the Hub's cache, or as plain files into a folder.

    A whole bundle comes with its card and its figures, so that it can be pushed again as it was; some registers come
    alone.

    Args:
        name: the Hub id.
        registers: names or styles; None fetches all.
        output: a folder that is not there yet.

    Raises:
        HyperBridgeError: see `bundle.locate`; or `output` is there.
    """
    if output is not None and output.exists():
        raise HyperBridgeError(f"{output}: is there already; give -o another folder")
    located = locate(name, None, registers)
    chosen = register_folders(located.folder, registers)
    if registers is None and located.repo_id and located.commit:
        told = [CARD, PICTURE, RECIPE, *BESIDE, *(f"{REGISTERS}/{one}/{TRAINING}" for one in chosen)]
        hub.fetch(located.repo_id, located.commit, told)
    return located.folder if output is None else _copied(located.folder, chosen, output)


def _copied(folder: Path, registers: dict[str, Path], output: Path) -> Path:
    """A bundle and some of its registers as plain files, all there or none."""
    unfinished = output.with_name(output.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    beside = (folder / name for name in (CONFIG, CARD, PICTURE, RECIPE, *BESIDE))
    for path in (*beside, *(one for register in registers.values() for one in register.iterdir())):
        if path.is_file():
            target = unfinished / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    unfinished.rename(output)
    return output


def published_base(base: Base, named: str | None = None) -> Base:
    """The base under a name that others can load: a Hub id with its commit, or a base shipped with this package.

    Raises:
        HyperBridgeError: the base is a folder here and no Hub id was given, or the two are not the same weights.
    """
    if named is None and (base.model.startswith(PACKAGE_PREFIX) or base.revision):
        return base
    if named is None:
        raise HyperBridgeError(
            f"base {base.model}: a folder of this machine, which nobody else can load; give its Hub id with "
            "--base owner/name (an extended base is published first: hf upload owner/name FOLDER)"
        )
    repo_id, revision = hub.parse_id(named)
    commit = hub.resolve_commit(repo_id, revision)
    hub.list_files(repo_id, commit)  # without the Hub there is nothing to compare with, and this says so
    digest = published_digest(repo_id, commit)
    if digest is None:
        raise HyperBridgeError(f"{repo_id}@{commit[:12]}: it has no safetensors or GGUF weights; give the base itself")
    if base.sha256 is not None and digest != base.sha256:
        raise HyperBridgeError(
            f"{repo_id}@{commit[:12]}: not the weights these registers were trained on "
            f"({digest[:12]} instead of {base.sha256[:12]})"
        )
    return Base(model=repo_id, revision=commit, sha256=digest, gguf_file=base.gguf_file)


def _stage_register(register: Path, target: Path, base: Base) -> RegisterCard:
    """Copy an adapter, with its base under the published name."""
    target.mkdir(parents=True, exist_ok=True)
    card = read_register_card(register).model_copy(update={"base": base})
    config = json.loads((register / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base.model, "revision": base.revision}
    _write(target / ADAPTER_CONFIG, json.dumps(config, ensure_ascii=False, indent=2) + "\n")
    save_register_card(target, card)
    for name in (ADAPTER, TRAINING):
        if (register / name).is_file():
            shutil.copyfile(register / name, target / name)
    return card


def _facts(folder: Path, base: Base, cards: dict[str, RegisterCard]) -> BundleFacts:
    styles = {name: card.style for name, card in cards.items()}
    return read_facts(folder, base.model, base.revision, styles, {name: card.task for name, card in cards.items()})


def _stage_recipe(folder: Path, target: Path, base: Base) -> None:
    """The recipe without paths of this machine."""
    if not (folder / RECIPE).is_file():
        return
    recipe = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
    recipe["base"] |= {"model": base.model, "revision": base.revision}
    recipe["output_dir"] = Path(recipe["output_dir"]).name
    recipe["data"] = {key: _without_folder(value) for key, value in recipe["data"].items()}
    _write(target / RECIPE, json.dumps(recipe, ensure_ascii=False, indent=2) + "\n")


def _without_folder(named: Any) -> Any:
    """A path, or a section of them (`replies`), without the folders of this machine."""
    if isinstance(named, dict):
        return {key: _without_folder(value) for key, value in named.items()}
    return named if named is None or named.startswith(PACKAGE_PREFIX) else Path(named).name


def _of_base(licences: Licences, facts: BundleFacts) -> Licences:
    """Licences with the base's own, where the Hub or the card of a shipped base tells it."""
    if licences.base:
        return licences
    return Licences(licences.adapters, _licence_of(facts), licences.data)


def _licence_of(facts: BundleFacts) -> str | None:
    if facts.on_hub:
        return hub.licence(facts.base)
    from huggingface_hub import ModelCard

    card = Path(resolve_path(facts.base)) / CARD
    return ModelCard.load(card).data.license if card.is_file() else None


def _check_kind(staged: Staged, to: Destination, parent: str, stale: Stale) -> None:
    """A bundle goes where a bundle is, a register where that register is, and neither over anything else.

    Raises:
        HyperBridgeError: the branch holds another kind of thing, or another register.
    """
    there = hub.list_files(to.repo_id, parent).sizes
    bundle_there = any(path.startswith(f"{REGISTERS}/") for path in there)
    alone_there = ADAPTER_CONFIG in there
    if CONFIG in there and not bundle_there:
        held = "a model"
    elif staged.alone and bundle_there:
        held = "a bundle"
    elif not staged.alone and alone_there:
        held = "a register alone"
    elif staged.alone and alone_there and stale != "remove" and (other := _other_register(staged, to, parent)):
        raise HyperBridgeError(f"{to.repo_id}: it holds another register ({other}); --remove puts this in its place")
    else:
        return
    what = "a register alone" if staged.alone else "a bundle"
    raise HyperBridgeError(f"{to.repo_id}: it holds {held}, which {what} would overwrite; push to another repository")


def _other_register(staged: Staged, to: Destination, parent: str) -> str | None:
    """The style of the register that a repository holds alone, where it is not the staged one's."""
    path = hub.fetch(to.repo_id, parent, [REGISTER, ADAPTER_CONFIG])
    if not (path / REGISTER).is_file():
        return "of somebody else's making"
    held, ours = read_register_card(path), read_register_card(staged.folder)
    return None if (held.style, held.task) == (ours.style, ours.task) else held.style


def _removed(staged: Staged, to: Destination, parent: str, stale: Stale) -> list[str]:
    """Files of registers that the branch has and the commit has not; the card tells those that are kept."""
    there = hub.list_files(to.repo_id, parent).sizes
    staged_paths = set(staged.sizes())
    paths = [path for path in there if path.startswith(f"{REGISTERS}/") and path not in staged_paths]
    names = sorted({path.split("/")[1] for path in paths} - set(staged.registers))
    if names and stale == "refuse":
        raise HyperBridgeError(
            f"{to.repo_id}: it holds registers that are not here ({', '.join(names)}); "
            "--keep leaves them beside, --remove takes them away"
        )
    if names and stale == "keep":
        _check_same_prompts(staged, to.repo_id, parent)
        told = ", ".join(f"`{name}`" for name in names)
        card = (staged.folder / CARD).read_text(encoding="utf-8")
        _write(staged.folder / CARD, f"{card}\nBeside them, from an earlier push: {told}.\n")
        return [path for path in paths if path.split("/")[1] not in names]
    return paths


def _check_same_prompts(staged: Staged, repo_id: str, commit: str) -> None:
    """Registers that are kept go on reading what they were trained on: the same base, the same system prompt."""
    kept = load_config(hub.fetch(repo_id, commit, [CONFIG, f"{REGISTERS}/*/{REGISTER}"]))
    difference = staged.base.differs_from(kept.base)
    if difference:
        raise HyperBridgeError(f"{repo_id}: its registers belong on another base: here {difference}")
    if kept.system_prompt != load_config(staged.folder).system_prompt:
        raise HyperBridgeError(f"{repo_id}: its registers were trained under another system prompt; push elsewhere")


def _write(path: Path, text: str) -> None:
    with atomic_writer(path) as file:
        file.write(text)
