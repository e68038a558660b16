"""What an extended tokenizer gained over its base and what it kept, measured on texts.

Every text is encoded by both. Counted are tokens by kind of text, and checked are the promises of an extension: new
ids expand to the base's, a text comes back as the base gives it back, and no word is cut anew that holds nothing new.
Units are tried in every surrounding, cuts in words are held against gold morphemes, and scenes against the passages
they were cut from: their *economy*. Cost: about 50,000 words a second; memory is one text, the gold words, and 200,000
characters that encoding is timed on, both tokenizers in turn and by processor time.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperbridge.errors import HyperBridgeError
from hyperbridge.scenes import Scene
from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer, open_base
from hyperbridge.tokenizer.extension import Extension, NewToken

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

COMMAND = "hyperbridge tokenizer report"
SCENES = "scenes"
# A name of a surrounding, and how a unit is written in it.
SURROUNDINGS = {
    "bare": ("{}",),
    "after a space": (" {}", "a {} a", "— {}"),
    "in «»": ("«{}»", "„{}“", '"{}"'),
    "in brackets": ("({})", "[{}]"),
    "after a newline": ("\n{}", "a\r\n{}\n"),
    "hyphen": ("a-{}", "{}-a"),
    "before punctuation": ("{},", "{}.", "{}!", "{}?", "{}:", "{};", "{}…"),
}
ROUNDS, LOADS = 11, 3
# Texts that one tokenizer encodes before it is the other's turn.
TURN = 50
TIMED_CHARACTERS = 200_000
EXAMPLES = 20
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class KindText:
    """A text and what kind it is: `prose`, `verse`, ..."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ExtendedTokenizer:
    """A folder of `tokenizer extend`, opened beside its base."""

    folder: Path
    base: BaseTokenizer
    extension: Extension
    backend: Tokenizer


@dataclass(slots=True)
class Counts:
    """What texts hold; words are runs of letters."""

    texts: int = 0
    characters: int = 0
    words: int = 0
    base_tokens: int = 0
    extended_tokens: int = 0

    def add(self, text: str, base_tokens: int, extended_tokens: int) -> None:
        self.texts += 1
        self.characters += len(text)
        self.words += len(_WORD.findall(text))
        self.base_tokens += base_tokens
        self.extended_tokens += extended_tokens

    def characters_per_token(self) -> tuple[float, float]:
        """Of the base and of the extended tokenizer, as all pairs here."""
        return self.characters / max(self.base_tokens, 1), self.characters / max(self.extended_tokens, 1)

    def tokens_per_word(self) -> tuple[float, float]:
        """All tokens, those of punctuation too, over the words."""
        return self.base_tokens / max(self.words, 1), self.extended_tokens / max(self.words, 1)

    def tokens_per_text(self) -> tuple[float, float]:
        return self.base_tokens / max(self.texts, 1), self.extended_tokens / max(self.texts, 1)


@dataclass(slots=True)
class Kept:
    """How far the promises of an extension hold on the texts.

    Only texts without units promise to expand to the base's ids: the base may cut a case ending after a unit otherwise,
    and a SentencePiece base puts a space before a text that is nothing but a unit.

    Attributes:
        texts: all, and of them `with_units`.
        expanded: texts whose new ids expand to the base's ids, and of them `expanded_with_units`.
        round_trips: texts that come back as they do from the base.
        words: as they stand in the texts, and of them those that are cut otherwise than by the base, and those that
            are, though no new token stands in them.
        examples: the first that broke a promise.
    """

    texts: int = 0
    with_units: int = 0
    expanded: int = 0
    expanded_with_units: int = 0
    round_trips: int = 0
    words: int = 0
    changed: int = 0
    changed_without_new: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class UnitRate:
    """How often units of a kind, written in a surrounding, are one token; `base_tokens` is the mean in the base."""

    kind: str
    surrounding: str
    tried: int
    single: int
    base_tokens: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A unit that is not one token: how it was written, and the tokens it became."""

    kind: str
    unit: str
    written: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Cuts inside words against the seams of gold morphemes."""

    words: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Speed:
    """Processor time of one thread, medians: characters encoded a second, and seconds to load `tokenizer.json`."""

    characters: int
    encode: float
    load: float


