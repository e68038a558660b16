"""Seams come from a file, from slovorez or from the components of an invented word."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from hyperbridge.errors import HyperBridgeError
from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer
from hyperbridge.tokenizer.morphemes import Seams, open_morphemes, seams_of_pretokens, with_lexicon

GOLD = '{"index": 7, "original": "порогами", "segmented": "порог|ами", "bmes": "BMMMEBME"}\n'
KNOWN = {"жаром": (3,), "порогами": (5,)}
SEAMS = Seams(lambda words: [KNOWN.get(word, ()) for word in words])


def written(folder: Path, text: str) -> str:
    (folder / "seams.txt").write_text(text, encoding="utf-8")
    return str(folder / "seams.txt")


@pytest.mark.parametrize("text", [GOLD, "порогами\tпорог|ами\n", "\ufeffпорогами\tпорог|ами\r\n\r\n"])
def test_a_file_tells_the_seams(tmp_path: Path, text: str) -> None:
    seams = open_morphemes(written(tmp_path, text))
    assert (seams("порогами"), seams("Порогами"), seams("порог")) == ((5,), (5,), ())
    assert seams.many(["порог", "порогами"]) == [(), (5,)]


def test_a_word_may_have_several_seams_or_none(tmp_path: Path) -> None:
    seams = open_morphemes(written(tmp_path, "загорелось\tза|гор|е|л|о|сь\nвход\tвход|\n"))
    assert (seams("загорелось"), seams("вход")) == ((2, 5, 6, 7, 8), ())


@pytest.mark.parametrize(
    "line",
    ["порогами", "порогами\tпорог|а", "порогами\t", "порогами\tпорог|ами\tлишнее", '{"original": "а"}'],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, f"вход\tвход\n{line}\n")
    with pytest.raises(HyperBridgeError, match=f"{path}:2: no word with its seams; write домами"):
        open_morphemes(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match=r"нет\.tsv: cannot be read"):
        open_morphemes(str(tmp_path / "нет.tsv"))


def test_seams_of_pretokens_are_offsets_in_their_own_alphabet(qwen: BaseTokenizer, mistral: BaseTokenizer) -> None:
    for base, word, at in ((qwen, qwen.spelled(" порогами"), 11), (mistral, "▁порогами", 6)):
        seams = seams_of_pretokens(SEAMS, [word], surface=base.surface, spelled=base.spelled)
        assert seams(word) == (at,)


def test_only_the_form_inside_a_sentence_has_a_vote(mistral: BaseTokenizer) -> None:
    forms = ["▁порогами", "порогами", "▁Порогами", "▁порогами,", "▁«порогами", "▁вход", "▁", ","]
    seams = seams_of_pretokens(SEAMS, forms, surface=mistral.surface, spelled=mistral.spelled)
    assert [seams(form) for form in forms] == [(6,), None, None, None, None, (), None, None]


def test_slovorez_knows_words_it_was_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("slovorez", reason="needs the package slovorez")
    monkeypatch.chdir(tmp_path)
    seams = open_morphemes("slovorez")
    assert seams("подводный") == (3, 6, 7)
    assert seams.many(["Подводный", "fire", "огонь", "1905"]) == [(3, 6, 7), (), (), ()]
    assert seams.many(["переподвыподвертами", "подводный"])[1] == (3, 6, 7)
    assert list(tmp_path.iterdir()) == []


def test_without_slovorez_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args, **kwargs):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(HyperBridgeError, match="pip install slovorez onnxruntime; or give a file of seams"):
        open_morphemes("slovorez")


def test_the_words_of_a_file_have_a_vote_where_no_text_has_them(tmp_path: Path, mistral: BaseTokenizer) -> None:
    seams = open_morphemes(written(tmp_path, GOLD + "вход\tвход\n"))
    words = with_lexicon({"▁вход": 7, ",": 2}, seams, spelled=mistral.spelled)
    assert words == {"▁вход": 7, ",": 2, "▁порогами": 0}
