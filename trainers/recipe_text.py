"""A recipe's text with the comments of the files it is made of: to be read, and to be copied and changed by hand.

The text is that of the job (or file) that the recipe begins with; where a base, a variant or a file that extends it
says otherwise, the value is written over in its place and the comment beside it stays; new keys end their section.
PyYAML tells where each value stands. The result is read back: a text that would say something else is not given.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from hyperbridge.trainers.recipe_files import about, read_recipe, sources

Edit = tuple[int, int, str]  # the characters from, up to, and what is written instead


def recipe_text(name: str) -> str:
    """A recipe as one YAML text that needs no other file.

    Args:
        name: a shipped recipe, with variants, or a file.

    Raises:
        HyperBridgeError: no such recipe.
    """
    data = read_recipe(name)
    files = sources(name)
    opening, _ = _opened(files[0])
    if files[0].parent.name == "jobs":
        base = name.partition("/")[0]
        opening = opening.replace("BASE", base).replace("HUB_ID", str(data["base"]["model"]))
    first = f"# {name}. Shorter: a file with `extends: {name}` and the keys that are to differ.\n"
    variants = "".join(f"# +{one}: {about('variants', one)}.\n" for one in name.split("+")[1:])
    text = rewritten(_opened(files[-1])[1], data)
    if not _says(text, data):  # anchors, by which a value stands for several; or a file of no keys
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110)
    return f"{first}#\n{opening}{variants}{text}"


def rewritten(text: str, data: dict[str, Any]) -> str:
    """A YAML text that says `data`, its comments and the order of its keys kept.

    Args:
        text: a mapping; `data` has all its keys. One of no keys stays as it is.
        data: what it is to say.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    for start, end, new in sorted(_edits(text, root, data), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _says(text: str, data: dict[str, Any]) -> bool:
    try:
        return bool(yaml.safe_load(text) == data)
    except yaml.YAMLError:
        return False


def _opened(path: Path) -> tuple[str, str]:
    """The comment that a file opens with, and the rest."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    end = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:end]), "".join(lines[end:])


def _edits(text: str, node: yaml.MappingNode, data: dict[str, Any]) -> Iterator[Edit]:
    """What is to be written over, and the new keys."""
    found = {key.value: value for key, value in node.value}
    for name, value in found.items():
        if name not in data:  # `<<`, whose keys stand elsewhere
            continue
        if isinstance(value, yaml.MappingNode) and value.value and isinstance(data[name], dict):
            yield from _edits(text, value, data[name])
            continue
        if yaml.SafeLoader("").construct_object(value, deep=True) != data[name]:
            yield value.start_mark.index, _last(value).end_mark.index, _in_a_line(data[name])
    new = {name: value for name, value in data.items() if name not in found}
    if new and node.value:
        yield _addition(text, node, new)


def _addition(text: str, node: yaml.MappingNode, new: dict[str, Any]) -> Edit:
    """New keys: within the braces of a mapping in braces, else on lines of their own after its last."""
    end: int = _last(node.value[-1][1]).end_mark.index
    if node.flow_style:
        return end, end, "".join(f", {name}: {_in_a_line(value)}" for name, value in new.items())
    line_break = text.find("\n", end)
    end = len(text) if line_break < 0 else line_break + 1
    lines = yaml.safe_dump(new, allow_unicode=True, sort_keys=False).splitlines()
    return end, end, "".join(f"{' ' * node.start_mark.column}{line}\n" for line in lines)


def _last(node: yaml.Node) -> yaml.Node:
    """What a value ends with: the mark of a block stands where the next key begins, after comments."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return node


def _in_a_line(value: Any) -> str:
    dumped: str = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=10_000, sort_keys=False)
    return dumped.removesuffix("\n").removesuffix("...").strip()