@dataclass(frozen=True, slots=True)
class TokenizerReport:
    """All figures of one extended tokenizer.

    Attributes:
        base, family: of the base.
        base_size: the first new id.
        new_tokens: kind (`merge`, `hyperlexeme`, ...) -> new ids, and `used`, those that stand in the texts.
        counts: kind of text -> what it holds.
        economy: form (a scene's passage, its prompt form, its name) -> what it holds; empty without scenes.
        failed, failures: units written so that they are not one token, and the first such writing of some of them.
        boundaries, speed: `base` and `extended`; no boundaries without gold morphemes.
        unreachable: new tokens that no text can hold.
    """

    base: str
    family: str
    base_size: int
    new_tokens: dict[str, int]
    used: dict[str, int]
    counts: dict[str, Counts]
    kept: Kept
    units: tuple[UnitRate, ...]
    failed: int
    failures: tuple[Failure, ...]
    unreachable: tuple[str, ...]
    boundaries: dict[str, Boundaries]
    economy: dict[str, Counts]
    speed: dict[str, Speed]

    def to_json(self) -> str:
        """The figures; `texts` and `measured_by` are what the card of an extended base takes."""
        texts = {
            kind: {
                "characters per token": _compared(counts.characters_per_token()),
                "tokens per word": _compared(counts.tokens_per_word()),
            }
            for kind, counts in self.counts.items()
        }
        told = {"measured_by": COMMAND, "texts": texts, **asdict(self)}
        return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


def open_extended(folder: Path, base: str | None = None) -> ExtendedTokenizer:
    """Open what `tokenizer extend` wrote, with its base.

    Args:
        folder: the output of `tokenizer extend`.
        base: where the base is now; None: where it was when it was extended.

    Raises:
        HyperBridgeError: the folder holds no extension or no tokenizer, its base cannot be opened, or is another one.
    """
    from tokenizers import Tokenizer

    extension = Extension.load(folder)
    source = extension.base if base is None else base
    try:
        opened = open_base(source, extension.base_revision if source == extension.base else None)
    except HyperBridgeError as error:
        hint = "" if base else "; give its present place with --base"
        raise HyperBridgeError(f"{folder}: its base cannot be opened: {error}{hint}") from None
    if opened.sha256 != extension.base_sha256:
        raise HyperBridgeError(f"{folder}: {source} is not the base it was made from; give that one with --base")
    try:
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library's own is a bare Exception
        raise HyperBridgeError(f"{folder / 'tokenizer.json'}: cannot be read: {str(error)[:200]}") from None
    return ExtendedTokenizer(folder, opened, extension, backend)


def measure(
    opened: ExtendedTokenizer,
    texts: Iterable[KindText],
    *,
    scenes: Iterable[Scene] = (),
    gold: Mapping[str, Collection[int]] | None = None,
    tell: Callable[[str], None] | None = None,
) -> TokenizerReport:
    """Measure an extended tokenizer against its base.

    Args:
        opened: both.
        texts: read once, none of them kept but those that encoding is timed on.
        scenes: for their economy; their prompt forms are a kind of text.
        gold: word -> offsets of its seams, in characters.
        tell: called with what is being done.

    Raises:
        HyperBridgeError: there is no text.
    """
    tell = tell or (lambda _: None)
    tally = _Tally(opened)
    for text in texts:
        tally.add(text.kind, text.text)
    if not tally.counts:
        raise HyperBridgeError("no text to measure on: the files given with --text are empty")
    tell("scenes")
    economy = _economy(tally, scenes)
    tell("units in their surroundings")
    units, failures = unit_rates(opened)
    tell("unreachable tokens")
    lost = unreachable(opened)
    tell("boundaries of morphemes")
    boundaries = _boundaries(opened, gold) if gold else {}
    tell("speed")
    return TokenizerReport(
        base=opened.base.source,
        family=opened.base.family,
        base_size=opened.base.size,
        new_tokens=dict(Counter(map(_kind, opened.extension.tokens))),
        used=dict(Counter(_kind(opened.extension.tokens[one - opened.base.size]) for one in tally.used)),
        counts=dict(sorted(tally.counts.items(), key=lambda one: -one[1].characters)),
        kept=tally.kept,
        units=tuple(units),
        failed=len(failures),
        failures=_first_of_units(failures),
        unreachable=tuple(lost),
        boundaries=boundaries,
        economy=economy,
        speed=measure_speed(opened, tally.timed),
    )


def unit_rates(opened: ExtendedTokenizer) -> tuple[list[UnitRate], list[Failure]]:
    """Every unit in every surrounding: the share that is one token, by kind, and all that is not."""
    units: dict[str, list[NewToken]] = {}
    for token in opened.extension.tokens:
        if token.unit is not None:
            units.setdefault(token.unit.text, []).append(token)
    tried: Counter[tuple[str, str]] = Counter()
    failures: list[tuple[str, Failure]] = []
    pieces: dict[str, list[int]] = {}
    for text, tokens in units.items():
        kind, own = _kind(tokens[0]), {token.id for token in tokens}
        pieces.setdefault(kind, []).append(len(tokens[0].constituents))
        for surrounding, patterns in SURROUNDINGS.items():
            tried[kind, surrounding] += len(patterns)
            found = (_not_single(opened.backend, kind, text, pattern, own) for pattern in patterns)
            failures += [(surrounding, failure) for failure in found if failure]
    failed = Counter((failure.kind, surrounding) for surrounding, failure in failures)
    rates = [
        UnitRate(kind, surrounding, count, count - failed[kind, surrounding], statistics.fmean(pieces[kind]))
        for (kind, surrounding), count in tried.items()
    ]
    return rates, [failure for _, failure in failures]


