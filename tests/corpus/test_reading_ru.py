"""What the Russian rules find in a passage."""

from __future__ import annotations

import pytest

from hyperbridge import Scene
from hyperbridge.corpus.building import read_text
from hyperbridge.corpus.parsing_ru import parse
from hyperbridge.corpus.segmentation_ru import words


def only(text: str, **given: str) -> Scene:
    (scene,) = read_text(text, **given)
    return scene


def test_prose_gives_who_does_what_where_and_in_what_key() -> None:
    scene = only("Старый рыбак медленно вытащил лодку на мокрый песок, и над озером поднялся туман.")
    found = scene.components
    assert (found.agent, found.act, found.field, found.tone) == ("рыбак", "вытащить", "мокрый песок", "старый")
    assert scene.scene == "".join(scene.hyperlexeme)
    assert 2 <= len(scene.hyperlexeme) <= 5


def test_verse_takes_the_noun_that_agrees_with_the_verb() -> None:
    scene = only("Молчит замёрзшая река,\nИ лес стоит в седом тумане,\nИ чья-то тёплая рука\nМеня из темноты поманит.")
    assert (scene.components.agent, scene.components.act) == ("река", "молчать")
    assert scene.hyperlexeme == ("река", "туман", "темнота")


def test_a_pronoun_stays_where_there_is_no_better_subject() -> None:
    assert only("Я долго сидел у тёмного окна и слушал, как шумит осенний дождь.").components.agent in {"я", "дождь"}
    assert only("Я долго сидел у тёмного окна и ничего не слушал, кроме тишины.").components.agent == "я"


def test_a_modal_gives_way_to_the_deed_and_a_negation_stays() -> None:
    assert only("Больной старик не мог заснуть в холодной комнате до самого рассвета.").components.act == "не заснуть"


def test_a_name_is_written_with_a_capital_and_stays_out_of_the_hyperlexeme() -> None:
    scene = only("Наташа вбежала в тёмную комнату, закрыла дверь и заплакала от обиды.")
    assert scene.components.agent == "Наташа"
    assert "Наташа" not in scene.hyperlexeme


@pytest.mark.parametrize(
    ("word", "lemma"), [("черный", "черный"), ("чёрный", "чёрный"), ("льда", "лёд"), ("слёзы", "слеза")]
)
def test_yo_is_written_as_the_text_writes_it(word: str, lemma: str) -> None:
    assert parse([[word]], tree=False)[0][0].lemma == lemma


def test_lemmas_follow_the_tag_of_the_sentence() -> None:
    tokens = parse([words("Дети ели кашу, а за окном шумели старые ели.")], tree=True)[0]
    assert [token.lemma for token in tokens if token.text == "ели"] == ["есть", "ель"]


@pytest.mark.parametrize(
    ("text", "register"),
    [
        ("Горло сжала боль, губы дрожали, холодный пот тёк по лицу и шее.", "телесный"),
        (
            "Если причина неизвестна, то вывод не доказан; следовательно, закон требует нового доказательства.",
            "логический",
        ),
        ("Смысл жизни не в счастье, а в свободе духа, в истине и вечности, и смерть бессильна.", "философский"),
        ("В некотором царстве жили-были старик со старухой, и был у них сын Иванушка.", "архетипический"),
        ("Почтальон поставил велосипед у забора, достал газету и постучал в окно.", "повествовательный"),
    ],
)
def test_the_register_is_told_from_the_words(text: str, register: str) -> None:
    scene = only(text)
    assert (scene.registers.primary, scene.meta.register_) == (register, register)


def test_a_folder_names_the_register_and_a_given_one_wins() -> None:
    text = "Почтальон поставил велосипед у забора, достал газету и постучал в окно."
    assert only(text, source="folk/tales.jsonl#3").registers.primary == "архетипический"
    assert only(text, source="essay/folk.txt").registers.primary == "философский"
    assert only(text, source="folk/tales.jsonl#3", register="инженер").registers.primary == "инженер"


def test_what_the_content_says_is_kept_as_secondary() -> None:
    scene = only("Горло сжала боль, губы дрожали, холодный пот тёк по лицу и шее.", source="poetry/x.txt")
    assert (scene.registers.primary, scene.registers.secondary) == ("поэтический", ("телесный",))
