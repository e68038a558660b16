"""Every slot of a passage that is filled says how sure it is; a passage without words is refused."""

from __future__ import annotations

from hyperbridge.corpus.extraction_ru import Extraction, extract
from hyperbridge.corpus.parsing_ru import parse
from hyperbridge.corpus.segmentation_ru import words


def read(*sentences: str) -> Extraction:
    found = extract(parse([words(text) for text in sentences], tree=True), verse=False)
    assert isinstance(found, Extraction)
    return found


def test_every_slot_has_a_confidence() -> None:
    found = read("Старый рыбак медленно вытащил лодку на мокрый песок.")
    assert found.confidence.keys() == found.components.keys()
    assert all(0.0 < confidence <= 1.0 for confidence in found.confidence.values())
    assert found.confidence["agent"] <= found.confidence["act"]
    assert found.confidence["act"] > 0.9


def test_a_slot_that_is_not_found_is_not_there() -> None:
    assert "agent" not in read("Ночью вышли из тихой деревни и свернули к оврагу.").components


def test_who_suffers_a_passive_deed_is_no_agent() -> None:
    found = read("Старая мельница была разрушена пьяным кузнецом.")
    assert (found.components["agent"], found.components["act"]) == ("кузнец", "разрушить")
    assert "agent" not in read("Старая мельница была разрушена прошлой весной.").components


def test_a_passage_of_one_content_word_is_no_scene() -> None:
    assert extract(parse([["Вот", "и", "мост", "."]], tree=True), verse=False) == "fewer than two content words"
