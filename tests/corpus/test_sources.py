"""Every format gives its text, its title and author, and divisions that lie where its markup says."""

from __future__ import annotations

import gzip
import io
import json
import time
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hyperbridge import HyperBridgeError
from hyperbridge.corpus.documents import SUFFIXES, Document, read_documents
from hyperbridge.corpus.sources import files
from hyperbridge.corpus.sources.text_builder import TextBuilder

FB2 = """<?xml version="1.0" encoding="utf-8"?>
<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" xmlns:l="http://www.w3.org/1999/xlink">
<description><title-info><author><first-name>Анна</first-name><last-name>Речная</last-name></author>
<book-title>Переправа</book-title></title-info>
<document-info><author><nickname>переписчик</nickname></author></document-info></description>
<body><title><p>Переправа</p></title>
<section><title><p>Часть первая</p></title>
<section><title><p>Глава 1</p><p>Лодка</p></title>
<p>Лодочник ждал.<a l:href="#n1" type="note">[1]</a></p><p>Он&nbsp;молчал &mdash; долго.</p>
<poem><title><p>Песня</p></title><stanza><v>Тихо плещет вода,</v><v>Тихо гаснет звезда.</v></stanza>
<stanza><v>Берег тёмен и крут.</v></stanza></poem>
</section>
<section><p>Вторая <emphasis>глава</emphasis> без заглавия.</p></section>
</section></body>
<body name="notes"><section id="n1"><p>Примечание.</p></section></body>
<binary id="cover">AAAA</binary></FictionBook>"""

TEI = """<?xml version="1.0" encoding="utf-8"?>
<?xml-stylesheet type="text/css" href="tei.css"?>
<TEI xmlns="http://www.tei-c.org/ns/1.0" xml:lang="rus"><teiHeader><fileDesc><titleStmt>
<title xml:lang="eng">The Ferry</title><title>Переправа</title>
<author><persName><forename>Анна</forename> <surname>Речная</surname></persName>
<persName xml:lang="eng">Anna</persName><idno>Q1</idno></author></titleStmt></fileDesc></teiHeader>
<text><front><castList><castItem>Лодочник.</castItem></castList></front><body>
<div type="act"><head>Действие первое</head>
<div type="scene"><head>Явление I</head><stage>Берег реки.</stage>
<sp who="#a"><speaker>Лодочник.</speaker><stage>(тихо)</stage>
<p>Садись. <stage>Отвязывает лодку</stage> Вода
   поднялась.</p></sp>
<sp><speaker>Вдова</speaker><l>Тихо плещет вода,</l><l>Тихо гаснет звезда.</l><stage>Плачет.</stage></sp>
</div></div></body></text></TEI>"""

PAGE = """<html><head><title>Переправа</title><meta name="author" content="Анна Речная"><style>p {}</style></head>
<body><nav>Меню</nav><h1>Переправа</h1><p>Начало &mdash; здесь.<h2>Лодка</h2><p>Лодочник<br>ждал.</p>
<p>Он молчал.</p><script>var a = 1;</script><h2>Берег</h2><blockquote>Кто там?</blockquote></body></html>"""

MARKDOWN = """---
title: "Переправа"
author: Анна Речная
---
# Часть

## Лодка

Лодочник *ждал*
на [берегу](http://example.org).

Тихо плещет вода,
Тихо гаснет звезда.

Берег
=====

Кто там?
"""

PLAY = [
    {"type": "boundary", "level": "act", "act": "Действие первое", "scene": ""},
    {"type": "boundary", "level": "scene", "act": "Действие первое", "scene": "Явление I"},
    {"type": "boundary", "level": "configuration", "act": "", "scene": ""},
    {"type": "stage", "text": "Берег реки."},
    {"type": "speech", "speaker": "Лодочник", "verse": False, "text": "Садись."},
    {"type": "speech", "speaker": "Вдова", "verse": True, "text": "Тихо плещет вода,\nТихо гаснет звезда."},
    {"type": "boundary", "level": "scene", "act": "Действие первое", "scene": "Явление II"},
    {"type": "speech", "speaker": "Лодочник", "verse": False, "text": "Приехали."},
]

CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>"""
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
<metadata><dc:title>Переправа</dc:title><dc:creator>Анна Речная</dc:creator></metadata>
<manifest><item id="a" href="text/one.xhtml"/><item id="b" href="text/two%20.xhtml"/><item id="c" href="three.xhtml"/>
<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/><item id="v" href="nav.xhtml" properties="nav"/>
</manifest><spine><itemref idref="v"/><itemref idref="b"/><itemref idref="a"/><itemref idref="c"/></spine></package>"""
NCX = """<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>Эпилог</text></navLabel>
<content src="three.xhtml#top"/></navPoint></navMap></ncx>"""
CHAPTER = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>%s</body></html>'


def epub(**changed: str | None) -> bytes:
    members: dict[str, str | None] = {
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": PACKAGE,
        "OEBPS/toc.ncx": NCX,
        "OEBPS/nav.xhtml": "<p>Оглавление</p>",
        "OEBPS/text/two .xhtml": CHAPTER % "<h1>Лодка</h1><p>Лодочник ждал.</p>",
        "OEBPS/text/one.xhtml": CHAPTER % "<p>Он молчал.</p>",
        "OEBPS/three.xhtml": "<p>Приехали<b>.",
    }
    members.update({name.replace("__", "/"): text for name, text in changed.items()})
    return archive({name: text for name, text in members.items() if text is not None})


