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
from typing import Literal

from hyperbridge import hub
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer
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
from hyperbridge.modeling.base import PACKAGE_PREFIX, Base, published_digest
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
        styles = {name: _stage_register(path, target / REGISTERS / name, found) for name, path in chosen.items()}
        for name in BESIDE:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, target / name)
        _stage_recipe(folder, target, found)
        facts = read_facts(target, found.model, found.revision, styles)
        picture = facts.matrix is not None and draw_matrix(facts.matrix, target / PICTURE)
        _write(target / CARD, render_bundle_card(facts, repo_id, _of_base(licences, facts), picture=picture))
        yield Staged(target, found, tuple(styles))


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
        style = _stage_register(path, target, found)
        facts = read_facts(folder, found.model, found.revision, {name: style})
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
        HyperBridgeError: no right to write, somebody pushed in between, or stale registers.
    """
    parent = hub.head(to.repo_id, to.revision)
    removed = _stale_files(staged, to, parent, stale) if parent else []
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
    if output is None:
        return located.folder
    unfinished = output.with_name(output.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    for path in (
        located.folder / CONFIG,
        located.folder / FORMULAS,
        *(p for one in chosen.values() for p in one.iterdir()),
    ):
        if path.is_file():
            target = unfinished / path.relative_to(located.folder)
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
            "--base owner/name (of an extended base: push it first)"
        )
    repo_id, revision = hub.parse_id(named)
    commit = hub.resolve_commit(repo_id, revision)
    digest = published_digest(repo_id, commit)
    if base.sha256 is not None and digest != base.sha256:
        raise HyperBridgeError(
            f"{repo_id}@{commit[:12]}: not the weights these registers were trained on "
            f"({str(digest)[:12]} instead of {base.sha256[:12]})"
        )
    return Base(model=repo_id, revision=commit, sha256=digest, gguf_file=base.gguf_file)


def _stage_register(register: Path, target: Path, base: Base) -> str:
    """Copy an adapter, with its base under the published name; its style."""
    target.mkdir(parents=True, exist_ok=True)
    style = read_register_card(register).style
    config = json.loads((register / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base.model, "revision": base.revision}
    _write(target / ADAPTER_CONFIG, json.dumps(config, ensure_ascii=False, indent=2) + "\n")
    save_register_card(target, RegisterCard(style=style, base=base))
    for name in (ADAPTER, TRAINING):
        if (register / name).is_file():
            shutil.copyfile(register / name, target / name)
    return style


def _stage_recipe(folder: Path, target: Path, base: Base) -> None:
    """The recipe without paths of this machine."""
    if not (folder / RECIPE).is_file():
        return
    recipe = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
    recipe["base"] |= {"model": base.model, "revision": base.revision}
    recipe["output_dir"] = Path(recipe["output_dir"]).name
    recipe["data"] = {key: _without_folder(value) for key, value in recipe["data"].items()}
    _write(target / RECIPE, json.dumps(recipe, ensure_ascii=False, indent=2) + "\n")


def _without_folder(path: str | None) -> str | None:
    return path if path is None or path.startswith(PACKAGE_PREFIX) else Path(path).name


def _of_base(licences: Licences, facts: BundleFacts) -> Licences:
    """Licences with the base's own, where the Hub tells it."""
    if licences.base or not facts.on_hub:
        return licences
    return Licences(licences.adapters, hub.licence(facts.base), licences.data)


def _stale_files(staged: Staged, to: Destination, parent: str, stale: Stale) -> list[str]:
    """Files of registers that the branch has and the staged folder has not."""
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
        _check_same_base(staged, to.repo_id, parent)
        return [path for path in paths if path.split("/")[1] not in names]
    return paths


def _check_same_base(staged: Staged, repo_id: str, commit: str) -> None:
    folder = hub.fetch(repo_id, commit, [CONFIG, f"{REGISTERS}/*/{REGISTER}"])
    difference = staged.base.differs_from(load_config(folder).base)
    if difference:
        raise HyperBridgeError(f"{repo_id}: its registers belong on another base: here {difference}")


def _write(path: Path, text: str) -> None:
    with atomic_writer(path) as file:
        file.write(text)