def unreachable(opened: ExtendedTokenizer) -> list[str]:
    """New tokens that the tokenizer does not give for their own text, or that a unit inside of them cuts apart."""
    units = {token.id for token in opened.extension.tokens if token.unit}

    def reached(token: NewToken) -> bool:
        if token.merge is None:
            # After a bracket, where no tokenizer puts a space of its own before the text.
            return any(token.id in _ids(opened.backend, text) for text in (token.text or "", f"({token.text}"))
        found = [piece.id for piece in opened.backend.model.tokenize("".join(token.merge))]
        return found == [token.id] and units.isdisjoint(_ids(opened.backend, token.text or ""))

    return [_named(token) for token in opened.extension.tokens if not reached(token)]


def boundary_score(pairs: Iterable[tuple[Collection[int], Collection[int]]]) -> Boundaries:
    """Precision, recall and F1 of cuts, all words together; each pair is the seams of a word and the cuts in it."""
    words = right = found = both = 0
    for seams, cuts in pairs:
        words, right, found = words + 1, right + len(seams), found + len(cuts)
        both += len(set(seams) & set(cuts))
    return Boundaries(words, both / max(found, 1), both / max(right, 1), 2 * both / max(right + found, 1))


def morpheme_score(base: BaseTokenizer, backend: Tokenizer, gold: Iterable[tuple[str, Collection[int]]]) -> Boundaries:
    """The score of a backend's cuts in gold words: each after a space and by the merges alone, with no unit in it.

    Args:
        base: whose alphabet the backend has.
        backend: the base's own, or an extended one.
        gold: words and the offsets of their seams, in characters.
    """
    before_word = len(base.spelled(" "))

    def cuts(word: str) -> set[int]:
        pieces = backend.model.tokenize(base.spelled(f" {word}"))
        return set(accumulate(len(piece.value) for piece in pieces[:-1])) - {before_word}

    return boundary_score(({len(base.spelled(f" {word[:at]}")) for at in seams}, cuts(word)) for word, seams in gold)


def measure_speed(opened: ExtendedTokenizer, texts: Sequence[str]) -> dict[str, Speed]:
    """Time loading, and encoding: base and extended take turns at some texts each, so that a slow spell meets both."""
    from tokenizers import Tokenizer

    backends = {"base": opened.base.backend, "extended": opened.backend}
    written = {name: backend.to_str() for name, backend in backends.items()}
    encode: dict[str, list[float]] = {name: [] for name in backends}
    load: dict[str, list[float]] = {name: [] for name in backends}
    for _ in range(LOADS):
        for name in backends:
            load[name].append(_seconds(partial(Tokenizer.from_str, written[name])))
    _encode_in_turn(backends, texts)  # warms up
    for _ in range(ROUNDS):
        for name, seconds in _encode_in_turn(backends, texts).items():
            encode[name].append(seconds)
    characters = sum(map(len, texts))
    return {
        name: Speed(characters, characters / statistics.median(encode[name]), statistics.median(load[name]))
        for name in backends
    }


