"""Whatever is given to the reader, it makes scenes that lie where they say, or it refuses in one line."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.corpus.building import build_scenes
from hyperbridge.corpus.documents import Document, read_documents
from hyperbridge.corpus.segmentation import passage_text

CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
SENTENCES = (
    "Старый мельник закрыл ставни, зажёг лампу и долго слушал, как вода бьёт в колесо.",
    "— Кто там? — спросила хозяйка и не открыла дверь ни соседу, ни ветру.",
    "Снег падал на пустую площадь; фонарь качался, и тень его бежала по стене!",
    "В 1843 году, 5 мая, лодка ушла за косу, и больше её никто не видел…",
)
VERSE = ("Над рекой стоит туман,", "Ходит по мосту обман,", "А за мостом тишина", "И дорога не видна.")
OTHERS = (
    "The old miller closed the shutters and listened to the water all night long.",
    "Der Fluss trägt das Brot, und niemand fragt den Wind nach seinem Namen.",
    "Старий мельник зачинив віконниці й довго слухав, як вода б'є в колесо.",
    "Старата воденица стои до реката и чака някой да запали лампата вечер.",
    "老磨坊主关上百叶窗，点上灯，整夜听着水声。",
)
RIGHT_TO_LEFT = ("القارب القديم عاد إلى الشاطئ قبل الفجر", "הסירה הישנה חזרה אל החוף לפני עלות השחר")
SIGNS = ".,!?…;:—–-«»\"'()[]{}*#_~|/\\<>&=+@%^`$№§"
MARKUP = ("<p>", "</section>", "<![CDATA[", "]]>", "&#xD800;", "&#0;", "&nbsp;", "&bad;", "```", "<!--", "---\n", "[1]")


def some(rng: random.Random, alphabet: str, longest: int) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(1, longest)))


def prose(rng: random.Random, count: int = 6) -> str:
    return rng.choice((" ", "\n", "\n\n")).join(rng.choices(SENTENCES, k=count))


def pseudo_words(rng: random.Random) -> str:
    return "".join(some(rng, CYRILLIC, 12) + rng.choice((" ", " ", " ", ", ", ". ", ".\n")) for _ in range(150))


def with_marks(rng: random.Random) -> str:
    """Combining marks over letters, one after a space, and a pile of them."""
    marked = "".join(char + rng.choice(("", "", "\u0301", "\u0306", "\u20dd")) for char in prose(rng))
    return " \u0301" + marked + "\u0300" * rng.randint(0, 300)


def with_signs_between(rng: random.Random, signs: str) -> str:
    text = list(prose(rng))
    for _ in range(40):
        text.insert(rng.randrange(len(text)), rng.choice(signs))
    return "".join(text)


def mixed(rng: random.Random) -> str:
    pieces = [*SENTENCES, *VERSE, *OTHERS, *RIGHT_TO_LEFT, *MARKUP, "\n", "\n\n", "\t", "\r", "\x00", "😀", "\ufeff"]
    return "".join(rng.choices(pieces, k=60))


KINDS: dict[str, Callable[[random.Random], str]] = {
    "empty": lambda rng: rng.choice(("", " ", "\n" * 9, "\ufeff", "\u200b\n\u00a0")),
    "Latin letters of random bytes": lambda rng: rng.randbytes(600).decode("latin-1"),
    "Cyrillic letters": lambda rng: some(rng, CYRILLIC + CYRILLIC.upper() + "  \n.,", 3000),
    "words that are none": pseudo_words,
    "punctuation": lambda rng: some(rng, SIGNS + " \n", 2000),
    "digits": lambda rng: some(rng, "0123456789 .\n", 2000),
    "other languages": lambda rng: "\n\n".join(rng.choices(OTHERS, k=6)),
    "right to left": lambda rng: " ".join(rng.choices((*RIGHT_TO_LEFT, *SENTENCES, "\u200f", "\u202e"), k=12)),
    "emoji": lambda rng: with_signs_between(rng, "😀🜂⟁👩‍👧‍👦🇷🇺❤\ufe0f\U0001f3fd"),
    "combining marks": with_marks,
    "control characters": lambda rng: with_signs_between(rng, "\x00\x01\x07\x0b\x0c\x1b\x7f\x85\u2028\u2029\ufffe"),
    "no spaces": lambda rng: prose(rng, 20).replace(" ", ""),
    "capitals": lambda rng: prose(rng).upper(),
    "a letter a line": lambda rng: "\n".join(prose(rng, 2)),
    "verse": lambda rng: "\n".join(rng.choices((*VERSE, "", "* * *", "I", "1836"), k=60)),
    "headings": lambda rng: "\n\n".join(rng.choices(("Глава первая", "IV", "12", "СОДЕРЖАНИЕ", "Примечания"), k=30)),
    "talk": lambda rng: "\n".join(rng.choices(("— Да.", "— Нет?!", "— …", "—", "- Кто там? - Я."), k=60)),
    "old spelling": lambda rng: prose(rng).replace("е", "ѣ").replace("л ", "лъ "),
    "markup": lambda rng: "".join(rng.choices((*MARKUP, *SENTENCES), k=40)),
    "mixed": mixed,
}

FICTION_BOOK = (
    "<?xml version='1.0'?><FictionBook><body><section><title><p>{}</p></title><p>{}</p></section></body></FictionBook>"
)


def as_file(text: str, suffix: str, rng: random.Random) -> bytes:
    """The text as a file of a format, every third time broken off somewhere."""
    lines = text.split("\n")
    if suffix == ".jsonl":
        halves = rng.choice(("", "\ud800", "\udfff\ud83d"))
        text = "\n".join(json.dumps({"text": line + halves, "title": halves}) for line in (text, *lines[:3]))
    elif suffix == ".fb2":
        text = FICTION_BOOK.format(escape(lines[0]), "</p><p>".join(map(escape, lines)))
    elif suffix == ".html":
        text = f"<html><body><h1>{lines[0]}</h1><p>{'<br>'.join(lines)}</p></body></html>"
    elif suffix == ".md":
        text = f"# {lines[0]}\n\n> {text}\n\n* {lines[-1]}\n"
    raw = text.encode(rng.choice(("utf-8", "utf-8", "utf-16", "cp1251")), "replace")
    return raw[: rng.randrange(len(raw) + 1)] if rng.random() < 0.3 else raw


def check(path: Path, *, old_spelling: bool = False) -> int:
    """Read a file and hold every scene against the text it was cut from; how many there are."""
    refusal, documents, scenes = "", [], []
    try:
        documents = list(read_documents([path], old_spelling=old_spelling))
        scenes = list(build_scenes(documents))
    except HyperBridgeError as error:
        refusal = str(error)
    assert len(refusal.splitlines()) <= 1
    texts = {document.source: document.text for document in documents}
    for scene in scenes:
        assert scene.span is not None
        assert scene.modalities is not None
        raw = texts[scene.span.source][scene.span.start : scene.span.end]
        assert scene.modalities.text in {passage_text(raw, "prose"), passage_text(raw, "verse")}
        assert scene.to_json().encode()
    return len(scenes)


@pytest.mark.parametrize("kind", KINDS)
def test_any_text_in_any_format_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    for number, suffix in enumerate(
        (".txt", ".txt", ".txt", ".txt", ".md", ".md", ".html", ".fb2", ".jsonl", ".jsonl")
    ):
        rng = random.Random(f"{kind} {number}")
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(as_file(KINDS[kind](rng), suffix, rng))
        check(path, old_spelling=number % 2 == 1)


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".fb2", ".jsonl", ".epub", ".xml", ".fb2.zip", ".txt.gz"])
def test_random_bytes_are_read_or_refused(suffix: str, tmp_path: Path) -> None:
    for seed in range(5):
        path = tmp_path / f"{seed}{suffix}"
        path.write_bytes(random.Random(seed).randbytes(400))
        check(path)


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".md", "[" * 20_000),
        (".md", ">" * 5_000 + " x"),
        (".md", "*a " * 20_000),
        (".md", "---\n" * 20_000),
        (".html", "<div>" * 50_000 + SENTENCES[0]),
        (".html", "<b" * 50_000),
        (".fb2", "<FictionBook><body>" + "<section>" * 5_000),
        (".xml", "<TEI><text>" + "<div>" * 5_000),
        (".jsonl", "[" * 100_000),
    ],
)
def test_deep_and_unclosed_markup_is_read_or_refused(suffix: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / f"deep{suffix}"
    path.write_text(text, encoding="utf-8")
    check(path)


def test_a_good_text_is_not_refused(tmp_path: Path) -> None:
    """The checks above hold for nothing at all; this one shows that they see scenes."""
    (tmp_path / "a.txt").write_text("\n\n".join(SENTENCES), encoding="utf-8")
    assert check(tmp_path / "a.txt") == 4


LONG_LINES = {
    "sentences": lambda: " ".join(SENTENCES) * 600,
    "no full stop": lambda: "мельник слушал воду " * 10_000,
    "no space": lambda: "мельник" * 30_000,
    "a long word in a sentence": lambda: SENTENCES[0].replace("лампу", "лампу" * 40_000),
    "short numbers": lambda: "слово 12, дело 34. " * 10_000,
    "one number": lambda: "7" * 200_000 + " x",
    "letters after a year": lambda: "1843 " + "а" * 200_000 + " x",
    "dashes": lambda: SENTENCES[0] + "-" * 200_000 + "и ещё слово.",
    "dots": lambda: SENTENCES[0] + "." * 200_000 + "и ещё слово.",
    "spaces": lambda: "Глава 1" + " " * 200_000 + SENTENCES[0],
    "brackets": lambda: "([{«" * 50_000 + SENTENCES[0],
    "marks": lambda: SENTENCES[0] + "\u0323\u0301" * 100_000,
    "ampersands": lambda: SENTENCES[0] + "&" * 200_000,
}


@pytest.mark.parametrize("kind", LONG_LINES)
def test_a_line_of_200_kb_takes_seconds_at_most(kind: str, tmp_path: Path) -> None:
    text = LONG_LINES[kind]()
    began = time.process_time()
    list(build_scenes([Document("long", text)]))
    assert time.process_time() - began < 10
