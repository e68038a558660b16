"""`hyperbridge corpus eval` on a treebank and plays of a few lines each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

# Word, lemma, part of speech, head, relation; "s5" and "s6" are of the held-out half, "s1" is not.
SENTENCES = {
    "s1": [("Кузнец", "кузнец", "NOUN", 2, "nsubj"), ("молчит", "молчать", "VERB", 0, "root")],
    "s5": [
        ("Мельник", "мельник", "NOUN", 2, "nsubj"),
        ("закрыл", "закрыть", "VERB", 0, "root"),
        ("ставни", "ставня", "NOUN", 2, "obj"),
    ],
    "s6": [
        ("Старая", "старый", "ADJ", 2, "amod"),
        ("лодка", "лодка", "NOUN", 3, "nsubj"),
        ("утонула", "утонуть", "VERB", 0, "root"),
    ],
}
FORMS = {"VERB": "Mood=Ind|VerbForm=Fin"}
SPEECHES = ("Кто открыл дверь?", "Ветер, хозяйка.", "Тогда закрой её.", "Уже закрыл.", "И свет погаси.", "Погасил.")


def treebank(folder: Path) -> None:
    blocks = []
    for name, words in SENTENCES.items():
        rows = [
            "\t".join((str(number), word, lemma, part, "_", FORMS.get(part, "_"), str(head), relation, "_", "_"))
            for number, (word, lemma, part, head, relation) in enumerate(words, start=1)
        ]
        blocks.append("\n".join((f"# sent_id = {name}", f"# text = {' '.join(word for word, *_ in words)}", *rows)))
    folder.mkdir(parents=True)
    (folder / "мельница-ud-test.conllu").write_text("\n\n".join(blocks) + "\n\n", encoding="utf-8")


def play(path: Path) -> None:
    records: list[dict[str, str]] = []
    for number, text in enumerate(SPEECHES * 3):
        if number % 6 == 0:
            records.append({"type": "boundary", "level": "scene", "title": "Явление"})
            records.append({"type": "stage", "text": "Мельница. Входит хозяйка."})
        records.append({"type": "speech", "speaker": ("ХОЗЯЙКА", "МЕЛЬНИК")[number % 2], "text": text})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in records) + "\n", encoding="utf-8")


def test_a_treebank_and_plays_give_their_tables(call, tmp_path: Path) -> None:
    treebank(tmp_path / "gold" / "ud")
    play(tmp_path / "gold" / "drama" / "пьеса-0.jsonl")
    said = call("corpus", "eval", "--gold", tmp_path / "gold", "-o", tmp_path / "figures.json")
    assert said.code == 0
    found = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    components, *boundaries = found.values()
    assert len(boundaries) == 2
    assert {row["sentences"] for row in components} == {"2"}
    assert {(row["slot"], row["F1"]) for row in components if row["way"] == "reader"} == {
        ("agent", "1.000"),
        ("act", "1.000"),
    }
    assert [row["way"] for row in boundaries[0]] == ["found", "random", "even"]
    for title in found:
        assert title in said.out
    assert "WindowDiff" in said.out


def test_a_folder_without_gold_is_one_line(call, tmp_path: Path) -> None:
    empty = tmp_path / "пусто"
    empty.mkdir()
    assert call("corpus", "eval", "--gold", empty).error.startswith(f"error: {empty}: nothing to measure on below ")
    said = call("corpus", "eval", "--gold", empty, "--only", "plys").error
    assert said.startswith("error: --only plys: did you mean 'plays'")
    assert call("corpus", "eval", "--gold", tmp_path / "нет").error.startswith(f"error: {tmp_path / 'нет'}: no such")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ud/a.conllu", "1\tсвет\n", r"1: 2 columns in a line of CoNLL-U, not 10; is it a treebank?"),
        ("drama/пьеса-0.jsonl", '{"type":"speech"}\n', "1: not a record of a play; give lines of type"),
        ("drama/пьеса-2.jsonl", "", "no held-out play among the files"),
    ],
)
def test_what_is_no_gold_is_one_line(call, tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    assert message in call("corpus", "eval", "--gold", tmp_path).error


@pytest.mark.parametrize("name", ["ud/a.conllu", "drama/пьеса-0.jsonl", "emotion/cedr_train.jsonl"])
def test_gold_that_is_not_utf8_is_one_line(call, tmp_path: Path, name: str) -> None:
    path = tmp_path / "gold" / name
    path.parent.mkdir(parents=True)
    path.write_bytes("# sent_id = a\n# text = Свет погас.\n".encode("cp1251"))
    assert f"{name}:2: not UTF-8 at byte" in call("corpus", "eval", "--gold", tmp_path / "gold").error


def test_plays_without_a_scene_are_one_line(call, tmp_path: Path) -> None:
    path = tmp_path / "gold" / "drama" / "пьеса-0.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"type":"speech","speaker":"МЕЛЬНИК","text":"Свет погас."}\n', encoding="utf-8")
    assert "no play with an act or a scene" in call("corpus", "eval", "--gold", tmp_path / "gold").error


def tales(folder: Path) -> None:
    tale = {"number": 3, "text": "Царевич женился на мельниковой дочери, и сыграли они весёлую свадьбу на весь мир."}
    annotated = {"number": 3, "title_en": "Miller", "moves": [{"functions": ["W"]}]}
    for name, record in (("folk/сказки.jsonl", tale), ("annotation/propp_functions.jsonl", annotated)):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")


def emotions(path: Path) -> None:
    rows = [("Поезд пришёл на станцию.", []), ("Мне страшно, я дрожу от ужаса!", ["fear"])]
    lines = (json.dumps({"text": text, "labels": labels, "source": "lj"}, ensure_ascii=False) for text, labels in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_what_is_asked_for_alone_is_measured(call, tmp_path: Path) -> None:
    tales(tmp_path)
    emotions(tmp_path / "cedr.jsonl")
    said = call("corpus", "eval", "--gold", tmp_path, "--only", "tension", "--only", "archetypes", "-o", tmp_path / "f")
    assert said.code == 0
    archetypes, tension = json.loads((tmp_path / "f").read_text(encoding="utf-8")).items()
    assert archetypes[0] == "Archetypes of tales, against Propp's functions"
    assert archetypes[1][0] == {
        "tale": "Miller",
        "functions heard": "1 of 1",
        "archetypes": "1 for 2",
        "precision": "1.000",
        "recall": "0.500",
        "F1": "0.667",
    }
    assert [(row["emotion"], row["tension"]) for row in tension[1]] == [("страх", "1.000")]


def test_a_part_without_its_files_is_told_with_what_it_wants(call, tmp_path: Path) -> None:
    emotions(tmp_path / "cedr.jsonl")
    said = call("corpus", "eval", "--gold", tmp_path, "--only", "archetypes").error
    assert said.endswith("wanted is any of propp_functions*.jsonl with folk/*.jsonl (archetypes)")
