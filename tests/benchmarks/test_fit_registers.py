"""Which passages the model of registers is fitted and measured on, on a small folder written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.fit_registers import (
    FITTED_ONLY,
    OWN,
    Judged,
    Sample,
    author_of,
    confusion,
    deal_folds,
    in_one_line,
    read_samples,
)
from hyperbridge.corpus.registers_ru import CLASSES
from hyperbridge.errors import HyperBridgeError

STORY = (
    "Лодочник вытащил лодку на песок и сел чинить весло. Ветер с утра переменился, и тучи ползли от дальнего берега. "
    "К полудню пришла его дочь с узелком, поставила на камень кувшин молока и молча стала смотреть на воду. "
    "Он спросил, нет ли письма; письма не было, и оба знали, что его не будет и завтра, потому что дорогу размыло. "
    "Потом он доел хлеб, столкнул лодку и уплыл, а она долго ещё стояла на мокром песке.\n\n"
)


def shelf(folder: Path) -> Path:
    """A data folder with one story."""
    (folder / "text" / "prose").mkdir(parents=True)
    (folder / "text" / "prose" / "Petrov__Лодочник.txt").write_text(STORY * 5, encoding="utf-8")
    return folder


def sample(label: str, author: str, genre: str = "prose") -> Sample:
    return Sample("Текст.", label, author, genre)


def test_a_folder_without_genres_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="no genre folder"):
        read_samples(tmp_path)


def test_the_folder_gives_the_label_and_the_file_the_author(tmp_path: Path) -> None:
    whole = [one for one in read_samples(shelf(tmp_path)) if one.author == "petrov" and one.form == "whole"]
    assert {(one.label, one.genre) for one in whole} == {("повествовательный", "prose")}
    assert [one.run for one in whole[:4]] == [0, 0, 0, 1]


def test_what_was_written_for_the_fit_is_never_measured(tmp_path: Path) -> None:
    written = [one for one in read_samples(shelf(tmp_path)) if one.author.startswith("own ")]
    assert {one.genre for one in written} == {FITTED_ONLY}
    assert {one.author.removeprefix("own "): one.label for one in written} == OWN
    assert all(15 < len(one.text.split()) < 90 for one in written)
    assert deal_folds(written) == {}


def test_authors_of_collections_are_their_parts() -> None:
    assert author_of("sacred/Synodal_02-exodus.txt") == "law of Moses"
    assert author_of("folk/Afanasyev_vol1_dev.jsonl#51") == "tales 51-100"
    assert author_of("travelog/RSD_travelog_davydov.txt") == "davydov"


def test_folds_keep_an_author_together_and_a_class_in_every_fold() -> None:
    samples = [sample("поэтический", f"poet {n}", "poetry") for n in range(3)] + [sample("повествовательный", "poet 0")]
    folds = deal_folds(samples)
    assert sorted(folds.values()) == [0, 1, 2]


def test_verse_in_one_line_keeps_a_capital_only_where_a_sentence_begins() -> None:
    assert in_one_line("Идёт гроза.\nШумит дубрава,\nИ гнётся тёмная трава") == (
        "Идёт гроза. Шумит дубрава, и гнётся тёмная трава"
    )


def test_accuracy_weighs_authors_alike_however_many_passages_they_have() -> None:
    right, wrong = np.eye(len(CLASSES))[0], np.eye(len(CLASSES))[4]
    many = [Judged(sample(CLASSES[0], "a"), right, right)] * 9
    one = [Judged(sample(CLASSES[0], "b"), wrong, right)]
    assert confusion(many + one)[0, 0] == pytest.approx(0.5)
    assert confusion(many + one, neighbours=True)[0, 0] == pytest.approx(1.0)
