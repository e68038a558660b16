"""Which registers a passage is heard in, and what decides."""

from __future__ import annotations

import numpy as np
import pytest

from hyperbridge.corpus.parsing_ru import Token, parse
from hyperbridge.corpus.registers_ru import (
    ParsedPassage,
    Registers,
    body_share,
    classify_all,
    with_neighbours,
)
from hyperbridge.corpus.segmentation_ru import sentences, words

VERSE = (
    "Над тихой рекою туман голубой, и звёзды дрожат над уснувшей водой, "
    "и сердце тоскует о песне былой, о юной мечте, что ушла за тобой; "
    "а ветер ночной шелестит камышом, и плачет душа о далёком, родном."
)
LAW = (
    "Заявление рассматривается в течение десяти дней. Гражданин вправе обжаловать решение органа в суд "
    "в порядке, установленном законом; срок исполнения решения не может превышать одного месяца."
)
TALE = (
    "Жил-был старик со старухой, и было у них три сына: двое умных, а третий дурак. Вот говорит старик сыновьям: "
    "«Подите, дети, в дремучий лес, добудьте мне живой воды». Сел дурак на доброго коня и поехал за царевной."
)
THOUGHT = (
    "Человек ищет смысл жизни вне себя, а между тем истина и свобода открываются только в его разуме и совести. "
    "Вера без любви мертва, и нравственный закон есть не принуждение, а сущность самого духа."
)
STORY = (
    "Капитан вошёл в комнату, снял мокрую шинель и сел к столу. — Вы давно приехали? — спросила хозяйка, "
    "не глядя на него. Он хотел ответить, но дверь отворилась, и вошёл доктор с письмом."
)
BODY = "Горло сжала боль, губы дрожали, холодный пот тёк по лицу и шее."


def parsed(text: str, source: str = "", *, verse: bool = False, given: str | None = None) -> ParsedPassage:
    found = parse([words(text[start:end]) for start, end in sentences(text)], tree=False)
    return ParsedPassage([token for sentence in found for token in sentence], source, verse, given)


def registers(text: str, source: str = "", *, verse: bool = False, given: str | None = None) -> Registers:
    (found,) = classify_all([parsed(text, source, verse=verse, given=given)])
    return found


@pytest.mark.parametrize(
    ("text", "register"),
    [
        (VERSE, "поэтический"),
        (LAW, "логический"),
        (TALE, "архетипический"),
        (THOUGHT, "философский"),
        (STORY, "повествовательный"),
        (BODY, "телесный"),
    ],
)
def test_the_content_tells_the_register(text: str, register: str) -> None:
    found = registers(text)
    assert (found.primary, found.method) == (register, "content")
    assert 0.4 < found.confidence <= 1


def test_a_given_register_wins_over_a_folder_and_a_folder_over_the_content() -> None:
    given, folder = registers(LAW, "folk/x.txt", given="инженер"), registers(LAW, "folk/x.txt")
    assert (given.primary, given.confidence, given.method) == ("инженер", 1.0, "given")
    assert (folder.primary, folder.confidence, folder.method) == ("архетипический", 1.0, "folder")


def test_where_the_folder_decides_the_content_is_heard_beside_it() -> None:
    assert registers(LAW, "folk/x.txt").secondary[0] == "логический"
    assert registers(BODY, "poetry/x.txt").secondary[0] == "телесный"


def test_verse_layout_makes_verse_surer_but_law_stays_law() -> None:
    plain, laid_out = registers(VERSE), registers(VERSE, verse=True)
    assert (laid_out.primary, laid_out.method) == ("поэтический", "layout")
    assert laid_out.confidence >= plain.confidence
    assert registers(LAW, verse=True).primary == "логический"


def test_a_register_is_never_heard_beside_itself() -> None:
    for text in (VERSE, LAW, TALE, THOUGHT, STORY, BODY):
        found = registers(text)
        assert found.primary not in found.secondary
        assert len(found.secondary) <= 2


def test_names_do_not_tell_the_register() -> None:
    known = registers(STORY)
    renamed = registers(STORY.replace("Капитан", "Онуфрий"))
    assert renamed.primary == known.primary


def test_a_short_passage_is_told_with_its_neighbours_and_a_long_one_alone() -> None:
    law, short = parsed(" ".join([LAW] * 4)), parsed("Он кивнул и вышел.")
    alone, beside_law = classify_all([short])[0], classify_all([law, short, law])[1]
    assert alone.primary != "логический"
    assert beside_law.primary == "логический"
    long = [parsed(" ".join([text] * 8)) for text in (VERSE, LAW, TALE, STORY)]
    assert classify_all(long) == [classify_all([passage])[0] for passage in long]
    assert classify_all([]) == []


def test_the_share_of_the_body_counts_six_words_at_least() -> None:
    hand = Token("рука", "рука", "NOUN", frozenset({"NOUN"}))
    assert body_share([hand]) == pytest.approx(1 / 6)
    assert body_share([]) == 0.0


def test_words_around_count_a_quarter_of_its_own_and_no_more_than_fill_180_words() -> None:
    own, other = np.array([1.0, 0, 0, 0, 0]), np.array([0, 0, 0, 0, 1.0])
    even = with_neighbours(np.array([other, own, other]), [60, 60, 60])
    assert even[1] == pytest.approx([2 / 3, 0, 0, 0, 1 / 3])
    assert even[0] == pytest.approx([60 * 0.25 / 90, 0, 0, 0, 75 / 90])
    long = with_neighbours(np.array([other, own, other]), [400, 140, 400])
    assert long[1] == pytest.approx([140 / 150, 0, 0, 0, 10 / 150])
    assert with_neighbours(np.array([own]), [0]) == pytest.approx(np.array([own]))


def test_a_passage_that_leaves_the_register_of_its_document_is_still_told_by_its_own_words() -> None:
    story = parsed(" ".join([STORY] * 2))
    assert classify_all([story, parsed(" ".join([LAW] * 2)), story])[1].primary == "логический"


def test_verse_in_one_line_is_told_by_its_rhymes() -> None:
    rhymed = (
        "Купил сосед вчера забор, поставил вдоль него прибор, и мерит, сколько за окном прохожих тащится с мешком. "
        "Потом садится он к столу, кладёт линейку на полу и пишет в толстую тетрадь, кого и сколько надо ждать."
    )
    assert registers(rhymed).primary == "поэтический"