def archive(members: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return buffer.getvalue()


def read(folder: Path, name: str, data: str | bytes) -> Document:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    (document,) = read_documents([path])
    assert document.source == f"{folder.name}/{name}"
    assert_divisions_fit(document)
    return document


def divisions(document: Document) -> list[tuple[int, str, str, str]]:
    return [(each.depth, each.kind, each.title, document.text[each.start : each.end]) for each in document.divisions]


def assert_divisions_fit(document: Document) -> None:
    """Inside the text, in order of start, properly nested, each as deep as it says, not edged with space."""
    outer: list[int] = []
    for division in document.divisions:
        assert 0 <= division.start < division.end <= len(document.text)
        piece = document.text[division.start : division.end]
        assert piece == piece.strip()
        while outer and outer[-1] <= division.start:
            outer.pop()
        assert not outer or division.end <= outer[-1]
        assert division.depth == len(outer)
        outer.append(division.end)
    assert all(before.start <= after.start for before, after in pairwise(document.divisions))


def test_fb2_has_parts_chapters_poems_and_no_notes(tmp_path: Path) -> None:
    document = read(tmp_path, "book.fb2", FB2)
    chapter = (
        "Глава 1\nЛодка\n\nЛодочник ждал.\nОн молчал — долго.\n\nПесня\n\n"
        "Тихо плещет вода,\nТихо гаснет звезда.\n\nБерег тёмен и крут."
    )
    song = "Песня\n\nТихо плещет вода,\nТихо гаснет звезда.\n\nБерег тёмен и крут."
    assert (document.title, document.author) == ("Переправа", "Анна Речная")
    assert document.text == f"Переправа\n\nЧасть первая\n\n{chapter}\n\nВторая глава без заглавия."
    assert divisions(document) == [
        (0, "part", "Часть первая", f"Часть первая\n\n{chapter}\n\nВторая глава без заглавия."),
        (1, "chapter", "Глава 1 Лодка", chapter),
        (2, "verse", "Песня", song),
        (3, "verse", "", "Тихо плещет вода,\nТихо гаснет звезда."),
        (3, "verse", "", "Берег тёмен и крут."),
        (1, "chapter", "", "Вторая глава без заглавия."),
    ]


def test_a_tei_play_reads_as_printed(tmp_path: Path) -> None:
    document = read(tmp_path, "play.xml", TEI)
    first = "Лодочник (тихо). Садись. (Отвязывает лодку) Вода поднялась."
    second = "ВДОВА\nТихо плещет вода,\nТихо гаснет звезда.\n(Плачет)"
    scene = f"Явление I\n\nБерег реки.\n\n{first}\n\n{second}"
    assert (document.title, document.author) == ("Переправа", "Анна Речная")
    assert document.text == f"Действие первое\n\n{scene}"
    assert divisions(document) == [
        (0, "act", "Действие первое", document.text),
        (1, "scene", "Явление I", scene),
        (2, "stage", "", "Берег реки."),
        (2, "speech", "Лодочник", first),
        (3, "stage", "", "(тихо)"),
        (3, "stage", "", "(Отвязывает лодку)"),
        (2, "speech", "Вдова", second),
        (3, "verse", "", "Тихо плещет вода,\nТихо гаснет звезда.\n(Плачет)"),
        (4, "stage", "", "(Плачет)"),
    ]


def test_a_play_of_json_lines_is_one_document(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in PLAY)
    document = read(tmp_path, "Речная__Переправа.jsonl", lines)
    assert (document.title, document.author) == ("Переправа", "Речная")
    verse = "Тихо плещет вода,\nТихо гаснет звезда."
    assert document.text == (
        "Действие первое\n\nЯвление I\n\nБерег реки.\n\nЛодочник. Садись.\n\n"
        f"ВДОВА\n{verse}\n\nЯвление II\n\nЛодочник. Приехали."
    )
    assert [(depth, kind, title) for depth, kind, title, _ in divisions(document)] == [
        (0, "act", "Действие первое"),
        (1, "scene", "Явление I"),
        (2, "stage", ""),
        (2, "speech", "Лодочник"),
        (2, "speech", "Вдова"),
        (3, "verse", ""),
        (1, "scene", "Явление II"),
        (2, "speech", "Лодочник"),
    ]
    assert divisions(document)[5][3] == verse


def test_a_web_page_keeps_headings_and_drops_menus_and_scripts(tmp_path: Path) -> None:
    document = read(tmp_path, "page.html", PAGE)
    assert (document.title, document.author) == ("Переправа", "Анна Речная")
    assert document.text == (
        "Переправа\n\nНачало — здесь.\n\nЛодка\n\nЛодочник\nждал.\nОн молчал.\n\nБерег\n\nКто там?"
    )
    assert [(depth, kind, title) for depth, kind, title, _ in divisions(document)] == [
        (0, "part", "Переправа"),
        (1, "chapter", "Лодка"),
        (1, "chapter", "Берег"),
    ]


def test_a_page_of_preformatted_text_keeps_its_lines(tmp_path: Path) -> None:
    document = read(tmp_path, "page.htm", "<pre>\n  Лодочник\nждал &amp; <b>молчал</b>.\n\n  Вода.</pre>")
    assert document.text == "  Лодочник\nждал & молчал.\n\n  Вода."


def test_markdown_loses_its_marks_and_keeps_verse(tmp_path: Path) -> None:
    document = read(tmp_path, "book.md", MARKDOWN)
    assert (document.title, document.author) == ("Переправа", "Анна Речная")
    assert document.text == (
        "Часть\n\nЛодка\n\nЛодочник ждал на берегу.\n\nТихо плещет вода,\nТихо гаснет звезда.\n\nБерег\n\nКто там?"
    )
    assert [(depth, kind, title) for depth, kind, title, _ in divisions(document)] == [
        (0, "part", "Часть"),
        (1, "chapter", "Лодка"),
        (0, "chapter", "Берег"),
    ]


def test_notes_of_markdown_are_left_out(tmp_path: Path) -> None:
    document = read(tmp_path, "book.md", "Лодочник ждал[^1].\n\n[^1]: Примечание.\n\nОн молчал.^[И ещё одно.]\n")
    assert document.text == "Лодочник ждал.\nОн молчал."


@pytest.mark.parametrize(
    "note",
    [
        '<section role="doc-endnotes"><p>Примечание.</p></section>',
        '<aside epub:type="footnote"><p>Примечание.</p></aside>',
        '<div class="footnotes"><hr/><p>Примечание. <a role="doc-backlink">↩</a></p></div>',
    ],
)
def test_notes_of_a_page_are_left_out(tmp_path: Path, note: str) -> None:
    page = f'<p>Лодочник ждал.<a role="doc-noteref">1</a></p>{note}<p>Он молчал.</p>'
    assert read(tmp_path, "page.html", page).text.split() == ["Лодочник", "ждал.", "Он", "молчал."]


def test_an_epub_follows_its_spine_and_its_contents(tmp_path: Path) -> None:
    document = read(tmp_path, "book.epub", epub())
    assert (document.title, document.author) == ("Переправа", "Анна Речная")
    assert document.text == "Лодка\n\nЛодочник ждал.\n\nОн молчал.\n\nПриехали."
    assert divisions(document) == [
        (0, "part", "Лодка", document.text),
        (1, "chapter", "Эпилог", "Приехали."),
    ]


@pytest.mark.parametrize(
    ("member", "text", "message"),
    [
        ("OEBPS__text__one.xhtml", None, "names 'OEBPS/text/one.xhtml', which is not in the archive"),
        ("META-INF__container.xml", None, "names 'META-INF/container.xml', which is not in the archive"),
        ("META-INF__container.xml", "<a>", "not well-formed XML"),
        ("OEBPS__book.opf", PACKAGE.replace("text/one", "../../../etc/one"), "which is not in the archive"),
        (
            "META-INF__encryption.xml",
            '<e xmlns:c="x"><c:CipherReference URI="OEBPS/three.xhtml"/></e>',
            r"a protected book \(DRM\)",
        ),
    ],
)
def test_a_damaged_epub_is_one_clear_line(tmp_path: Path, member: str, text: str | None, message: str) -> None:
    with pytest.raises(HyperBridgeError, match=rf"^\S*book\.epub: .*{message}") as caught:
        read(tmp_path, "book.epub", epub(**{member: text}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt", "a.fb2.zip", "a.epub"])
def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 1 << 20)
    much = "а" * (1 << 20)
    data = {
        "a.txt.gz": gzip.compress(much.encode()),
        "a.txt": much.encode(),
        "a.fb2.zip": archive({"a.fb2": much}),
        "a.epub": epub(OEBPS__three=much, **{"META-INF__container.xml": much}),
    }[name]
    if name == "a.txt":
        assert read(tmp_path, name, data).text == much
        return
    with pytest.raises(HyperBridgeError, match=r"a\.\S+: .*unpacks to more than 1 MiB"):
        read(tmp_path, name, data)


def test_every_format_may_be_packed(tmp_path: Path) -> None:
    document = read(tmp_path, "Речная__Лодка.txt.gz", gzip.compress("Лодочник ждал.".encode("cp1251") * 9))
    assert (document.text[:14], document.title, document.author) == ("Лодочник ждал.", "Лодка", "Речная")
    assert document.encoding == "cp1251"
    assert read(tmp_path, "book.FB2.gz", gzip.compress(FB2.encode())).title == "Переправа"
    assert read(tmp_path, "book.fb2.zip", archive({"x.fb2": FB2})).title == "Переправа"
    assert read(tmp_path, "book.xml", FB2).title == "Переправа"


@pytest.mark.parametrize("encoding", ["windows-1251", "koi8-r", "utf-16", "utf-16-le", "utf-8-sig"])
def test_the_encoding_that_a_file_declares_is_used(tmp_path: Path, encoding: str) -> None:
    declared = FB2.replace('"utf-8"', f'"{encoding.removesuffix("-sig")}"')
    assert read(tmp_path, "book.fb2", declared.encode(encoding)).title == "Переправа"
    if encoding == "utf-16-le":
        return  # Without a mark only XML can be told, by its first two characters.
    meta = f'<meta charset="{encoding}"><title>Он</title><p>Да.'
    assert read(tmp_path, "page.html", meta.encode(encoding)).title == "Он"


@pytest.mark.parametrize(
    "subset",
    [
        '<!ENTITY a "ха"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY b SYSTEM "file:///etc/hostname">',
        '<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;',
    ],
)
def test_a_file_with_entities_of_its_own_is_refused(tmp_path: Path, subset: str) -> None:
    hostile = f"<!DOCTYPE FictionBook [{subset}]><FictionBook><body><p>&b;</p></body></FictionBook>"
    for name in ("a.fb2", "a.xml"):
        with pytest.raises(HyperBridgeError, match=rf"{name}: declares entities of its own"):
            read(tmp_path, name, hostile)


def test_xml_that_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(HyperBridgeError, match="XML with the root 'svg' is no text"):
        read(tmp_path, "a.xml", "<svg/>")
    with pytest.raises(HyperBridgeError, match="not a FictionBook file: its root is <svg>"):
        read(tmp_path, "a.fb2", "<svg/>")


NO_RECORDS = ['{"scene": "дом"}', '{"text": 5}', '{"sentences": [1]}', '"text"', "[" * 9999, "{", "1" * 9999]


@pytest.mark.parametrize("line", [*NO_RECORDS, '{"type": "stage"}'])
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(HyperBridgeError, match=r"a\.jsonl:2: not a"):
        list(read_documents([tmp_path]))


def test_records_give_their_text_title_author_and_number(tmp_path: Path) -> None:
    lines = '{"sentences": ["Да.", "Нет."], "number": 7}\n\n{"text": "Да\\ud800", "title": "Ответ", "author": "Анна"}\n'
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    first, second = read_documents([tmp_path])
    assert (first.source, first.text) == (f"{tmp_path.name}/a.jsonl#7", "Да.\nНет.")
    assert (second.source, second.text) == (f"{tmp_path.name}/a.jsonl#3", "Да\ufffd")
    assert (second.title, second.author) == ("Ответ", "Анна")


def test_a_saved_data_set_gives_a_document_a_row(tmp_path: Path) -> None:
    import datasets

    rows = {"title": ["Ответ", None], "text": ["Да.\r\nНет.", "Кто там?"]}
    datasets.Dataset.from_dict(rows).save_to_disk(str(tmp_path / "tales"))
    documents = list(read_documents([tmp_path / "tales"]))
    assert [(each.source, each.text, each.title) for each in documents] == [
        ("tales#0", "Да.\nНет.", "Ответ"),
        ("tales#1", "Кто там?", None),
    ]


class _Rows(list[dict[str, str]]):
    pass


def test_a_data_set_of_the_hub_is_named_by_split_and_column(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    loaded = {"train": _Rows([{"tale": "Жили-были.", "title": "Начало"}]), "test": _Rows()}
    monkeypatch.setattr(datasets, "load_dataset", lambda name, streaming: loaded)
    (document,) = read_documents(["hf:user/tales:train#tale"])
    assert (document.source, document.text, document.title) == ("hf/user/tales:train#0", "Жили-были.", "Начало")
    assert list(read_documents(["hf:user/tales:test"])) == []
    with pytest.raises(HyperBridgeError, match=r"which column is the text\? Add #column \(columns: tale, title\)"):
        list(read_documents(["hf:user/tales"]))
    with pytest.raises(HyperBridgeError, match="row 0 has no text in column 'сказка'"):
        list(read_documents(["hf:user/tales#сказка"]))
    with pytest.raises(HyperBridgeError, match="no split 'tset': did you mean 'test'"):
        list(read_documents(["hf:user/tales:tset"]))
    with pytest.raises(HyperBridgeError, match="give hf:name"):
        list(read_documents(["hf:"]))


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def unreachable(name: str, streaming: bool) -> None:
        raise ConnectionError(f"could not reach\nthe Hub for {name}")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(
        HyperBridgeError, match=r"^hf:user/tales: cannot be loaded; check the name and the network: .*$"
    ):
        list(read_documents(["hf:user/tales"]))


WHOLE = {
    ".fb2": FB2.encode(),
    ".fb2.zip": archive({"a.fb2": FB2}),
    ".xml": TEI.encode(),
    ".html": PAGE.encode(),
    ".md": MARKDOWN.encode(),
    ".epub": epub(),
    ".jsonl": "\n".join(json.dumps(record, ensure_ascii=False) for record in PLAY).encode(),
    ".txt": "Лодочник ждал.".encode("cp1251"),
}
STRANGE = "🜂⟁ \u200fשלום\u202e مرحبا\u0301\u2028 ...!!! — «» \ud7ff\ufeff<p>&amp;&nope;# **_"


def reads_or_refuses(path: Path) -> None:
    documents, refusal = [], path.name
    try:
        documents = list(read_documents([path]))
    except HyperBridgeError as error:
        refusal = str(error)
    assert path.name in refusal
    assert "\n" not in refusal
    for document in documents:
        assert_divisions_fit(document)
        document.text.encode("utf-8")


fuzz = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(st.sampled_from([*SUFFIXES, ".txt.gz"]), st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
@example(".fb2", b"")
@example(".txt", "\ufeffДа".encode("utf-16")[:-1])
@example(".md", STRANGE.encode())
@example(".html", STRANGE.encode())
@example(".jsonl", json.dumps({"text": STRANGE}).encode())
def test_random_bytes_are_read_or_refused(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    reads_or_refuses(path)


def test_a_parser_that_quotes_the_file_is_cut_to_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        HyperBridgeError, match=r"^\S+a\.xml: not well-formed XML in line 4: CData section not finished$"
    ):
        read(tmp_path, "a.xml", "<TEI>\n<![CDATA[\n<p>Да.</p>\n</TEI>\n")


@fuzz
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    whole = WHOLE[suffix]
    start = data.draw(st.integers(0, len(whole)))
    length, inserted = data.draw(st.integers(0, 40)), data.draw(st.binary(max_size=20))
    path = tmp_path / f"b{suffix}"
    path.write_bytes(whole[:start] + inserted + whole[start + length :])
    reads_or_refuses(path)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".md", ".html", ".fb2", ".xml"])
def test_a_line_of_ten_megabytes_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    line = "Лодочник ждал. " * 350_000
    wrapped = {
        ".jsonl": json.dumps({"text": line}, ensure_ascii=False),
        ".fb2": f"<FictionBook><body><p>{line}</p></body></FictionBook>",
        ".xml": f"<TEI><text><p>{line}</p></text></TEI>",
    }
    (tmp_path / f"a{suffix}").write_text(wrapped.get(suffix, line), encoding="utf-8")
    (document,) = read_documents([tmp_path])
    assert document.text.strip() == line.strip()


@given(
    st.lists(st.sampled_from(["open", "close", "at1", "at2", "line", "block", "title", "end"]) | st.text(max_size=5))
)
def test_whatever_is_built_divisions_fit(steps: list[str]) -> None:
    builder, opened = TextBuilder(), 0
    for step in steps:
        if step == "open":
            builder.open("chapter")
            opened += 1
        elif step == "close" and opened:
            builder.close()
            opened -= 1
        elif step in {"at1", "at2"} and not opened:
            builder.open_at(int(step[2]))
        elif step in {"line", "block"}:
            getattr(builder, step)()
        else:
            builder.add(step)
    text, found = builder.finish()
    assert_divisions_fit(Document("a", text, divisions=found))


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".md", "<!--" * 50_000),
        (".md", f"---\ntitle:{' ' * 100_000}x\n---\n"),
        (".html", "<div>" * 50_000),
        (".html", f"<title>{'&nbsp;' * 50_000}"),
        (".fb2", "<binary" * 50_000),
        (".xml", "<TEI>" * 50_000),
        (".jsonl", '{"text":' * 50_000),
    ],
)
def test_what_was_made_to_take_long_does_not(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(text, encoding="utf-8")
    begun = time.process_time()
    reads_or_refuses(path)
    assert time.process_time() - begun < 5
