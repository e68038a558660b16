"""A passage that was there before is linked and counted; who wrote the files, and in which order, changes no count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperbridge.corpus.resonance import Echo, Echoes, LinkCounts, link_scenes, normal_words, passage_of
from hyperbridge.errors import HyperBridgeError
from hyperbridge.scenes import EchoLink, Scene

RIVER = "Ещё вчера река шла подо льдом, а нынче утром она унесла мостки и чью-то забытую лодку."
RIVER_REPRINTED = "Еще вчера река шла подо льдом — а нынче утром она унесла мостки, и чью-то забытую лодку!"
RIVER_RETOLD = "Ещё вчера река шла под толстым льдом, а нынче утром она унесла мостки и забытую лодку."
LAMP = "Сторож зажёг лампу, сел у окна и до рассвета слушал, как в подвале капает вода."
OTHERS = [
    f"Слово номер {number} стоит на полке {number * 7} рядом с книгой {number * 13} года." for number in range(40)
]


def scene(text: str | None, lemmas: tuple[str, ...], source: str = "тетрадь.txt", start: int = 0) -> Scene:
    data: dict[str, object] = {
        "scene": "".join(lemmas),
        "hyperlexeme": lemmas,
        "span": {"source": source, "start": start, "end": start + 80},
    }
    if text is not None:
        data["modalities"] = {"text": text}
    return Scene.model_validate(data)


def test_a_new_passage_repeats_nothing() -> None:
    echoes = Echoes()
    assert echoes.add("1", RIVER) == Echo(None, None, 0.0)
    assert echoes.add("2", LAMP) == Echo(None, None, 0.0)


def test_other_punctuation_and_spelling_with_yo_are_an_exact_echo() -> None:
    echoes = Echoes()
    echoes.add("first", RIVER)
    echoes.add("lamp", LAMP)
    assert echoes.add("reprint", RIVER_REPRINTED) == Echo("exact", "first", 1.0)
    assert len(echoes) == 2


def test_a_few_changed_words_are_a_near_echo_of_the_most_similar() -> None:
    echoes = Echoes()
    echoes.add("first", RIVER)
    echo = echoes.add("retold", RIVER_RETOLD)
    assert (echo.kind, echo.of) == ("near", "first")
    assert 0.4 < echo.similarity < 0.9
    assert echoes.add("again", RIVER_RETOLD + " Жаль.").of == "retold"


def test_the_same_hyperlexeme_in_another_order_is_a_scene_echo() -> None:
    echoes = Echoes()
    echoes.add("1", RIVER, ("река", "лёд", "лодка"))
    assert echoes.add("2", LAMP, ("лодка", "река", "лед")) == Echo("scene", "1", 1.0)
    assert echoes.add("3", OTHERS[0], ("лодка",)) == Echo()


@pytest.mark.parametrize(
    ("one", "other", "akin"),
    [
        (("жар", "тишина"), ("жар", "вход"), 0),
        (("жар", "тишина"), ("жар", "тишина", "вход"), 1),
        (("жар", "тишина", "вход"), ("жар", "тишина", "мост"), 0),
        (("жар", "тишина", "вход", "мост"), ("жар", "тишина", "вход"), 1),
        (("жар", "тишина", "вход", "мост"), ("жар", "тишина", "вход", "крик"), 1),
        (("жар", "тишина", "вход", "мост"), ("жар", "тишина", "снег", "крик"), 0),
        (("жар", "тишина", "вход", "мост", "снег"), ("жар", "тишина", "вход"), 0),
    ],
)
def test_nearly_the_same_is_one_lemma_off(one: tuple[str, ...], other: tuple[str, ...], akin: int) -> None:
    echoes = Echoes()
    echoes.add("1", RIVER, one)
    echoes.add("2", LAMP, other)
    assert echoes.resonance().tolist() == [akin, akin]
    # A near echo that is akin as well is one link, not two.
    near = Echoes()
    near.add("1", RIVER, one)
    near.add("2", RIVER_RETOLD, other)
    assert near.resonance().tolist() == [1, 1]


def test_resonance_counts_every_linked_passage_once() -> None:
    echoes = Echoes()
    for number, text in enumerate([RIVER, RIVER_REPRINTED, RIVER_RETOLD, LAMP]):
        echoes.add(str(number), text, ("река", "лёд", "лодка") if number < 3 else ())
    echoes.add("scene", OTHERS[0], ("река", "лёд", "лодка"))
    assert echoes.resonance().tolist() == [3, 3, 0, 3]


@given(st.permutations(range(6)))
def test_the_counts_do_not_depend_on_the_order(order: list[int]) -> None:
    passages = [
        (RIVER, ("река", "лёд", "лодка")),
        (RIVER_RETOLD, ("река", "лёд", "мостки")),
        (RIVER_RETOLD + " Жаль.", ("река", "лодка")),
        (LAMP, ("лампа", "окно", "вода")),
        (OTHERS[0], ("река", "лодка")),
        (RIVER_REPRINTED, ("река", "лёд", "лодка")),
    ]
    echoes = Echoes()
    for number in order:
        echoes.add(str(number), *passages[number])
    resonance = echoes.resonance()
    counts = [int(resonance[echoes.row_of(*passage)]) for passage in passages]
    assert counts == [4, 3, 4, 0, 3, 4]


def test_the_index_grows_and_still_finds_the_first_passages() -> None:
    echoes = Echoes()
    echoes.add("river", RIVER, ("река", "лёд", "лодка"))
    words = [f"слово{number}" for number in range(60)]
    for number in range(2500):
        echoes.add(str(number), " ".join(words[(number * step) % 59] + str(number % step) for step in range(2, 22)))
    assert echoes.add("again", RIVER_REPRINTED).of == "river"
    assert echoes.add("retold", RIVER_RETOLD).of == "river"
    assert echoes.add("scene", LAMP, ("река", "лодка", "лёд")).of == "river"
    assert echoes.bytes_used() / len(echoes) < 900


def test_texts_without_words_are_told_apart_by_lemmas_or_characters() -> None:
    echoes = Echoes()
    assert echoes.add("1", "…", ("жар", "вход")).kind is None
    assert echoes.add("2", "—", ("мост", "туман")).kind is None
    assert echoes.add("3", "***", ("жар", "вход")) == Echo("exact", "1", 1.0)
    assert echoes.add("4", "⟁").kind is echoes.add("5", "🜂").kind is None
    assert echoes.add("6", "⟁").of == "4"


def test_words_lose_case_marks_and_punctuation() -> None:
    assert normal_words("Ёлка, за́мок — и 3 «Йода»!") == ["елка", "замок", "и", "3", "йода"]


def linked(*scenes: Scene) -> list[Scene]:
    return list(link_scenes(lambda: scenes, LinkCounts()))


def test_scenes_are_linked_and_the_rest_of_them_is_kept() -> None:
    counts = LinkCounts()
    scenes = [
        scene(RIVER, ("река", "лёд")),
        scene(LAMP, ("лампа", "вода"), start=100),
        scene(RIVER_REPRINTED, ("река", "лёд"), "журнал.txt", 7),
    ]
    first, lamp, reprint = link_scenes(lambda: scenes, counts)
    assert (counts.scenes, counts.echoes) == (3, {"new": 2, "exact": 1})
    assert first.model_dump(exclude_unset=True) == {**scenes[0].model_dump(exclude_unset=True), "resonance": 1}
    assert (lamp.resonance, lamp.echo) == (0, None)
    assert reprint.resonance == 1
    assert reprint.echo == EchoLink(kind="exact", of="тетрадь.txt:0-80", similarity=1.0)


def test_linking_what_is_linked_gives_the_same() -> None:
    once = linked(scene(RIVER, ("река", "лёд")), scene(RIVER_RETOLD, ("река", "лёд"), start=90))
    assert [one.to_json() for one in linked(*once)] == [one.to_json() for one in once]


def test_a_scene_is_called_by_its_id_or_its_place_or_its_number() -> None:
    bare = Scene(scene="жарвход")
    named = scene(LAMP, ("лампа", "вода")).model_copy(update={"id": "ab12"})
    found = linked(bare, bare, named, named)
    assert [one.echo.of if one.echo else None for one in found] == [None, "#1", None, "ab12"]
    assert found[0].to_json() == '{"scene":"жарвход","resonance":1}'


def test_scenes_that_change_between_the_two_readings_are_an_error() -> None:
    readings = iter([[scene(RIVER, ("река", "лёд"))], [scene(LAMP, ("лампа", "вода"))]])
    with pytest.raises(HyperBridgeError, match="the scenes changed while they were being linked"):
        list(link_scenes(lambda: next(readings), LinkCounts()))


def test_a_scene_without_a_text_is_its_prompt_form() -> None:
    assert passage_of(scene(None, ("жар", "вход"))) == "жар+вход"
    assert passage_of(scene(LAMP, ("жар", "вход"))) == LAMP
