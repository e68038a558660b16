"""The tree of a scene file, as a file beside it: one line for each book, chapter and scene of the books.

`scenes.tree.jsonl` lies beside `scenes.jsonl`. Its lines are in reading order, a node before what is in it, so the
children of a node are the later lines whose `parent` it is, and the children of a scene are the lines of the scene
file whose `parent` it is: passages are not said twice. Cost of reading: one pass; memory: the nodes, which are
some 20 times fewer than the passages.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hyperbridge.corpus.scene_tree import SceneTree
from hyperbridge.jsonl import read_jsonl
from hyperbridge.scenes import Span

SUFFIX = ".tree.jsonl"


class TreeNode(BaseModel):
    """A line of the file.

    Attributes:
        kind: what it is; a scene is a stretch of one place, time and cast.
        title: without asterisks and note marks; absent where it has none.
        parent: id of the node it is in; absent of a book.
        next: id of the scene after a scene, across chapters; of the chapter after a chapter, in the same node.
        span: from its heading, where it has one, to the end of its last passage.
        passages: how many passages are in it, at any depth.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    kind: Literal["book", "chapter", "scene"]
    title: str | None = None
    parent: str | None = None
    next: str | None = None
    span: Span
    passages: Annotated[int, Field(ge=0)]


@dataclass(slots=True)
class Outline:
    """The nodes of a scene file, by id and by the node that they are in."""

    nodes: dict[str, TreeNode] = field(default_factory=dict)
    _inside: defaultdict[str | None, list[TreeNode]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, nodes: Iterable[TreeNode]) -> Outline:
        found = cls()
        for node in nodes:
            found.nodes[node.id] = node
            found._inside[node.parent].append(node)
        return found

    @classmethod
    def beside(cls, scenes: str | os.PathLike[str]) -> Outline:
        """The outline of a scene file; empty where no tree lies beside it.

        Raises:
            HyperBridgeError: a line of the tree is no node.
        """
        path = tree_path(scenes)
        return cls.of(read_jsonl(path, TreeNode, strict=True) if path.is_file() else ())

    def children(self, node: str | None) -> Sequence[TreeNode]:
        """What is in a node, in order; of None the books."""
        return self._inside.get(node, ())

    def chain(self, node: str | None) -> list[TreeNode]:
        """A node and all that it is in, outermost first; empty for an id that is not here."""
        found: list[TreeNode] = []
        while node is not None and node in self.nodes:
            found.append(self.nodes[node])
            node = found[-1].parent
        return found[::-1]


def tree_path(scenes: str | os.PathLike[str]) -> Path:
    """Where the tree of a scene file lies: `scenes.tree.jsonl` of `scenes.jsonl`."""
    path = Path(scenes)
    return path.with_name(path.name.removesuffix(".jsonl") + SUFFIX)


def tree_nodes(tree: SceneTree) -> Iterator[TreeNode]:
    """The lines of one document, a node before what is in it."""
    passages = dict.fromkeys(tree.nodes, 0)
    for node in reversed(tree.nodes.values()):
        passages[node.id] += node.kind == "passage"
        if node.parent is not None:
            passages[node.parent] += passages[node.id]
    for node in tree.nodes.values():
        if node.kind != "passage":
            told = {"id": node.id, "kind": node.kind, "title": node.title, "parent": node.parent, "next": node.next}
            span = {"source": tree.source, "start": node.start, "end": node.end}
            known = {name: value for name, value in told.items() if value is not None}
            yield TreeNode.model_validate({**known, "span": span, "passages": passages[node.id]})
