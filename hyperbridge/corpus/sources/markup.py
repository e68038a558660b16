"""XML and HTML, parsed so that a hostile file can only fail.

lxml (libxml2) calls a target for every tag and piece of text, so no tree is built for a book. A file that declares
entities of its own is refused before parsing: that is the way to "billion laughs" and to files and addresses outside.
Beyond that no DTD is loaded, nothing is fetched, and libxml2's own limits on depth and length stay on for XML. HTML's
names for characters (&nbsp;, &mdash;) are known in XML too, since many books use them undeclared.
Cost: about 30 MB/s on one core. Source: OWASP, XML External Entity Prevention.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from hyperbridge.corpus.documents import CYRILLIC_ENCODINGS, decode
from hyperbridge.errors import HyperBridgeError

_DECLARED = re.compile(
    rb"""(?:<\?xml[^>]{0,99}?encoding|<meta[^>]{0,199}?charset)\s*=\s*["']?([A-Za-z0-9._-]+)""", re.I
)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml\s[^>]*\?>")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_OF_XML = {"amp", "lt", "gt", "quot", "apos"}
_ROOT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")
_KNOWN = {codecs.lookup(name).name for name in (*CYRILLIC_ENCODINGS, "koi8_u", "cp1252", "latin_1", "iso8859_15")}


class Target(Protocol):
    """What a reader gives the parser; tags come with their namespace, see `local`."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def data(self, text: str) -> None: ...
    def close(self) -> object: ...


SomeTarget = TypeVar("SomeTarget", bound=Target)


def decode_markup(raw: bytes, name: str) -> tuple[str, str]:
    """Decode XML or HTML: UTF-8 where it is that, else as the file itself declares, else as detected.

    UTF-8 goes first because Cyrillic in another encoding is never valid UTF-8, while a declaration may be stale.
    """
    if raw[:4] in {b"<\0?\0", b"\0<\0?"}:
        raw = (codecs.BOM_UTF16_LE if raw[1] == 0 else codecs.BOM_UTF16_BE) + raw
    declared = _declared(raw)
    if declared is not None and not _is_utf8(raw):
        return raw.decode(declared, "replace").replace("\r\n", "\n").replace("\r", "\n"), declared
    return decode(raw, name)


def parse_xml(text: str, name: str, target: SomeTarget) -> SomeTarget:
    """Send decoded XML to a target, and return it.

    Raises:
        HyperBridgeError: not well-formed, or with entities of its own.
    """
    _run(_xml_source(text, name), _xml_parser(target=target), name)
    return target


def parse_html(text: str, target: SomeTarget) -> SomeTarget:
    """Send decoded HTML, however broken, to a target, and return it."""
    from lxml import etree

    # HTML has no entities of its own, and its text has been limited on reading: long text may pass.
    parser = etree.HTMLParser(target=target, encoding="utf-8", no_network=True, huge_tree=True)
    data = _XML_DECLARATION.sub("", _NOT_XML.sub("", text))
    if data.strip():
        etree.HTML(data.encode("utf-8", "replace"), parser)
    return target


def parse_page(text: str, name: str, target: Callable[[], SomeTarget]) -> SomeTarget:
    """Read XHTML as XML if it is well-formed, else as HTML; each time with a fresh target."""
    if "<?xml" in text[:200] or "http://www.w3.org/1999/xhtml" in text[:2000]:
        try:
            return parse_xml(text, name, target())
        except HyperBridgeError:
            pass
    return parse_html(text, target())


def tree(text: str, name: str) -> Any:
    """The root element of a small XML file, such as a table of contents; find children as `{*}tag`."""
    return _run(_xml_source(text, name), _xml_parser(), name)


def root_name(text: str) -> str:
    """The name of the outermost element, without its namespace; "" if there is none."""
    found = _ROOT.search(text)
    return found[1] if found else ""


def local(tag: object) -> str:
    """A tag or an attribute's name without its namespace."""
    return str(tag).rpartition("}")[2]


def _run(data: bytes, parser: Any, name: str) -> Any:
    from lxml import etree

    try:
        return etree.XML(data, parser)
    except (etree.LxmlError, ValueError) as error:
        # libxml2 quotes the text after the place, over several lines.
        reason = str(error).split("\n")[0].split(", line ")[0]
        raise HyperBridgeError(f"{name}: not well-formed XML in line {_line_of(error)}: {reason}") from None


def _line_of(error: Exception) -> int:
    return getattr(error, "lineno", None) or 1


def _xml_parser(**options: Any) -> Any:
    from lxml import etree

    return etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, **options
    )


def _xml_source(text: str, name: str) -> bytes:
    if "<!ENTITY" in text:
        raise HyperBridgeError(f"{name}: declares entities of its own (<!ENTITY), which are not read; take them out")
    text = _ENTITY.sub(_character, _NOT_XML.sub("", _XML_DECLARATION.sub("", text)))
    return text.strip().encode("utf-8", "replace")


def _character(found: re.Match[str]) -> str:
    if found[1] in _OF_XML:
        return found[0]
    return html.escape(html.unescape(found[0]))


def _declared(raw: bytes) -> str | None:
    """The encoding that a file declares, if it is one that Russian text is written in."""
    found = _DECLARED.search(raw[:2048])
    if found is None:
        return None
    try:
        name = codecs.lookup(found[1].decode("ascii")).name
    except LookupError:
        return None
    return name if name in _KNOWN else None


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return True
