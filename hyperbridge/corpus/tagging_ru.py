"""Tokenised Russian sentences -> tags and trees, by slovnet's two networks, computed a few times as fast.

Both networks are three convolutions over the vectors of words and of their shapes; from there one tells the tag of a
token, the other its head and its relation. slovnet (MIT, github.com/natasha/slovnet; its small news models) loads the
weights; the arithmetic is ours. The first layer is computed once for each different word of a call; sentences lie in
one array with a row between them that stands for the root, so nothing is padded; the scales of the batch norms go into
the weights after them. All products have one number of rows, so that a sentence gives the same whatever stands beside
it. Tags and trees are slovnet's, but where two are equally likely within rounding. Cost: about 15 microseconds a token;
slovnet's own way takes three times as long, and four where sentences of all lengths are padded to one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from hyperbridge.dictionary_ru import embedding, missing_package, model_file

MORPH, SYNTAX = "model/slovnet_morph_news_v1.tar", "model/slovnet_syntax_news_v1.tar"
# Rows of every product: some sentences, whose layers fit in a core's own cache.
_ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Tag:
    """A part of speech with its features (Universal Dependencies); all tokens so tagged have this one object."""

    pos: str
    feats: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tagging:
    """What the networks say of a sentence, token by token.

    Attributes:
        heads: place of the head in the sentence, -1 for the root; empty where no tree was asked for.
        relations: to the head; as many as heads.
    """

    tags: Sequence[Tag]
    heads: Sequence[int] = ()
    relations: Sequence[str] = ()


def tag_all(sentences: Sequence[Sequence[str]], *, tree: bool) -> list[Tagging]:
    """Tags, and trees where asked for, of tokenised sentences, in order.

    Raises:
        HyperBridgeError: a package of the extra `russian` is not installed.
    """
    words = list(dict.fromkeys(chain.from_iterable(sentences)))
    numbers = {word: number for number, word in enumerate(words)}
    tagger, parser = _tagger(), _tree_parser() if tree else None
    vectors, shapes = _inputs(words)
    of_tagger = tagger.trunk.taps(vectors, shapes)
    of_parser = parser.trunk.taps(vectors, shapes) if parser else of_tagger
    found: list[Tagging] = []
    for group in _groups(sentences):
        rows = _Rows.of(group, numbers)
        tags = tagger.read(of_tagger, rows)
        heads, relations = parser.read(of_parser, rows) if parser else ((), ())
        for start, stop in rows.spans():
            found.append(Tagging(tags[start:stop], heads[start:stop], relations[start:stop]))
    return found


def _groups(sentences: Sequence[Sequence[str]]) -> Iterator[Sequence[Sequence[str]]]:
    """Runs of sentences that fit in `_ROWS` rows, with a row before each and one at the end; long ones stand alone."""
    start, room = 0, _ROWS - 1
    for number, sentence in enumerate(sentences):
        needed = len(sentence) + 1
        if needed > room and number > start:
            yield sentences[start:number]
            start, room = number, _ROWS - 1
        room -= needed
    if start < len(sentences):
        yield sentences[start:]


@dataclass(frozen=True, slots=True)
class _Rows:
    """A group of sentences, laid out in rows: before each sentence its root, after the last roots that fill up.

    Attributes:
        words: (rows,) number of the word in the call; that of a root is one more than of any word.
        roots: where the roots are, in order.
        lengths: of the sentences in tokens.
    """

    words: np.ndarray
    roots: np.ndarray
    lengths: Sequence[int]

    @classmethod
    def of(cls, sentences: Sequence[Sequence[str]], numbers: Mapping[str, int]) -> _Rows:
        root = len(numbers)
        listed: list[int] = []
        for sentence in sentences:
            listed.append(root)
            listed.extend(map(numbers.__getitem__, sentence))
        listed += [root] * (_ROWS - len(listed) % _ROWS)
        words = np.array(listed)
        return cls(words, np.flatnonzero(words == root), [len(sentence) for sentence in sentences])

    def openings(self) -> np.ndarray:
        """(rows,) the root of each row's sentence."""
        marked: np.ndarray = np.zeros(len(self.words), int)
        marked[self.roots] = self.roots
        return np.maximum.accumulate(marked)

    def spans(self) -> Iterator[tuple[int, int]]:
        """(start, stop) of the rows of each sentence, its root left out."""
        for root, length in zip(self.roots.tolist(), self.lengths, strict=False):
            yield root + 1, root + 1 + length


