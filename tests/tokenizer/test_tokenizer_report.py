"""What the report of an extended tokenizer says: what was gained, which promise is broken, what a scene saves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from hyperbridge import HyperBridgeError, Scene
from hyperbridge.model_cards.extended_base_card import CardFigures
from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer, open_base
from hyperbridge.tokenizer.extending import extend
from hyperbridge.tokenizer.extension import Extension, Unit
from hyperbridge.tokenizer.report import (
    SURROUNDINGS,
    Counts,
    ExtendedTokenizer,
    KindText,
    TokenizerReport,
    boundary_score,
    measure,
    open_extended,
    unit_rates,
    unreachable,
)
from hyperbridge.tokenizer.report_page import sheets, write_page

NANO = "hyperbridge:assets/nano-ru"
UNITS = [
    Unit(text="жмыховатень", kind="hyperlexeme", components=("жмых", "овал", "тень")),
    Unit(text="Δ93", kind="formula"),
    Unit(text="🜔", kind="symbol"),
]
PROSE = KindText("prose", "Клубилась пыль над рекой; клубилась, клубилась мгла.")
VERSE = KindText("verse", "Клубилась пыль,\nКлубилась мгла,\nИ 🜔 вела.")
SCENES = [
    Scene.model_validate({"scene": "жмыховатень", "modalities": {"text": "Тень упала на овал, где лежал сухой жмых."}}),
    Scene(scene="туман"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("report") / "extended"
    extend(open_base(NANO), target, units=UNITS, texts=[PROSE.text] * 3, merges=20)
    return target


@pytest.fixture(scope="module")
def opened(folder: Path) -> ExtendedTokenizer:
    return open_extended(folder)


@pytest.fixture(scope="module")
def report(opened: ExtendedTokenizer) -> TokenizerReport:
    return measure(opened, [PROSE, VERSE], scenes=SCENES, gold={"клубилась": (4, 5, 6, 7)})


@pytest.fixture(scope="module")
def units_only(tmp_path_factory: pytest.TempPathFactory) -> ExtendedTokenizer:
    target = tmp_path_factory.mktemp("units") / "extended"
    extend(open_base(NANO), target, units=UNITS)
    return open_extended(target)


def cells(report: TokenizerReport, title: str) -> dict[str, tuple[str, ...]]:
    """A table of the report: name of a row -> its other cells."""
    (sheet,) = [sheet for sheet in sheets(report) if sheet.title.startswith(title)]
    return {name: tuple(rest) for name, *rest in sheet.rows}


def test_characters_go_over_tokens_and_tokens_over_words() -> None:
    counts = Counts()
    counts.add("дом и сад", 6, 3)
    assert (counts.characters_per_token(), counts.tokens_per_word()) == ((1.5, 3.0), (2.0, 1.0))


def test_kinds_of_text_are_counted_apart(report: TokenizerReport) -> None:
    assert {kind: (one.texts, one.words) for kind, one in report.counts.items()} == {
        "prose": (1, 7),
        "verse": (1, 6),
        "scenes": (2, 2),
    }
    assert report.counts["prose"].extended_tokens < report.counts["prose"].base_tokens


def test_an_extension_keeps_its_promises(report: TokenizerReport) -> None:
    kept = report.kept
    assert (kept.texts, kept.expanded, kept.round_trips, kept.changed_without_new) == (6, 6, 6, 0)
    assert kept.changed > 0
    assert (kept.examples, report.failures, report.unreachable) == ([], (), ())
    assert not any("BROKEN" in row[0] for row in cells(report, "Promises").values())


def test_no_word_is_cut_otherwise_where_no_merge_was_learned(units_only: ExtendedTokenizer) -> None:
    assert measure(units_only, [PROSE, VERSE]).kept.changed == 0


def test_units_are_one_token_in_every_surrounding(base: BaseTokenizer, tmp_path: Path) -> None:
    extend(base, tmp_path / "extended", units=UNITS)
    backend = Tokenizer.from_file(str(tmp_path / "extended/tokenizer.json"))
    extension = Extension.load(tmp_path / "extended")
    rates, failures = unit_rates(ExtendedTokenizer(tmp_path, base, extension, backend))
    assert failures == []
    assert {rate.surrounding for rate in rates} == set(SURROUNDINGS)
    assert all(rate.single == rate.tried > 0 for rate in rates)
    assert all(rate.base_tokens > 1 for rate in rates)


def test_a_unit_that_is_cut_is_told_with_its_tokens(units_only: ExtendedTokenizer) -> None:
    without = replace(units_only, backend=units_only.base.backend)
    rates, failures = unit_rates(without)
    assert {rate.single for rate in rates} == {0}
    first = failures[0]
    assert (first.kind, first.written) == ("hyperlexeme", "жмыховатень")
    assert len(first.tokens) > 1
    assert "".join(first.tokens).strip() == "жмыховатень"
    found = measure(without, [PROSE])
    assert found.failed == sum(rate.tried for rate in rates)
    assert [one.unit for one in found.failures] == ["жмыховатень", "Δ93", "🜔"]


def test_a_new_token_that_no_text_reaches_is_named(opened: ExtendedTokenizer) -> None:
    assert unreachable(opened) == []
    lost = unreachable(replace(opened, backend=opened.base.backend))
    assert set(lost) == {token.text for token in opened.extension.tokens}


def test_wrong_constituents_are_a_broken_promise(opened: ExtendedTokenizer) -> None:
    tokens = tuple(token.model_copy(update={"constituents": (0,)}) for token in opened.extension.tokens)
    wrong = replace(opened, extension=opened.extension.model_copy(update={"tokens": tokens}))
    found = measure(wrong, [PROSE])
    assert found.kept.expanded == 0
    assert found.kept.examples == [f"expands to other ids: {PROSE.text!r}"]
    row = cells(found, "Promises")["expand to the base's ids: texts without units"]
    assert row == ("all: BROKEN", "0", "1", "0.0 %")


def test_a_word_that_is_cut_anew_without_a_new_token_is_a_broken_promise(units_only: ExtendedTokenizer) -> None:
    state = json.loads(units_only.backend.to_str())
    state["model"]["merges"] = state["model"]["merges"][:300]
    broken = replace(units_only, backend=Tokenizer.from_str(json.dumps(state)))
    found = measure(broken, [PROSE])
    assert found.kept.changed_without_new == found.kept.changed > 0
    assert "cut anew: 'Клубилась'" in found.kept.examples


def test_cuts_are_held_against_seams() -> None:
    score = boundary_score([({2, 5}, {2}), ({3}, {3, 4}), ((), ())])
    assert (score.words, score.precision, score.recall, score.f1) == (3, 2 / 3, 2 / 3, 2 / 3)


def test_a_learned_word_loses_its_cuts(report: TokenizerReport) -> None:
    assert report.boundaries["base"].recall > 0
    assert report.boundaries["extended"].recall == 0


def test_the_economy_is_of_scenes_that_know_their_passage(report: TokenizerReport) -> None:
    passage, prompt, name = report.economy.values()
    assert (passage.texts, prompt.texts, name.texts) == (1, 1, 1)
    assert name.extended_tokens == 1 < name.base_tokens
    factor = passage.extended_tokens / 1
    assert cells(report, "Economy")["scene, its name alone"][-1] == f"{factor:.2f}"


def test_without_scenes_and_gold_there_is_no_table_of_them(units_only: ExtendedTokenizer) -> None:
    titles = [sheet.title.split(",")[0] for sheet in sheets(measure(units_only, [PROSE]))]
    assert titles == ["Compression", "Promises", "Units that are one token", "Speed"]


def test_the_card_of_an_extended_base_takes_the_json(report: TokenizerReport) -> None:
    figures = CardFigures.model_validate_json(report.to_json())
    assert figures.measured_by == "hyperbridge tokenizer report"
    assert list(figures.texts["verse"]) == ["characters per token", "tokens per word"]
    told = json.loads(report.to_json())
    assert told["new_tokens"]["hyperlexeme"] == 2
    assert told["used"]["hyperlexeme"] == 1


def test_the_page_has_bars_and_no_markup_of_a_text(report: TokenizerReport, tmp_path: Path) -> None:
    hostile = replace(report, counts={"<script>alert(1)</script>": report.counts["prose"]})
    write_page(tmp_path / "page.html", hostile, "<b>")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<b>" not in page
    assert page.count("<rect") == 2 * (1 + 1 + 3 + 3 + 1)


def test_what_is_not_quite_all_does_not_look_so(report: TokenizerReport) -> None:
    kept = replace(report.kept, texts=100_000, with_units=0, expanded=99_999, expanded_with_units=0)
    row = cells(replace(report, kept=kept), "Promises")["expand to the base's ids: texts without units"]
    assert row == ("all: BROKEN", "99,999", "100,000", "> 99.9 %")


def test_texts_without_a_word_are_refused(opened: ExtendedTokenizer) -> None:
    with pytest.raises(HyperBridgeError, match="no text to measure on"):
        measure(opened, [])


def test_a_base_that_has_moved_is_asked_for(folder: Path, tmp_path: Path) -> None:
    told = json.loads((folder / "extension.json").read_text(encoding="utf-8"))
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    (moved / "extension.json").write_text(json.dumps({**told, "base": "./нет"}), encoding="utf-8")
    with pytest.raises(
        HyperBridgeError, match=r"base cannot be opened: \./нет: .*; give its present place with --base"
    ):
        open_extended(moved)
    assert open_extended(moved, NANO).base.source == NANO


def test_another_base_is_refused(folder: Path, llama3_folder: Path) -> None:
    with pytest.raises(HyperBridgeError, match="is not the base it was made from; give that one with --base"):
        open_extended(folder, str(llama3_folder))


def test_a_damaged_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="make one with `hyperbridge tokenizer extend`"):
        open_extended(tmp_path)
    (tmp_path / "extension.json").write_bytes((folder / "extension.json").read_bytes())
    with pytest.raises(HyperBridgeError, match=r"tokenizer\.json: cannot be read"):
        open_extended(tmp_path)
