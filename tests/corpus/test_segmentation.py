"""Passages are whole sentences or whole lines of verse, cut where the span says; what is no text has a reason."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hyperbridge.corpus.cleaning import clean
from hyperbridge.corpus.documents import Document
from hyperbridge.corpus.segmentation import Passage, count_words, segment
from hyperbridge.corpus.segmentation_ru import LAYOUT

STANZAS = """ЗИМНИЙ ПУТЬ

Над полем тихо гаснет свет,
И снег ложится на дорогу;
Усталый конь уносит след
К родному старому порогу.

Молчит замёрзшая река,
И лес стоит в седом тумане,
И чья-то тёплая рука
Меня из темноты поманит.

3 марта 1911
"""


def cut(text: str) -> tuple[list[Passage], Counter[str]]:
    dropped: Counter[str] = Counter()
    return list(segment(Document("проба.txt", text), LAYOUT, lambda reason: dropped.update([reason]))), dropped


def test_verse_is_cut_into_stanzas_and_its_title_and_date_are_dropped() -> None:
    passages, dropped = cut(STANZAS)
    assert [passage.kind for passage in passages] == ["verse", "verse"]
    assert passages[0].text.split("\n")[::3] == ["Над полем тихо гаснет свет,", "К родному старому порогу."]
    assert dropped == {"heading": 1, "number or date": 1}


def test_a_poem_right_under_a_paragraph_loses_no_line() -> None:
    prose = "Мать сняла со стены гитару и тихо запела ту песню, что знала с самого раннего детства."
    stanza = STANZAS.split("\n")[2:6]
    stanza[2] = "Усталый конь уносит след"  # might be a title
    passages, dropped = cut("\n".join([*[prose] * 9, *stanza]))
    assert [passage.kind for passage in passages] == ["prose"] * 9 + ["verse"]
    assert passages[-1].text.split("\n") == stanza
    assert not dropped


def test_a_long_stanza_is_cut_at_sentence_ends() -> None:
    lines = [line for line in STANZAS.split("\n")[2:-2] if line]
    passages, _ = cut("\n".join(lines * 2))
    assert [len(passage.text.split("\n")) for passage in passages] == [4, 4, 4, 4]
    assert all(passage.text.endswith(".") for passage in passages)


def test_couplets_join_into_one_passage() -> None:
    passages, _ = cut(
        "Над полем тихо гаснет свет,\nИ в доме никого уж нет.\n\nМолчит замёрзшая река,\nИ ночь темна и далека.\n"
    )
    assert [count_words(passage.text) for passage in passages] == [19]


def test_prose_keeps_sentences_whole_and_paragraphs_apart() -> None:
    passages, _ = cut(
        "Старый рыбак вытащил лодку на песок. Над озером поднимался густой туман. "
        "Он долго слушал тишину и ждал рассвета.\n"
        "Утром пришла его дочь и принесла хлеба, молока и горячей картошки в чугунке."
    )
    assert [passage.text[:12] for passage in passages] == ["Старый рыбак", "Утром пришла"]
    assert passages[0].text.endswith("рассвета.")


def test_tiny_lines_of_dialogue_join_across_paragraphs() -> None:
    passages, _ = cut(
        "— Пора домой, — сказала она.\n\n— Ещё минуту, — ответил старик.\n\n— Ужин остынет, и мать рассердится.\n"
    )
    assert [passage.text.count("\n") for passage in passages] == [2]


def test_hard_wrapped_prose_is_joined() -> None:
    passages, dropped = cut(
        "     Утром  над  деревней  стоял  такой густой и тёплый туман, что\n"
        "не  было  видно  ни  колодца, ни старой ивы. Мальчик вышел на порог\n"
        "и стал звать собаку.\n"
        "     Собака не отзывалась, и он пошёл искать её к реке, где вчера\n"
        "они вдвоём ловили рыбу до самых сумерек.\n"
    )
    assert [passage.text.split(" ")[0] for passage in passages] == ["Утром", "Собака"]
    assert not any("\n" in passage.text or "  " in passage.text for passage in passages)
    assert not dropped


def test_what_is_no_text_is_dropped_with_its_reason() -> None:
    _, dropped = cut(
        "СОДЕРЖАНИЕ\nПервая тетрадь\nВторая тетрадь\n\nГлава I\n\nXIV\n\n"
        "The quick brown fox jumps over the lazy dog again.\n\n"
        "Да, да.\n\nНа крышахъ лежалъ бѣлый снѣгъ, и старый домъ стоялъ тихо и глухо, "
        "и никто не выходилъ за ворота до самой весны.\n\n"
        "Примечания\n\nЭто слово автор вписал в рукопись поверх другого, уже зачёркнутого слова."
    )
    assert dropped == {
        "table of contents": 3,
        "heading": 1,
        "number or date": 1,
        "another alphabet": 1,
        "shorter than 8 words": 1,
        "old spelling or a related language": 1,
        "editor's note": 2,
    }


def test_a_sentence_too_long_for_a_passage_is_dropped() -> None:
    passages, dropped = cut("И " + "ещё один день прошёл, " * 30 + "и всё.")
    assert (passages, dropped) == ([], {"a sentence longer than 90 words": 1})


SNIPPET = st.sampled_from(
    ["Вечер. ", "\n", "\n\n", "— Да, — сказал он тихо. ", "Он шёл по тёмной дороге, и снег скрипел под ногами. ", " ",
     "И ветер гнал\n", "Тень\n", "&nbsp;", "о́", "[3]", "«", "XII\n", "* * *\n", "fin de siècle ", "\u00ad", "\x85",
     "\ufeff", "Содержание\n"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(SNIPPET | st.text(max_size=8), max_size=40).map("".join))
def test_any_text_is_cut_into_spans_that_are_in_order_and_clean_to_their_passages(text: str) -> None:
    passages, _ = cut(text)
    position = 0
    for passage in passages:
        assert position <= passage.start < passage.end <= len(text)
        assert clean(text[passage.start : passage.end]).split() == passage.text.split()
        position = passage.end