@dataclass(frozen=True, slots=True)
class _Trunk:
    """The three convolutions of a network, their batch norms folded into what follows them.

    Attributes:
        words, shapes: first layer's weights of the vector of a word, (300, 3 * 256), and what each shape adds,
            (shapes, 3 * 256); the three parts are for the token after, the token itself, the token before.
        second, third: weights of the other layers, (256, 3 * 128) and (128, 3 * 64).
        biases: of the layers.
        rests: of the first two layers, what a root's row is set to: the batch norm would make zero of it.
    """

    words: np.ndarray
    shapes: np.ndarray
    second: np.ndarray
    third: np.ndarray
    biases: tuple[np.ndarray, np.ndarray, np.ndarray]
    rests: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, model: Any) -> tuple[_Trunk, np.ndarray, np.ndarray]:
        """The trunk of slovnet's model, and the scale and the shift of its last batch norm, for the heads to take."""
        convolutions = [layer.conv for layer in model.encoder.layers]
        weights = [conv.weight.array.transpose(1, 2, 0) for conv in convolutions]  # inputs, places, outputs
        biases = [conv.bias.array for conv in convolutions]
        norms = [_norm(layer.norm) for layer in model.encoder.layers]
        for number, (scale, shift) in enumerate(norms[:-1], start=1):
            biases[number] = biases[number] + np.tensordot(shift, weights[number].sum(1), 1)
            weights[number] = weights[number] * scale[:, None, None]
        first, second, third = (np.ascontiguousarray(weight.reshape(len(weight), -1)) for weight in weights)
        size = model.emb.word.dim
        shapes = model.emb.shape.weight.array @ first[size:]
        rests = tuple(-shift / scale for scale, shift in norms[:-1])
        return cls(first[:size], shapes, second, third, tuple(biases), rests), *norms[-1]

    def taps(self, vectors: np.ndarray, shapes: np.ndarray) -> np.ndarray:
        """(words, 3 * 256): what each different word adds to the first layer, around it and at its own place."""
        return _times(vectors, self.words)[: len(shapes)] + self.shapes[shapes]

    def read(self, taps: np.ndarray, rows: _Rows) -> np.ndarray:
        """(rows, 64): the last layer, before its batch norm."""
        layer = self._layer(taps[rows.words], 0)
        for number, weights in enumerate((self.second, self.third), start=1):
            layer[rows.roots] = self.rests[number - 1]
            layer = self._layer(_times(layer, weights), number)
        return layer

    def _layer(self, parts: np.ndarray, number: int) -> np.ndarray:
        """The sum of the parts that three neighbours give, cut at zero; the first and the last row are roots."""
        size = len(self.biases[number])
        total = parts[:, size : 2 * size] + self.biases[number]
        total[1:] += parts[:-1, :size]
        total[:-1] += parts[1:, 2 * size :]
        return np.maximum(total, 0, out=total)


@dataclass(frozen=True, slots=True)
class _Tagger:
    """The network of tags: `weights` (64, tags), `biases` and the tags themselves."""

    trunk: _Trunk
    weights: np.ndarray
    biases: np.ndarray
    tags: tuple[Tag, ...]

    @classmethod
    def of(cls, slovnet_model: Any) -> _Tagger:
        model = slovnet_model.infer.model
        trunk, scale, shift = _Trunk.of(model)
        weights, biases = _after_norm(model.head.proj, scale, shift)
        return cls(trunk, weights, biases, tuple(map(_tag, slovnet_model.infer.decoder.tags_vocab.items)))

    def read(self, taps: np.ndarray, rows: _Rows) -> list[Tag]:
        """The tag of each row."""
        scores = _times(self.trunk.read(taps, rows), self.weights) + self.biases
        return [self.tags[number] for number in scores.argmax(1).tolist()]


