"""The README.md of a folder of expressions: a data card in the Hub's form, from counts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hyperbridge.corpus.splits import SPLITS, Split

if TYPE_CHECKING:
    from hyperbridge.corpus.pairs import PairCounts, PairOptions

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_FRONT = """---
language:
- ru
license: other
task_categories:
- text-generation
configs:
- config_name: default
  data_files:
{files}
---
"""


_ABOUT = """# Expressions

Scenes and the passages they were cut from, made by `hyperbridge corpus pairs`. Every line is one expression:
`text_human` says `scene` (with its `components`) in the register `style`. A source, that is a whole work, lies in one
split only; the licence is that of the sources."""


def data_card(counts: PairCounts, options: PairOptions) -> str:
    """Markdown with YAML front matter: splits, sources, lengths, and what was left out and why."""
    written = [split for split in SPLITS if any(part == split for _, part in counts.pairs)]
    files = "\n".join(f"  - split: {split}\n    path: {split}.jsonl" for split in written)
    rows = [
        [register, *(_cell(counts, register, split) for split in SPLITS), str(_total(counts, register))]
        for register in counts.registers
    ]
    lengths = [
        [name, *(str(quantile(lengths, share)) for share in _QUANTILES)]
        for name, lengths in (("words", counts.words), ("characters", counts.characters))
    ]
    dropped = [[reason, str(count)] for reason, count in sorted(counts.dropped.items())]
    if counts.bad_lines:
        dropped.append(["line that is no scene", str(len(counts.bad_lines))])
    parts = [
        _FRONT.format(files=files) if written else "",
        _ABOUT,
        "## Pairs (sources)\n\n" + _table(["register", *SPLITS, "all"], rows),
        "## Length of a passage\n\n" + _table(["", *(f"{share:.0%}" for share in _QUANTILES)], lengths),
        "## Left out\n\n" + (_table(["reason", "scenes"], dropped) if dropped else "Nothing."),
        f"Options: seed {options.seed}, {options.min_words}-{options.max_words} words, "
        f"cap per register {options.per_register or 'none'}, test {', '.join(options.test) or 'by hash'}, "
        f"validation {', '.join(options.validation) or 'by hash'}.",
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def quantile(lengths: Counter[int], share: float) -> int:
    """The least length that at least `share` of the counted items do not exceed; 0 of nothing."""
    total, passed = sum(lengths.values()), 0
    for length in sorted(lengths):
        passed += lengths[length]
        if passed >= share * total:
            return length
    return 0


def _cell(counts: PairCounts, register: str, split: Split) -> str:
    key = (register, split)
    return f"{counts.pairs[key]} ({len(counts.sources.get(key, ()))})"


def _total(counts: PairCounts, register: str) -> int:
    return sum(count for (name, _), count in counts.pairs.items() if name == register)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
