"""What making pre-1918 spelling modern does: the share of words that the dictionary knows, before and after.

    python -m benchmarks.old_spelling DATA/text/prose_prereform

A text in today's spelling shows the other side: how many words the rules change that they should leave alone.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hyperbridge.corpus.documents import read_documents
from hyperbridge.corpus.old_spelling_ru import normalise_old_spelling
from hyperbridge.dictionary_ru import readings
from hyperbridge.program import run_main

_WORD = re.compile(r"[^\W\d_]+")


def known_share(words: Sequence[str]) -> float:
    """The share of words, in lower case, that stand in the dictionary."""
    return sum(bool(readings(word)[0].is_known) for word in words) / max(len(words), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="files or folders of text")
    for document in read_documents(parser.parse_args().data):
        text = document.text.lower()
        before, after = _WORD.findall(text), _WORD.findall(normalise_old_spelling(text))
        changed = sum((Counter(before) - Counter(after)).values())
        shares = f"{known_share(before):.4f} before, {known_share(after):.4f} after"
        print(f"{document.source}: {len(before)} words, known {shares}, {changed} changed")


if __name__ == "__main__":
    run_main(main)