@dataclass(frozen=True, slots=True)
class _TreeParser:
    """The network of heads and relations.

    Four projections make of every token and of the root, which has fixed ones, 32 numbers each: as one that looks for
    its head, as one that may be a head, and the same again for the relation.

    Attributes:
        weights, biases: of the four projections side by side, (64, 4 * 32); `roots` (2, 32) are the root's own, as a
            head and as a head of a relation.
        heads: (32, 32), between a token and what may be its head.
        relations: (32 * 32, relations), between all pairs of numbers of a head and of its token.
        names: of the relations.
    """

    trunk: _Trunk
    weights: np.ndarray
    biases: np.ndarray
    roots: np.ndarray
    heads: np.ndarray
    relations: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, slovnet_model: Any) -> _TreeParser:
        model = slovnet_model.infer.model
        head, rel = model.head, model.rel
        trunk, scale, shift = _Trunk.of(model)
        folded = [_after_norm(ends.proj, scale, shift) for ends in (head.head, head.tail, rel.head, rel.tail)]
        roots = [
            np.maximum(root.array @ ends.proj.weight.array + ends.proj.bias.array, 0)
            for root, ends in ((head.root, head.tail), (rel.root, rel.head))
        ]
        names = tuple(slovnet_model.infer.decoder.rels_vocab.items)
        size = len(rel.kernel.array)
        relations = rel.kernel.array.reshape(size, len(names), size).transpose(0, 2, 1).reshape(size * size, len(names))
        return cls(
            trunk,
            np.concatenate([weights for weights, _ in folded], 1),
            np.concatenate([biases for _, biases in folded]),
            np.stack(roots),
            head.kernel.array,
            np.ascontiguousarray(relations),
            names,
        )

    def read(self, taps: np.ndarray, rows: _Rows) -> tuple[list[int], list[str]]:
        """For each row the place of its head in the sentence, -1 for the root, and its relation."""
        projected = np.maximum(_times(self.trunk.read(taps, rows), self.weights) + self.biases, 0)
        seeking, heading, governing, governed = np.split(projected, 4, 1)
        heading[rows.roots], governing[rows.roots] = self.roots
        heads = self._heads(seeking, heading, rows)
        pairs = governing[heads][:, :, None] * governed[:, None, :]
        relations = _times(pairs.reshape(len(pairs), -1), self.relations).argmax(1).tolist()
        return (heads - rows.openings() - 1).tolist(), [self.names[number] for number in relations]

    def _heads(self, seeking: np.ndarray, heading: np.ndarray, rows: _Rows) -> np.ndarray:
        """(rows,) the row of each row's head: the best of its sentence and its root."""
        scores = _times(_times(seeking, self.heads), np.ascontiguousarray(heading.T))
        openings = rows.openings()
        scores[openings[:, None] != openings] = -np.inf
        return scores.argmax(1)


def _times(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A product in blocks of `_ROWS` rows, the last filled up: in blocks of one size a row gives the same anywhere."""
    blocks = []
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        if len(block) < _ROWS:
            block = np.concatenate([block, np.zeros((_ROWS - len(block), rows.shape[1]), rows.dtype)])
        blocks.append(block @ weights)
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _norm(norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift of a batch norm."""
    scale = norm.weight.array / norm.std.array
    return scale, norm.bias.array - norm.mean.array * scale


def _after_norm(projection: Any, scale: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of a projection that takes what a batch norm has not scaled and shifted yet."""
    weights = projection.weight.array
    return scale[:, None] * weights, projection.bias.array + shift @ weights


def _tag(written: str) -> Tag:
    """`NOUN|Case=Nom|Number=Sing` as a tag."""
    pos, *feats = written.split("|")
    return Tag(pos, dict(pair.split("=", 1) for pair in feats))


def _inputs(words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(words + 1, 300) vectors and (words + 1,) shapes of words; the last row is a root's, zeros.

    Both networks number words and shapes alike.
    """
    encoder = tagger().infer.encoder
    padding = encoder.words_vocab.pad_id, encoder.shapes_vocab.pad_id
    numbers, shapes = np.array([*map(_word, words), padding]).T
    quantised = embedding().pq
    chunks = quantised.codes[np.arange(len(quantised.codes)), quantised.indexes[numbers]]
    return chunks.reshape(len(numbers), -1), shapes


@lru_cache(maxsize=20_000)
def _word(word: str) -> tuple[int, int]:
    """slovnet's numbers of a word and of its shape."""
    ((number,), (shape,)) = tagger().infer.encoder.item([word])
    return number, shape


def tagger() -> Any:
    """slovnet's own model of parts of speech and features; `map` takes tokenised sentences."""
    return _slovnet("Morph", MORPH)


def tree_parser() -> Any:
    """slovnet's own model of dependencies."""
    return _slovnet("Syntax", SYNTAX)


@lru_cache(maxsize=2)
def _slovnet(kind: str, path: str) -> Any:
    try:
        import slovnet
    except ImportError:
        raise missing_package("slovnet") from None
    return getattr(slovnet, kind).load(model_file(path)).navec(embedding())


@lru_cache(maxsize=1)
def _tagger() -> _Tagger:
    return _Tagger.of(tagger())


@lru_cache(maxsize=1)
def _tree_parser() -> _TreeParser:
    return _TreeParser.of(tree_parser())
