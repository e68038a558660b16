"""TEI: plays (DraCor's among them), prose and verse; other XML books are passed to their own reader.

Acts, scenes, speeches, stage directions, chapters and groups of verse lines become divisions; the cast list, notes
and the title page are left out. A speech is held back to its end, for whether it is verse decides how its speaker is
printed. Title and author are the first in the header that are not said to be in another language than the text's.
Cost: about 20 MB/s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hyperbridge.corpus.documents import DivisionKind, Document, named_after
from hyperbridge.corpus.sources import fb2, web_page
from hyperbridge.corpus.sources.files import read_bytes
from hyperbridge.corpus.sources.markup import decode_markup, local, parse_xml, root_name
from hyperbridge.corpus.sources.plays import add_direction, add_stage, begin_speech, end_speech
from hyperbridge.corpus.sources.text_builder import TextBuilder
from hyperbridge.errors import HyperBridgeError

_ROOTS = {"TEI", "TEI.2", "teiCorpus"}
_KINDS: dict[str, DivisionKind] = {"act": "act", "scene": "scene", "poem": "verse"}
# Who is on stage makes no scene, and a dedication no chapter.
_NO_DIVISIONS = {"configuration", "dedication", "epigraph", "preface"}
_LEFT_OUT = {"castList", "note", "docTitle", "titlePage", "standOff", "figure", "fw", "sourceDesc", "profileDesc"}
_LEFT_OUT |= {"revisionDesc", "encodingDesc", "publicationStmt", "editionStmt", "respStmt", "facsimile"}
_LINES = {"p", "ab", "item", "row", "byline", "salute", "signed"}
_BLOCKS = {"list", "table", "epigraph", "quote", "milestone", "closer", "opener", "trailer"}
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def read(path: Path, source: str) -> Iterator[Document]:
    """Yield the file as one document."""
    raw = read_bytes(path)
    text, encoding = decode_markup(raw, str(path))
    root = root_name(text)
    if root == "FictionBook":
        yield fb2.document(raw, path, source)
    elif root == "html":
        yield from web_page.read(path, source)
    elif root in _ROOTS:
        edition = parse_xml(text, str(path), _Edition())
        words, divisions = edition.builder.finish()
        title, author = named_after(path)
        yield Document(source, words, edition.title or title, edition.author or author, encoding, divisions)
    else:
        raise HyperBridgeError(f"{path}: XML with the root '{root}' is no text; give TEI, FictionBook or XHTML")


@dataclass(slots=True)
class _Speech:
    """A speech as it is heard: (what, words), where what is `words`, `line`, `paragraph` or `stage`."""

    speaker: list[str] = field(default_factory=list)
    heard: list[tuple[str, str]] = field(default_factory=list)

    @property
    def verse(self) -> bool:
        return any(what == "line" for what, _ in self.heard)

    def hear(self, what: str, words: str = "") -> None:
        self.heard.append((what, words))


class _Edition:
    """A target of the parser; `_inside` is the path of open tags."""

    def __init__(self) -> None:
        self.builder = TextBuilder()
        self._language = ""
        self._title: list[str] = []
        self._author: list[str] = []
        self._inside: list[str] = []
        self._left_out = 0
        self._divisions: list[bool] = []
        self._speech: _Speech | None = None
        self._stage: list[str] | None = None

    @property
    def title(self) -> str:
        return " ".join("".join(self._title).split())

    @property
    def author(self) -> str:
        return " ".join(" ".join(self._author).split())

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = local(tag)
        if self._left_out or name in _LEFT_OUT or self._is_said_again(name, attributes):
            self._left_out += 1
            return
        self._inside.append(name)
        if len(self._inside) == 1:
            self._language = attributes.get(_XML_LANG, "")
        elif name == "stage":
            self._stage = []
        elif self._speech is not None:
            self._start_in_speech(name)
        elif name == "sp":
            self._speech = _Speech()
        elif name.startswith("div") or name == "lg":
            self._open(name, attributes)
        elif name == "head":
            self.builder.begin_title()
        else:
            self._edge(name)

    def end(self, tag: str) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        name = self._inside.pop()
        if name == "stage":
            self._end_stage()
        elif name == "sp":
            self._say()
        elif self._speech is not None:
            return
        elif name.startswith("div") or name == "lg":
            if self._divisions.pop():
                self.builder.close()
            self.builder.block()
        elif name == "head":
            self._end_head()
        else:
            self._edge(name)

    def data(self, text: str) -> None:
        if self._left_out:
            return
        if "teiHeader" in self._inside:
            self._take_header(text)
        elif "text" not in self._inside:
            return
        elif self._stage is not None:
            self._stage.append(text)
        elif self._speech is None:
            self.builder.add(text)
        elif "speaker" in self._inside:
            self._speech.speaker.append(text)
        elif text.strip() or self._inside[-1] not in {"sp", "lg"}:
            self._speech.hear("words", text)

    def close(self) -> TextBuilder:
        return self.builder

    def _is_said_again(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Whether this is a title or a name in translation, or the second one."""
        if "titleStmt" not in self._inside or name not in {"title", "author", "persName"}:
            return False
        taken = self._title if name == "title" else self._author
        language = attributes.get(_XML_LANG, "")
        return any(map(str.strip, taken)) or (bool(language and self._language) and language[:2] != self._language[:2])

    def _take_header(self, text: str) -> None:
        if "titleStmt" not in self._inside or self._inside[-1] == "idno":
            return
        if "title" in self._inside:
            self._title.append(text)
        elif "author" in self._inside:
            self._author.append(text)

    def _open(self, name: str, attributes: Mapping[str, str]) -> None:
        self.builder.block()
        kind = attributes.get("type", "").lower()
        opens = kind not in _NO_DIVISIONS
        if opens:
            self.builder.open("verse" if name == "lg" else _KINDS.get(kind, "chapter"))
        self._divisions.append(opens)

    def _end_head(self) -> None:
        title = self.builder.end_title()
        if self._divisions and self._divisions[-1]:
            self.builder.name(title)

    def _start_in_speech(self, name: str) -> None:
        assert self._speech is not None
        if name == "l":
            self._speech.hear("line")
        elif name in _LINES or name == "lg":
            self._speech.hear("paragraph")
        elif name == "lb":
            self._speech.hear("words", " ")

    def _end_stage(self) -> None:
        words, self._stage = " ".join("".join(self._stage or ()).split()), None
        if not words or "text" not in self._inside:
            return
        if self._speech is None:
            add_stage(self.builder, words)
        else:
            # Within a paragraph or a line it belongs to the words, between them it stands alone.
            self._speech.hear("aside" if self._inside[-1] not in {"sp", "lg"} else "stage", words)

    def _say(self) -> None:
        """Write the speech that has come to its end."""
        speech, self._speech = self._speech, None
        if speech is None or "text" not in self._inside:
            return
        heard = speech.heard
        direction = heard.pop(0)[1] if heard and heard[0][0] == "stage" else ""
        begin_speech(self.builder, " ".join("".join(speech.speaker).split()), direction, verse=speech.verse)
        for number, (what, words) in enumerate(heard):
            self._say_one(what, words, first=number == 0)
        end_speech(self.builder, verse=speech.verse)

    def _say_one(self, what: str, words: str, *, first: bool) -> None:
        if what == "words":
            self.builder.add(words)
        elif what == "aside":
            self.builder.add(" ")
            add_direction(self.builder, words)
            self.builder.add(" ")
        elif what == "stage":
            self.builder.line()
            add_direction(self.builder, words)
            self.builder.line()
        elif not first:
            self.builder.line()

    def _edge(self, name: str) -> None:
        if name in _LINES or name in {"l", "lb"}:
            self.builder.line()
        elif name in _BLOCKS:
            self.builder.block()
        elif name == "cell":
            self.builder.add(" ")
