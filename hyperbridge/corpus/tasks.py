"""A corpus in tasks: each input file is built alone into a part, and the parts are gathered in the order of the files.

A part is written whole or not at all, with its tree, its counts and the key of what it was made from: the file's
bytes, the options, the rules. A task whose part has the right key is done, so an interrupted build goes on where it
stopped, and the result is the same bytes whatever ran beside it and however often it was interrupted. Cost beside
building: one hash of each file; disk: the scenes twice until they are gathered.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from pydantic import BaseModel

from hyperbridge.corpus.building import DropCounts, Follow, build_scenes
from hyperbridge.corpus.documents import find_inputs, is_on_hub, read_input
from hyperbridge.corpus.outline import SUFFIX, TreeNode, tree_nodes
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer, read_jsonl
from hyperbridge.scenes import Scene


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What of a build changes its scenes.

    Attributes:
        language: whose rules to use.
        register: of all of it, by its own name; None: told from source and content.
        old_spelling: pre-1918 spelling is made modern before anything is cut.
    """

    language: str = "ru"
    register: str | None = None
    old_spelling: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One input: a file, a folder that `datasets` saved, or a data set of the Hub.

    Attributes:
        number: its place among the inputs.
        path: where it is; of a data set of the Hub its name.
        source: how its scenes name it.
    """

    number: int
    path: Path
    source: str

    def files(self) -> list[Path]:
        """What it is read from on this disk; nothing of a data set of the Hub."""
        if is_on_hub(self.path):
            return []
        return sorted(path for path in self.path.rglob("*") if path.is_file()) if self.path.is_dir() else [self.path]

    def size(self) -> int:
        """In bytes."""
        return sum(path.stat().st_size for path in self.files())


@dataclass(frozen=True, slots=True)
class Build:
    """All tasks of a build, and the folder its parts lie in; picklable, so that any executor may carry it."""

    tasks: tuple[Task, ...]
    folder: Path
    options: BuildOptions

    @classmethod
    def of(cls, inputs: Iterable[Path], folder: Path, options: BuildOptions) -> Build:
        """The tasks of files and folders.

        Raises:
            HyperBridgeError: an input is missing or cannot be read.
        """
        found = (Task(number, path, source) for number, (path, source) in enumerate(find_inputs(inputs)))
        return cls(tuple(found), folder, options)

    def unfinished(self) -> list[Task]:
        """The tasks without a part of what they are now."""
        return [task for task in self.tasks if _key_of_part(self._counts(task)) != self._key(task)]

    def run(self, task: Task, follow: Follow = lambda document, read: None) -> None:
        """Build one file into its part; without effect where that is done.

        Args:
            task: of this build.
            follow: told how far a document is read, in characters.

        Raises:
            HyperBridgeError: the file cannot be read.
        """
        key = self._key(task)
        if _key_of_part(self._counts(task)) == key:
            return
        drops, options = DropCounts(), self.options
        documents = read_input(task.path, task.source, old_spelling=options.old_spelling)
        with atomic_writer(self._part(task)) as file, atomic_writer(self._tree(task)) as nodes:
            scenes = build_scenes(
                documents,
                language=options.language,
                register=options.register,
                drops=drops,
                follow=follow,
                on_tree=lambda tree: _write(nodes, tree_nodes(tree)),
            )
            _write(file, scenes)
        with atomic_writer(self._counts(task)) as file:
            json.dump({"key": key, **_as_json(drops)}, file, ensure_ascii=False)

    def scenes(self) -> Iterator[Scene]:
        """The scenes of all parts in the order of the files.

        Raises:
            HyperBridgeError: a part is not there.
        """
        for task in self.tasks:
            yield from read_jsonl(self._part(task), Scene, strict=True)

    def nodes(self) -> Iterator[TreeNode]:
        """The books, chapters and scenes of all parts in the order of the files.

        Raises:
            HyperBridgeError: a part is not there.
        """
        for task in self.tasks:
            yield from read_jsonl(self._tree(task), TreeNode, strict=True)

    def counts(self) -> DropCounts:
        """What all parts left out and made.

        Raises:
            HyperBridgeError: a part is not there.
        """
        drops = DropCounts()
        for task in self.tasks:
            _add_json(drops, self._counts(task))
        return drops

    def finished_since(self, moment: float) -> list[Task]:
        """The tasks whose part was finished after a moment in seconds since the epoch; cheap, for progress."""
        return [task for task in self.tasks if _modified(self._counts(task)) >= moment]

    def forget(self) -> None:
        """Remove the parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def forget_nothing(self) -> None:
        """Remove the folder of the parts where it is empty."""
        with suppress(OSError):
            self.folder.rmdir()

    def _part(self, task: Task) -> Path:
        return self.folder / f"{task.number:06d}.jsonl"

    def _tree(self, task: Task) -> Path:
        return self.folder / f"{task.number:06d}{SUFFIX}"

    def _counts(self, task: Task) -> Path:
        return self.folder / f"{task.number:06d}.counts.json"

    def _key(self, task: Task) -> str:
        """What a part depends on, as a hash."""
        told = {"source": task.source, "rules": _rules(), **asdict(self.options)}
        digest = hashlib.sha256(json.dumps(told, ensure_ascii=False, sort_keys=True).encode())
        for path in task.files():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def run_here(build: Build, follow: Follow) -> None:
    """Run in this process what is unfinished."""
    for task in build.tasks:
        build.run(task, follow)


@lru_cache(maxsize=1)
def _rules() -> str:
    """A hash of the code and the models that make scenes of text."""
    package = Path(__file__).parent
    assets = package.parent / "assets"
    digest = hashlib.sha256()
    for path in sorted([*package.rglob("*.py"), *assets.glob("*.json"), *(assets / "classifiers").iterdir()]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write(file: IO[str], records: Iterable[BaseModel]) -> None:
    for record in records:
        file.write(record.model_dump_json(by_alias=True, exclude_unset=True) + "\n")


def _key_of_part(counts: Path) -> str | None:
    try:
        return str(json.loads(counts.read_text(encoding="utf-8"))["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _as_json(drops: DropCounts) -> dict[str, object]:
    dropped = [[stage, reason, count] for (stage, reason), count in sorted(drops.dropped.items())]
    registers = dict(sorted(drops.registers.items()))
    counts = {"documents": drops.documents, "scenes": drops.scenes, "dropped": dropped, "registers": registers}
    return counts | {"encodings": drops.encodings}


def _add_json(drops: DropCounts, counts: Path) -> None:
    try:
        found = json.loads(counts.read_text(encoding="utf-8"))
    except OSError as error:
        raise HyperBridgeError(f"{counts}: a part of the build is missing ({error.strerror}); build again") from None
    drops.documents += found["documents"]
    drops.scenes += found["scenes"]
    drops.dropped.update({(stage, reason): count for stage, reason, count in found["dropped"]})
    drops.registers.update(Counter(found["registers"]))
    drops.encodings.update(found["encodings"])