class _Tally:
    """Encodes texts with both tokenizers, counts, and checks what an extension promises."""

    def __init__(self, opened: ExtendedTokenizer) -> None:
        self._base, self._extended, self._extension = opened.base.backend, opened.backend, opened.extension
        self._units = {token.id for token in opened.extension.tokens if token.unit}
        self.counts: dict[str, Counts] = {}
        self.kept = Kept()
        self.used: set[int] = set()
        self.timed: list[str] = []
        self._timed_characters = 0

    def add(self, kind: str, text: str) -> tuple[int, int]:
        """Count a text among those of its kind."""
        tokens = self.tokens(text)
        self.counts.setdefault(kind, Counts()).add(text, *tokens)
        if self._timed_characters < TIMED_CHARACTERS:
            self.timed.append(text)
            self._timed_characters += len(text)
        return tokens

    def tokens(self, text: str) -> tuple[int, int]:
        """How many tokens a text has in the base and in the extended tokenizer; both are compared on it."""
        before = self._base.encode(text, add_special_tokens=False)
        after = self._extended.encode(text, add_special_tokens=False)
        new = {one for one in after.ids if one >= self._extension.base_size}
        self.used |= new
        self._compare_ids(text, before.ids, after.ids, bool(new & self._units))
        self._compare_words(text, before, after, new)
        return len(before.ids), len(after.ids)

    def _compare_ids(self, text: str, before: list[int], after: list[int], with_units: bool) -> None:
        kept = self.kept
        kept.texts += 1
        kept.with_units += with_units
        same = self._extension.expand(after) == before
        kept.expanded += same
        kept.expanded_with_units += same and with_units
        if not same and not with_units:
            self._example("expands to other ids", text)
        back = after == before or self._decoded(self._extended, after) == self._decoded(self._base, before)
        kept.round_trips += back
        if not back:
            self._example("comes back otherwise", text)

    def _compare_words(self, text: str, before: Encoding, after: Encoding, new: Collection[int]) -> None:
        spans = [match.span() for match in _WORD.finditer(text)]
        self.kept.words += len(spans)
        if before.ids == after.ids:
            return
        for span, old_cut, new_cut in zip(spans, _over(before, spans), _over(after, spans), strict=True):
            if old_cut != new_cut:
                self.kept.changed += 1
                if not any(one in new for one in new_cut):
                    self.kept.changed_without_new += 1
                    self._example("cut anew", text[slice(*span)])

    def _example(self, what: str, text: str) -> None:
        if len(self.kept.examples) < EXAMPLES:
            self.kept.examples.append(f"{what}: {text[:80]!r}")

    @staticmethod
    def _decoded(backend: Tokenizer, ids: list[int]) -> str:
        return str(backend.decode(ids, skip_special_tokens=False))


def _economy(tally: _Tally, scenes: Iterable[Scene]) -> dict[str, Counts]:
    forms = {"passage": Counts(), "scene, prompt form": Counts(), "scene, its name alone": Counts()}
    for scene in scenes:
        prompt = scene.prompt()
        tokens = tally.add(SCENES, prompt)
        passage = scene.modalities.text if scene.modalities else None
        if passage:
            written = ((passage, tally.tokens(passage)), (prompt, tokens), (scene.scene, tally.tokens(scene.scene)))
            for form, (text, counted) in zip(forms.values(), written, strict=True):
                form.add(text, *counted)
    return forms if forms["passage"].texts else {}


def _over(encoding: Encoding, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
    """The ids of the tokens that reach into each span; spans in order, in characters."""
    ids, offsets, first = encoding.ids, encoding.offsets, 0
    for start, end in spans:
        while first < len(ids) and offsets[first][1] <= start:
            first += 1
        last = first
        while last < len(ids) and offsets[last][0] < end:
            last += 1
        yield tuple(ids[first:last])


def _not_single(backend: Tokenizer, kind: str, text: str, pattern: str, own: Collection[int]) -> Failure | None:
    at = pattern.index("{}")
    encoding = backend.encode(pattern.replace("{}", text), add_special_tokens=False)
    (found,) = _over(encoding, [(at, at + len(text))])
    if len(found) == 1 and found[0] in own:
        return None
    return Failure(kind, text, pattern.replace("{}", text), tuple(backend.decode([one]) for one in found))


def _first_of_units(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    first: dict[str, Failure] = {}
    for failure in failures:
        first.setdefault(failure.unit, failure)
    return tuple(first.values())[:EXAMPLES]


def _boundaries(opened: ExtendedTokenizer, gold: Mapping[str, Collection[int]]) -> dict[str, Boundaries]:
    backends = {"base": opened.base.backend, "extended": opened.backend}
    return {name: morpheme_score(opened.base, backend, gold.items()) for name, backend in backends.items()}


def _ids(backend: Tokenizer, text: str) -> list[int]:
    return list(backend.encode(text, add_special_tokens=False).ids)


def _kind(token: NewToken) -> str:
    return token.unit.kind if token.unit else "merge"


def _named(token: NewToken) -> str:
    return token.text if token.text is not None else "".join(token.merge or ())


def _encode_in_turn(backends: Mapping[str, Tokenizer], texts: Sequence[str]) -> dict[str, float]:
    """Seconds that each took for all texts."""
    seconds = dict.fromkeys(backends, 0.0)
    for start in range(0, len(texts), TURN):
        for name in backends:
            seconds[name] += _seconds(partial(_encode_all, backends[name], texts[start : start + TURN]))
    return seconds


def _encode_all(backend: Tokenizer, texts: Iterable[str]) -> None:
    for text in texts:
        backend.encode(text)


def _seconds(action: Callable[[], Any]) -> float:
    started = time.process_time()
    action()
    return max(time.process_time() - started, 1e-9)


def _compared(pair: tuple[float, float]) -> dict[str, float]:
    base, extended = pair
    return {"base": round(base, 4), "extended": round(extended, 4)}
