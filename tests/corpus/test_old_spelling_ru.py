"""Spelling of before 1918 becomes today's where letters alone decide it, and only there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperbridge.corpus.old_spelling_ru import normalise_old_spelling


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Въ лѣсу жилъ бѣдный дровосѣкъ.", "В лесу жил бедный дровосек."),
        ("Ѳедоръ помазанъ мѵромъ; Еѵангеліе.", "Федор помазан миром; Евангелие."),
        ("новаго дома, синяго моря, хорошаго дня", "нового дома, синего моря, хорошего дня"),
        ("случившагося, показавшіяся, боящіяся", "случившегося, показавшиеся, боящиеся"),
        ("красныя ленты и русскія пѣсни, послѣднія дни", "красные ленты и русские песни, последние дни"),
        ("Онѣ взяли ея платокъ, однѣ безъ нея.", "Они взяли ее платок, одни без нее."),
        ("безконечный, безсонница, обезпечить, черезчуръ", "бесконечный, бессонница, обеспечить, чересчур"),
        ("разсказъ, возставшій, изслѣдовать, предразсудокъ", "рассказ, восставший, исследовать, предрассудок"),
        (
            "какія тонкія, высокія горы; предразсудокъ; прійдетъ жь",
            "какие тонкие, высокие горы; предрассудок; придет ж",
        ),
        ("съиграть, съумѣть, подъѣхать, двухъэтажный", "сыграть, суметь, подъехать, двухэтажный"),
        ("изъ-подъ земли, г-нъ маіоръ", "из-под земли, г-н майор"),
        ("НОВАГО ДОМА, ЕЯ, Ея, БЕЗПОКОЙСТВО", "НОВОГО ДОМА, ЕЕ, Ее, БЕСПОКОЙСТВО"),
        ("Россiя и Iоаннъ, пр╕ѣхалъ", "Россия и Иоанн, приехал"),
    ],
)
def test_old_letters_and_endings_become_todays(old: str, new: str) -> None:
    assert normalise_old_spelling(old) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Россія, линія, религія, молнія", "Россия, линия, религия, молния"),
        ("для знанія и отличія, Божія воля", "для знания и отличия, Божия воля"),
        ("звѣзды и мёдъ", "звезды и мёд"),
    ],
)
def test_what_letters_do_not_decide_stays(old: str, new: str) -> None:
    assert normalise_old_spelling(old) == new


@pytest.mark.parametrize(
    "text",
    [
        "Съезд объявил бесконечный рассказ; подъём, благо, Чикаго, низший, безвкусный, разъехались.",
        "Россия и Англия, синие линии; II век, vis-à-vis, i.e. это",
        "",
        "...!? — «»\n\n\t🜂 42",
    ],
)
def test_todays_spelling_comes_back_as_it_was(text: str) -> None:
    assert normalise_old_spelling(text) == text


@given(st.text(alphabet="абезсяіѣъѵіюи -\n.Iѳ"))
def test_space_and_points_stay_and_a_second_time_changes_nothing_gone(text: str) -> None:
    new = normalise_old_spelling(text)
    assert [each for each in new if each in " -\n."] == [each for each in text if each in " -\n."]
    assert not set(new) & set("іѣѳѵ")
