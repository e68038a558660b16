"""Signals of a scene change in Russian: who, where, when, the words, the talk."""

from hyperbridge.corpus import parsing_ru, segmentation_ru
from hyperbridge.corpus.boundaries_ru import (
    PLAY,
    PROSE,
    SPEECHES,
    Traces,
    Unit,
    find_boundaries,
    gap_scores,
    gap_signals,
    traces_of,
)
from hyperbridge.corpus.languages import Opening

STORY = [
    "Иван сидел в избе у печи и чинил старую сеть.",
    "— Долго ещё? — спросила его Марья и поставила на стол хлеб.",
    "— Сеть гнилая, — ответил Иван. — К вечеру починю.",
    "Марья села у печи и долго смотрела, как он чинит сеть.",
    "На другой день полковник Орлов вышел из штаба и велел подать коня.",
    "Адъютант подвёл коня, и полковник поехал вдоль полков по мёрзлой дороге.",
    "Солдаты кричали ура, полковник молчал и смотрел на дорогу.",
    "Адъютант ехал за ним и считал солдат.",
]


def unit(text: str, **given: object) -> Traces:
    sentences = [segmentation_ru.words(text[start:end]) for start, end in segmentation_ru.sentences(text)]
    return traces_of(Unit(parsing_ru.parse(sentences, tree=False), **given))  # type: ignore[arg-type]


def paragraphs(count: int) -> list[Opening]:
    return ["paragraph"] * count


def test_the_change_of_place_time_and_agents_scores_highest():
    scores = gap_scores([unit(text) for text in STORY], paragraphs(8), PROSE)
    assert scores.index(max(scores)) + 1 == 4


def test_signals_of_a_change_in_prose():
    change, talk = (gap_signals([unit(text) for text in STORY], paragraphs(8))[number] for number in (3, 1))
    assert (change["time_first"], change["named_first"], change["talk_on"]) == (1.0, 1.0, 0.0)
    assert (talk["talk_on"], talk["asks"], talk["time_first"]) == (1.0, 0.0, 0.0)
    assert change["agents_shift"] == 1.0
    assert change["words_shift"] > talk["words_shift"]


def test_agents_of_a_play_are_its_speakers_however_their_names_are_printed():
    units = [unit("Да.", speaker=name) for name in ("Анна.", "Пётр", "АННА", "Пётр", "Судья", "Писарь", "Судья")]
    signals = gap_signals(units, paragraphs(len(units)))
    assert signals[3]["agents_shift"] == 1.0
    assert (signals[3]["arrives"], signals[3]["leaves"]) == (1.0, 1.0)
    assert signals[1]["arrives"] < 1.0


def test_a_direction_that_names_who_is_there_begins_a_scene_of_a_play():
    spoken = [unit("Не знаю, право.", speaker=name) for name in ("Анна", "Пётр") * 4]
    entrance = unit("Те же и почтальон.", stage=True)
    after = [unit("Вам письмо.", speaker="Почтальон"), unit("Откуда?", speaker="Анна"), *spoken[:6]]
    scores = gap_scores([*spoken, entrance, *after], paragraphs(17), PLAY)
    assert scores.index(max(scores)) + 1 == len(spoken)


def test_new_speakers_alone_show_a_scene_where_directions_are_missing():
    one = [unit("Пора ужинать, хлеб на столе.", speaker=name) for name in ("Анна", "Пётр") * 12]
    other = [unit("Полк выступает утром к реке.", speaker=name) for name in ("Судья", "Писарь") * 12]
    (found,) = find_boundaries([*one, *other], paragraphs(48), SPEECHES)
    assert abs(found - 24) <= 1


def test_no_scene_begins_inside_a_paragraph_and_a_heading_always_begins_one():
    units, openings = [unit(text) for text in STORY], paragraphs(8)
    openings[4] = "sentence"
    assert gap_scores(units, openings, PROSE)[3] == float("-inf")
    openings[6] = "heading"
    assert find_boundaries(units, openings, PROSE) == [6]


def test_a_text_of_one_unit_has_no_gap():
    assert gap_signals([unit(STORY[0])], paragraphs(1)) == []
    assert find_boundaries([unit(STORY[0])], paragraphs(1), PROSE) == []
    assert find_boundaries([], [], PROSE) == []


def test_a_window_forgets_what_lies_behind_it():
    units = [unit("Да, снег идёт.", speaker=name) for name in ["Анна"] * 30 + ["Пётр"] * 30 + ["Анна"] * 30]
    shifts = [signals["agents_shift"] for signals in gap_signals(units, paragraphs(90))]
    assert [number + 1 for number, shift in enumerate(shifts) if shift == 1.0] == [30, 60]
    assert shifts[14] == shifts[44] == shifts[74] == 0.0
