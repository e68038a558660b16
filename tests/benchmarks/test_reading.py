"""What the benchmark of reading reads: a part of a book, or so many of several files, the largest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reading import documents_of, main
from hyperbridge import HyperBridgeError


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    for name, size in (("b", 10), ("a", 40), ("c", 30), ("d", 20)):
        (tmp_path / f"{name}.txt").write_text("ж" * size, encoding="utf-8")
    return tmp_path


def test_of_one_book_its_first_part_is_read(shelf: Path) -> None:
    (part,) = documents_of([str(shelf / "a.txt")], 0.1)
    assert part.text == "жжжж"


def test_of_several_files_the_largest_are_read_whole(shelf: Path) -> None:
    assert [len(document.text) for document in documents_of([str(shelf)], 0.5)] == [40, 30]
    assert [len(document.text) for document in documents_of([str(shelf)], 0.1)] == [40]
    assert len(list(documents_of([str(shelf)], 1.0))) == 4


def test_a_book_that_is_not_there_is_told_before_anything_is_measured(shelf: Path) -> None:
    with pytest.raises(HyperBridgeError, match="no such file"):
        main([str(shelf / "e.txt"), "--force"])
    with pytest.raises(HyperBridgeError, match="no book"):
        main([])
