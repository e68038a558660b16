"""Which lemmas name a scene, and in which order."""

from __future__ import annotations

from collections import Counter

from hyperbridge.corpus.content_ru import is_content
from hyperbridge.corpus.hyperlexeme_ru import choose_seams, spare_noun
from hyperbridge.corpus.parsing_ru import Token, parse
from hyperbridge.corpus.segmentation_ru import words


def seams(text: str, carried: frozenset[str] = frozenset()) -> list[str]:
    found = tokens(text)
    content = Counter(token.lemma for token in found if is_content(token))
    return [token.lemma for token in choose_seams(found, content, set(carried))]


def tokens(text: str) -> list[Token]:
    return [token for token in parse([words(text)], tree=True)[0] if token.text[0].isalpha()]


def test_rare_nouns_name_a_scene_in_the_order_of_the_text() -> None:
    assert seams("Хромой пономарь повесил фонарь над старой калиткой.") == ["пономарь", "фонарь", "калитка"]


def test_two_seams_never_share_a_stem() -> None:
    assert seams("Печник чинил печь и печку у печника.").count("печник") == 1
    assert len({seam[:4] for seam in seams("Печник чинил печь и печку у печника.")}) == len(
        seams("Печник чинил печь и печку у печника.")
    )


def test_a_spare_noun_is_the_rarest_that_nothing_carries() -> None:
    found = tokens("Пономарь повесил фонарь над домом.")
    spare = spare_noun(found, {"пономарь"})
    assert spare is not None
    assert spare.lemma == "фонарь"
    assert spare_noun(found, {"пономарь", "фонарь", "дом"}) is None
