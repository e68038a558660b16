"""Scenes that say the same again: repeated and nearly repeated passages are linked and counted, not thrown away.

Two passages are an *exact* echo when they have the same words (case, punctuation, stress marks and ё aside), a *near*
echo when MinHash finds at least `NEAR` of their words and word pairs in common, and a *scene* echo when their
texts differ but their hyperlexemes are the same set of lemmas. Of 72 hashes, 24 bands of 3 lead to the candidates
(buckets with chains); all 72 then estimate the Jaccard similarity, with a standard error of at most 0.06. Source:
Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3.

Cost: 0.15 ms a passage on one core in an index of 100,000, 0.7 ms in one of a million, for the candidates grow with it.
Memory: `bytes_used`, 420 to 530 bytes and the id for each passage of different words, nothing for an exact
repetition, so a million fit in 0.6 GB. That is why the index is written here: the
permissive libraries keep a hash table entry for every band of every passage (with the same 24 bands of 3: rensa 1,800
bytes a passage, datasketch 12,000).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from hyperbridge.errors import HyperBridgeError
from hyperbridge.scenes import EchoLink, Scene

if TYPE_CHECKING:
    import numpy as np

    UInts = np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]

Kind = Literal["exact", "near", "scene"]

# Unrelated passages share 0.02 (one pair in a thousand 0.08), passages with a fifth of the words changed 0.6.
NEAR = 0.3
BANDS, BAND_HASHES = 24, 3
MAX_LEMMAS = 5

_HASHES = BANDS * BAND_HASHES
# A row is reached by its digest, by its hyperlexeme, and by each band of its signature.
_DIGEST, _HYPERLEXEME, _COLUMNS = 0, 1, 2 + BANDS
_FIRST_BUCKETS_LOG2 = 10
_ODD = 0x9E3779B97F4A7C15
_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile("[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True)
class Echo:
    """What a passage repeats.

    Attributes:
        kind: None where it repeats nothing that came before.
        of: the id of the passage it repeats: the first of the same words, the most similar, the latest of the same
            hyperlexeme.
        similarity: 1.0 for exact and scene echoes; for near ones the estimated Jaccard similarity, 0..1.
    """

    kind: Kind | None = None
    of: str | None = None
    similarity: float = 0.0


@dataclass(slots=True)
class LinkCounts:
    """What linking found: scenes, and kind of echo (or `new`) -> scenes."""

    scenes: int = 0
    echoes: Counter[str] = field(default_factory=Counter)


class Echoes:
    """An index of the passages seen so far; rows are passages of different words, numbered as they came."""

    def __init__(self) -> None:
        self._ids = _Names()
        self._digests, self._lemmas = array("Q"), array("Q")
        self._signatures = bytearray()
        self._buckets = _Buckets()
        self._copies = array("I")
        self._of, self._similarity, self._kind = array("i"), array("f"), array("b")
        # Near echoes as (row, earlier row, whether their hyperlexemes are akin too).
        self._links = array("i")

    def __len__(self) -> int:
        return len(self._copies)

    def add(self, id: str, text: str, lemmas: Sequence[str] = ()) -> Echo:
        """Take a passage in and tell what it repeats.

        Args:
            id: names the passage in the echoes of later ones.
            text: the passage; where it has no words its lemmas are compared, and else its very characters.
            lemmas: its hyperlexeme; the first five different lemmas count, fewer than two are none.
        """
        words = _words_to_compare(text, lemmas)
        digest = _digest(words)
        first = self._find(digest)
        if first is not None:
            self._copies[first] += 1
            return Echo("exact", self._ids[first], 1.0)
        return self._add_row(id, digest, _signature(words), _lemma_hashes(lemmas))

    def row_of(self, text: str, lemmas: Sequence[str] = ()) -> int | None:
        """The row of the passages with these words, None where there are none."""
        return self._find(_digest(_words_to_compare(text, lemmas)))

    def id_of(self, row: int) -> str:
        """The id of the first passage of a row."""
        return self._ids[row]

    def echo_of(self, row: int) -> Echo:
        """What the first passage of a row repeats."""
        if not self._kind[row]:
            return Echo()
        kind: Kind = "near" if self._kind[row] == 1 else "scene"
        return Echo(kind, self._ids[self._of[row]], round(self._similarity[row], 2))

    def resonance(self) -> Ints:
        """For each row how many other passages it is linked to, (rows,) int64; each is counted once.

        Linked are exact and near echoes, and passages whose hyperlexeme is the same or nearly so: at most one lemma
        on either side is missing on the other, and more than half of all of them are shared. Near echoes hold between
        pairs, so neither the counts nor the links depend on the order in which the passages came. Passages of the same
        words count with the hyperlexeme of the first of them.
        """
        import numpy as np

        copies = np.frombuffer(self._copies, np.uint32).astype(np.int64)
        links = np.frombuffer(self._links, np.int32).reshape(-1, 3)
        lemmas = np.frombuffer(self._lemmas, np.uint64).reshape(-1, MAX_LEMMAS)
        linked = copies - 1 + _akin_counts(lemmas, copies)
        only_near = links[links[:, 2] == 0]
        np.add.at(linked, only_near[:, 0], copies[only_near[:, 1]])
        np.add.at(linked, only_near[:, 1], copies[only_near[:, 0]])
        return linked

    def bytes_used(self) -> int:
        """The size of the index in memory, in bytes."""
        kept = (self._digests, self._lemmas, self._copies, self._of, self._similarity, self._kind, self._links)
        return (
            sum(values.buffer_info()[1] * values.itemsize for values in kept)
            + len(self._signatures)
            + self._buckets.bytes_used()
            + self._ids.bytes_used()
        )

    def _add_row(self, id: str, digest: int, signature: UInts, lemmas: list[int]) -> Echo:
        row, keys = len(self), _keys(digest, lemmas, signature)
        near = list(self._near(signature, keys))
        akin = self._latest_of_hyperlexeme(lemmas, keys)
        self._ids.append(id)
        self._digests.append(digest)
        self._lemmas.extend(lemmas + [0] * (MAX_LEMMAS - len(lemmas)))
        self._signatures += signature.tobytes()
        self._copies.append(1)
        for other, _ in near:
            self._links.extend((row, other, _are_akin(set(lemmas), set(self._lemmas_of(other)))))
        similarity, of = max(((value, -other) for other, value in near), default=(1.0, -akin))
        kind = 1 if near else 2 if akin >= 0 else 0
        self._kind.append(kind)
        self._of.append(-of)
        self._similarity.append(similarity)
        if self._buckets.is_full(len(self)):
            self._buckets.rebuild(self._all_keys())
        else:
            self._buckets.append(row, keys)
        return self.echo_of(row)

    def _find(self, digest: int) -> int | None:
        found = self._buckets.rows(_DIGEST, digest)
        return next((row for row in found if self._digests[row] == digest), None)

    def _near(self, signature: UInts, keys: list[int]) -> Iterator[tuple[int, float]]:
        """Earlier rows that are near echoes, each with its similarity, in order."""
        import numpy as np

        candidates = sorted({row for band in range(2, _COLUMNS) for row in self._buckets.rows(band, keys[band])})
        if not candidates:
            return
        theirs = np.frombuffer(self._signatures, np.uint16).reshape(-1, _HASHES)[candidates]
        similarities = (theirs == signature).mean(axis=1)
        for place in np.flatnonzero(similarities >= NEAR).tolist():
            yield candidates[place], float(similarities[place])

    def _latest_of_hyperlexeme(self, lemmas: list[int], keys: list[int]) -> int:
        """The latest row with the same set of lemmas, -1 where there is none."""
        if not lemmas:
            return -1
        wanted = set(lemmas)
        found = self._buckets.rows(_HYPERLEXEME, keys[_HYPERLEXEME])
        return next((row for row in found if set(self._lemmas_of(row)) == wanted), -1)

    def _lemmas_of(self, row: int) -> list[int]:
        return [lemma for lemma in self._lemmas[row * MAX_LEMMAS : (row + 1) * MAX_LEMMAS] if lemma]

    def _all_keys(self) -> Iterator[UInts]:
        """The keys of all rows, column by column, each (rows,) uint64."""
        import numpy as np

        digests = np.frombuffer(self._digests, np.uint64)
        yield digests
        sums = np.frombuffer(self._lemmas, np.uint64).reshape(-1, MAX_LEMMAS).sum(axis=1)
        yield np.where(sums == 0, digests, sums)
        signatures = np.frombuffer(self._signatures, np.uint16).reshape(-1, BANDS, BAND_HASHES)
        for band in range(BANDS):
            yield _band_keys(signatures[:, band])


def link_scenes(read: Callable[[], Iterable[Scene]], counts: LinkCounts) -> Iterator[Scene]:
    """Scenes, each with what it repeats and how many others it is linked to.

    A scene gets `resonance`, the number of scenes linked to it, and, where it repeats an earlier one, `echo`:
    `{"kind": "near", "of": "<id>", "similarity": 0.61}`. What comes out is a function of the scenes and their order.

    Args:
        read: gives the scenes; called twice, to index them and to link them.
        counts: filled as the scenes are drawn.

    Raises:
        HyperBridgeError: the scenes changed between the two times.
    """
    echoes = Echoes()
    for number, scene in enumerate(read(), start=1):
        echoes.add(id_of(scene, number), passage_of(scene), scene.hyperlexeme)
    resonance, seen = echoes.resonance(), bytearray(len(echoes))
    for scene in read():
        row = echoes.row_of(passage_of(scene), scene.hyperlexeme)
        if row is None:
            raise HyperBridgeError("the scenes changed while they were being linked; run it again")
        echo = Echo("exact", echoes.id_of(row), 1.0) if seen[row] else echoes.echo_of(row)
        seen[row] = 1
        counts.scenes += 1
        counts.echoes[echo.kind or "new"] += 1
        yield _linked(scene, int(resonance[row]), echo)


def id_of(scene: Scene, number: int) -> str:
    """What others call a scene: its id, else where it was cut, else its number."""
    if scene.id is not None:
        return scene.id
    span = scene.span
    return f"{span.source}:{span.start}-{span.end}" if span else f"#{number}"


def passage_of(scene: Scene) -> str:
    """The text of a scene; a scene without one is what its prompt form says."""
    return (scene.modalities.text if scene.modalities else None) or scene.prompt()


def normal_words(text: str) -> list[str]:
    """The words of a text as repetitions are told by: small letters and digits, no stress marks, е for ё."""
    return _WORD.findall(_MARKS.sub("", unicodedata.normalize("NFC", text)).lower().replace("ё", "е"))


def _words_to_compare(text: str, lemmas: Sequence[str]) -> list[str]:
    return normal_words(text) or list(lemmas) or [text]


def _linked(scene: Scene, resonance: int, echo: Echo) -> Scene:
    update: dict[str, Any] = {"resonance": resonance}
    if echo.kind is not None:
        update["echo"] = EchoLink(kind=echo.kind, of=echo.of or "", similarity=echo.similarity)
    return scene.model_copy(update=update)


class _Names:
    """Strings end to end in one buffer: a quarter of what a list of them takes."""

    def __init__(self) -> None:
        self._text, self._ends = bytearray(), array("Q", [0])

    def append(self, name: str) -> None:
        self._text += name.encode()
        self._ends.append(len(self._text))

    def __getitem__(self, row: int) -> str:
        return self._text[self._ends[row] : self._ends[row + 1]].decode()

    def bytes_used(self) -> int:
        return len(self._text) + 8 * len(self._ends)


class _Buckets:
    """For each column a hash table of chains: a bucket holds its latest row, a row the one before it (+1; 0: none)."""

    def __init__(self) -> None:
        self._log2 = _FIRST_BUCKETS_LOG2
        self._heads = array("I", [0]) * (_COLUMNS << self._log2)
        self._before = array("I")

    def is_full(self, rows: int) -> bool:
        return rows > 1 << self._log2

    def rows(self, column: int, key: int) -> Iterator[int]:
        """The rows in the bucket of a key, latest first: those with that key and, by chance, others."""
        row = self._heads[self._place(column, key)]
        while row:
            yield row - 1
            row = self._before[(row - 1) * _COLUMNS + column]

    def append(self, row: int, keys: list[int]) -> None:
        for column, key in enumerate(keys):
            place = self._place(column, key)
            self._before.append(self._heads[place])
            self._heads[place] = row + 1

    def rebuild(self, columns: Iterator[UInts]) -> None:
        """Twice the buckets; `columns` gives the keys of all rows, column by column."""
        import numpy as np

        self._log2 += 1
        self._heads = array("I", [0]) * (_COLUMNS << self._log2)
        self._before.extend([0] * _COLUMNS)
        heads = np.frombuffer(self._heads, np.uint32).reshape(_COLUMNS, -1)
        before = np.frombuffer(self._before, np.uint32).reshape(-1, _COLUMNS)
        for column, keys in enumerate(columns):
            buckets = (keys * np.uint64(_ODD)) >> np.uint64(64 - self._log2)
            order = np.argsort(buckets, kind="stable")
            changes: Ints = np.flatnonzero(np.diff(buckets[order])) + 1
            before[order[1:], column] = order[:-1] + 1
            before[order[np.concatenate(([0], changes))], column] = 0
            last = order[np.concatenate((changes - 1, [len(order) - 1]))]
            heads[column, buckets[last]] = last + 1

    def bytes_used(self) -> int:
        return 4 * (len(self._heads) + len(self._before))

    def _place(self, column: int, key: int) -> int:
        return (column << self._log2) + ((key * _ODD & 0xFFFFFFFFFFFFFFFF) >> (64 - self._log2))


def _digest(words: Iterable[str]) -> int:
    return int.from_bytes(hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest(), "little")


def _keys(digest: int, lemmas: list[int], signature: UInts) -> list[int]:
    """What a row is found by, one key a column; without a hyperlexeme its column holds the digest."""
    hyperlexeme = sum(lemmas) & 0xFFFFFFFFFFFFFFFF or digest
    return [digest, hyperlexeme, *_band_keys(signature.reshape(BANDS, BAND_HASHES)).tolist()]


def _band_keys(bands: UInts) -> UInts:
    """(n, 3) uint16 -> (n,) uint64."""
    import numpy as np

    first, second, third = bands.astype(np.uint64).T
    return (first << np.uint64(32)) | (second << np.uint64(16)) | third


def _signature(words: list[str]) -> UInts:
    """The low halves of the 72 least hashes of the words and word pairs, (72,) uint16."""
    import numpy as np

    hashes = _mixed(np.array([zlib.crc32(word.encode()) for word in words], dtype=np.uint64))
    shingles = np.concatenate((hashes, _mixed(hashes[:-1] * np.uint64(3) + hashes[1:])))
    return ((shingles * _multipliers()).min(axis=1) >> np.uint64(32)).astype(np.uint16)


@lru_cache(maxsize=1)
def _multipliers() -> UInts:
    """72 odd numbers, (72, 1) uint64, the same everywhere."""
    import numpy as np

    numbers: UInts = _mixed(np.arange(1, _HASHES + 1, dtype=np.uint64))[:, None] | np.uint64(1)
    return numbers


def _mixed(values: UInts) -> UInts:
    """Every bit of the result depends on every bit of the value (the finaliser of splitmix64)."""
    import numpy as np

    values = (values + np.uint64(1)) * np.uint64(_ODD)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _lemma_hashes(lemmas: Sequence[str]) -> list[int]:
    """Hashes of the different lemmas of a hyperlexeme, at most five; none where there are fewer than two."""
    different = list(dict.fromkeys(" ".join(normal_words(lemma)) for lemma in lemmas))[:MAX_LEMMAS]
    return [_digest([lemma]) for lemma in different] if len(different) > 1 else []


def _are_akin(one: set[int], other: set[int]) -> bool:
    """The rule of `Echoes.resonance` for two hyperlexemes."""
    shared, most = len(one & other), max(len(one), len(other))
    return most - shared <= 1 and 2 * shared > len(one | other)


def _akin_counts(lemmas: UInts, copies: Ints) -> Ints:
    """For each row how many passages of other rows have the same or nearly the same hyperlexeme, (rows,) int64.

    A set is the sum of its hashes, so a set less one lemma is a subtraction: no pair of rows is ever looked at.

    Args:
        lemmas: (rows, 5) uint64, 0 where there is no lemma.
        copies: (rows,) int64, passages of a row.
    """
    import numpy as np

    there, whole = lemmas > 0, lemmas.sum(axis=1)
    sizes = there.sum(axis=1)
    less_one = whole[:, None] - lemmas
    has_less = there & (sizes >= 3)[:, None]
    known = np.unique(np.concatenate((whole, less_one[has_less])))
    whole_at: Ints = np.asarray(np.searchsorted(known, whole))
    less_at: Ints = np.asarray(np.searchsorted(known, less_one))
    less_at[~has_less] = 0
    as_whole = np.bincount(whole_at, np.where(sizes > 0, copies, 0), len(known))
    as_less = np.bincount(less_at[has_less], np.broadcast_to(copies[:, None], there.shape)[has_less], len(known))
    same = as_whole[whole_at]
    contained = np.where(has_less, as_whole[less_at], 0).sum(axis=1)
    one_changed = np.where(has_less & (sizes >= 4)[:, None], as_less[less_at] - same[:, None], 0).sum(axis=1)
    counts = same - copies + contained + as_less[whole_at] + one_changed
    return np.where(sizes > 0, counts, 0).astype(np.int64)
