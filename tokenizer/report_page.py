"""The figures of an extended tokenizer as tables, and as one self-contained HTML page: SVG, no script, text escaped."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from hyperbridge.jsonl import atomic_writer
from hyperbridge.tokenizer.report import COMMAND, EXAMPLES, SURROUNDINGS, Boundaries, TokenizerReport

TEMPLATE = "report.html.jinja"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Figures in rows; the first column names a row. `in_words`: the others hold words too."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    in_words: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar of the base and one of the extended tokenizer in every row."""

    title: str
    digits: int
    rows: tuple[tuple[str, float, float], ...]

    @property
    def largest(self) -> float:
        return max(value for _, *pair in self.rows for value in pair) or 1.0


def sheets(report: TokenizerReport) -> Iterator[Sheet]:
    """The figures as tables; empty ones are left out."""
    found = (_text_sheet, _promise_sheet, _unit_sheet, _failure_sheet, _boundary_sheet, _economy_sheet, _speed_sheet)
    yield from (sheet for make in found if (sheet := make(report)).rows)


def charts(report: TokenizerReport) -> Iterator[Chart]:
    """The figures that are compared, as bars."""
    counts = report.counts.items()
    yield Chart("Characters per token", 2, tuple((kind, *one.characters_per_token()) for kind, one in counts))
    yield Chart("Tokens per word", 2, tuple((kind, *one.tokens_per_word()) for kind, one in counts))
    if report.boundaries:
        yield Chart("Cuts against morphemes", 3, tuple(_boundary_bars(report.boundaries)))
    if report.economy:
        rows = tuple((form, *one.tokens_per_text()) for form, one in report.economy.items())
        yield Chart("Tokens of a scene", 1, rows)
    base, extended = report.speed["base"], report.speed["extended"]
    yield Chart("Thousand characters encoded a second", 0, (("encode", base.encode / 1e3, extended.encode / 1e3),))


def write_page(path: str | os.PathLike[str], report: TokenizerReport, title: str) -> None:
    """Draw the figures as an HTML page."""
    from jinja2 import Environment

    template = files("hyperbridge.tokenizer").joinpath(TEMPLATE).read_text(encoding="utf-8")
    page = (
        Environment(autoescape=True, trim_blocks=True)
        .from_string(template)
        .render(title=title, report=report, charts=list(charts(report)), sheets=list(sheets(report)), command=COMMAND)
    )
    with atomic_writer(path) as file:
        file.write(page)


def _text_sheet(report: TokenizerReport) -> Sheet:
    columns = ("text", "words", "ch/token, base", "extended", "tokens/word, base", "extended", "saved")
    rows = [
        (
            kind,
            f"{one.words:,}",
            *(f"{value:.3f}" for value in one.characters_per_token()),
            *(f"{value:.2f}" for value in one.tokens_per_word()),
            _percent(one.base_tokens - one.extended_tokens, one.base_tokens),
        )
        for kind, one in report.counts.items()
    ]
    return Sheet("Compression", columns, rows)


def _promise_sheet(report: TokenizerReport) -> Sheet:
    kept, new = report.kept, sum(report.new_tokens.values())
    plain = kept.expanded - kept.expanded_with_units
    counted = [
        ("expand to the base's ids: texts without units", "all", plain, kept.texts - kept.with_units),
        ("expand to the base's ids: texts with units", "", kept.expanded_with_units, kept.with_units),
        ("texts that come back as from the base", "all", kept.round_trips, kept.texts),
        ("words cut otherwise, nothing new in them", "none", kept.changed_without_new, kept.words),
        ("words cut otherwise", "", kept.changed, kept.words),
        ("new tokens that no text reaches", "none", len(report.unreachable), new),
    ]
    counted += [
        (f"new in these texts: {kind}", "", report.used.get(kind, 0), n) for kind, n in report.new_tokens.items()
    ]
    rows = [
        (what, _promised(promised, part, whole), f"{part:,}", f"{whole:,}", _percent(part, whole))
        for what, promised, part, whole in counted
    ]
    return Sheet("Promises", ("what", "promised", "found", "of", "share"), rows)


def _unit_sheet(report: TokenizerReport) -> Sheet:
    kinds = list(dict.fromkeys(rate.kind for rate in report.units))
    single = {(rate.kind, rate.surrounding): _percent(rate.single, rate.tried) for rate in report.units}
    base = {rate.kind: f"{rate.base_tokens:.1f}" for rate in report.units}
    rows = [(surrounding, *(single[kind, surrounding] for kind in kinds)) for surrounding in SURROUNDINGS if kinds]
    rows += [("tokens in the base", *(base[kind] for kind in kinds))] if kinds else []
    return Sheet("Units that are one token", ("surrounding", *kinds), rows)


def _failure_sheet(report: TokenizerReport) -> Sheet:
    rows = [(one.kind, repr(one.written), " | ".join(one.tokens)) for one in report.failures]
    rows += [("", example, "") for example in report.kept.examples]
    rows += [("unreachable", repr(text), "") for text in report.unreachable[:EXAMPLES]]
    return Sheet("Failures, the first of them", ("of", "written", "tokens"), rows, in_words=True)


def _boundary_sheet(report: TokenizerReport) -> Sheet:
    rows = [
        (name, f"{one.words:,}", *(f"{value:.3f}" for value in (one.precision, one.recall, one.f1)))
        for name, one in report.boundaries.items()
    ]
    return Sheet("Cuts inside words against gold morphemes", ("tokenizer", "words", "precision", "recall", "F1"), rows)


def _economy_sheet(report: TokenizerReport) -> Sheet:
    columns = ("form", "scenes", "tokens, base", "extended", "factor, base", "extended")
    rows = []
    for form, one in report.economy.items():
        passage = report.economy["passage"].tokens_per_text()
        factors = (whole / max(part, 1e-9) for whole, part in zip(passage, one.tokens_per_text(), strict=True))
        tokens = (f"{value:.1f}" for value in one.tokens_per_text())
        rows.append((form, f"{one.texts:,}", *tokens, *(f"{factor:.2f}" for factor in factors)))
    return Sheet("Economy of scenes", columns, rows)


def _speed_sheet(report: TokenizerReport) -> Sheet:
    base, extended = report.speed["base"], report.speed["extended"]
    compared = (
        ("characters encoded a second", base.encode, extended.encode, "{:,.0f}"),
        ("seconds to load", base.load, extended.load, "{:.2f}"),
    )
    rows = [(what, form.format(one), form.format(other), f"{other / one:.2f}") for what, one, other, form in compared]
    return Sheet(f"Speed, {base.characters:,} characters", ("measure", "base", "extended", "ratio"), rows)


def _boundary_bars(boundaries: Mapping[str, Boundaries]) -> Iterator[tuple[str, float, float]]:
    base, extended = boundaries["base"], boundaries["extended"]
    yield "precision", base.precision, extended.precision
    yield "recall", base.recall, extended.recall
    yield "F1", base.f1, extended.f1


def _promised(promised: str, part: int, whole: int) -> str:
    broken = part != {"all": whole, "none": 0}.get(promised, part)
    return f"{promised}: BROKEN" if broken else promised


def _percent(part: int, whole: int) -> str:
    """A share in per cent; what is not quite all or nothing never looks so."""
    share = 100 * part / whole if whole else 0.0
    if not whole:
        return "—"
    if 0 < share < 0.05:
        return "< 0.1 %"
    return "> 99.9 %" if 99.95 <= share < 100 else f"{share:.1f} %"
