"""The example in the folder's README is what the reader says today."""

from __future__ import annotations

import json
import re
from pathlib import Path

import hyperbridge.corpus
from hyperbridge.corpus.building import read_text

README = Path(hyperbridge.corpus.__path__[0]) / "README.md"


def test_the_example_is_what_is_read() -> None:
    written = README.read_text(encoding="utf-8").partition("## An example")[2]
    quoted = re.search(r"((?:^> .*\n)+)", written, re.MULTILINE)
    block = re.search(r"```json\n(.*?)```", written, re.DOTALL)
    assert quoted
    assert block
    text = quoted[1].replace("> ", "").replace("\n", " ").strip()
    (scene,) = read_text(text)
    shown, read = json.loads(block[1]), json.loads(scene.to_json())
    told = {key: shown[key] for key in ("scene", "hyperlexeme", "components", "registers", "tension", "confidence")}
    assert told == {key: read[key] for key in told}
