"""Extending a base's tokenizer: units become added tokens, merges are learned from texts, and all of it is checked.

Units are taken out of the texts first, as they never reach the BPE model; what is left is counted word by word, and
new merges are learned on the base's own segmentation (`merges`). Before anything is written, each new piece has to
come out as one token of its own spelling, and what is written is read back and its vocabulary compared; so no new id
is unreachable and no old id moved. The folder appears under its name only when it is complete. Cost: one pass over
the texts and what learning costs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hyperbridge.errors import HyperBridgeError
from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer
from hyperbridge.tokenizer.extension import FILE_NAME, Extension, NewToken, Unit
from hyperbridge.tokenizer.merges import Merge, learn_merges, refused_by
from hyperbridge.tokenizer.morphemes import Seams, seams_of_pretokens, with_lexicon
from hyperbridge.tokenizer.units import Refusal, UnitToken, admit

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Extended:
    """What was written, and what got no id."""

    extension: Extension
    refused: list[Refusal]


def extend(
    base: BaseTokenizer,
    folder: Path,
    *,
    units: Sequence[Unit] = (),
    texts: Iterable[str] = (),
    merges: int = 0,
    seams: Seams | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Extended:
    """Write an extended tokenizer: files that load without this package, and `extension.json`.

    Args:
        base: whose ids stay.
        folder: to be made; one that holds an extended tokenizer is replaced when `overwrite` says so.
        units: texts to be one token each, in the order of their ids.
        texts: what merges are learned from.
        merges: how many pieces to learn; fewer where the texts do not give so many.
        seams: of a word, where no merge is to cross; None learns without.
        overwrite: replace an earlier output.
        progress: called with the number of merges learned.

    Raises:
        HyperBridgeError: the folder is in the way, no text was given to learn from, or the base cannot be extended
            so that its own ids stay.
    """
    check_folder(folder, overwrite=overwrite)
    admitted, refused = _admitted(base, units)
    learned = _learn(base, admitted, texts, merges, seams, progress) if merges else []
    pairs, unreachable = reachable(base, learned, admitted)
    refused += unreachable
    extension = extension_of(base, pairs, admitted)
    with _new_folder(folder) as unfinished:
        base.write(unfinished, pairs, admitted)
        extension.save(unfinished)
        _read_back(base, extension, unfinished)
    return Extended(extension, refused)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse an output folder that holds something else, or something that nobody said to overwrite.

    Raises:
        HyperBridgeError: it does.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / FILE_NAME).is_file():
        raise HyperBridgeError(f"{folder}: exists already and is no extended tokenizer; give another -o")
    if not overwrite:
        raise HyperBridgeError(f"{folder}: exists already; give another -o, or --overwrite to replace it")


def count_words(base: BaseTokenizer, texts: Iterable[str], units: Sequence[Unit] = ()) -> Counter[str]:
    """How often each pretoken stands in texts, added tokens and units left out, in the alphabet of the vocabulary."""
    matcher = _Matcher(base, units)
    words: Counter[str] = Counter()
    for text in texts:
        for part in matcher.between(text):
            words.update(base.pretokens(part))
    return words


def reachable(base: BaseTokenizer, pairs: Sequence[Merge], units: Sequence[Unit]) -> tuple[list[Merge], list[Refusal]]:
    """Split merges into those whose piece a text can reach, and the rest.

    A piece is unreachable where BPE does not make it of its own spelling, or a unit inside it is matched first.
    """
    matcher, kept = _Matcher(base, units), list(pairs)
    dropped: list[Refusal] = []
    while True:
        model = base.extended(kept, ()).model
        lost = [pair for pair in kept if len(model.tokenize("".join(pair))) != 1 or matcher.within(base, pair)]
        if not lost:
            return kept, dropped
        gone = {"".join(pair) for pair in lost}
        dropped += [Refusal(base.surface("".join(pair)) or "".join(pair), "no text reaches it") for pair in lost]
        # Whatever is made of a lost piece goes with it in the next round.
        kept = [pair for pair in kept if "".join(pair) not in gone and gone.isdisjoint(pair)]


def extension_of(base: BaseTokenizer, pairs: Sequence[Merge], units: Sequence[Unit]) -> Extension:
    """What was added: the pieces of merges and the tokens of units, each with its id and the base's ids of its text."""
    tokens = [
        NewToken(
            id=base.size + at,
            text=base.surface("".join(pair)),
            constituents=tuple(base.piece_ids("".join(pair))),
            merge=pair,
        )
        for at, pair in enumerate(pairs)
    ]
    first = base.size + len(tokens)
    tokens += [
        NewToken(id=first + at, text=token.text, constituents=tuple(base.ids(token.text)), unit=token.unit)
        for at, token in enumerate(base.unit_tokens(units))
    ]
    return Extension(
        base=base.source,
        base_revision=base.revision,
        base_sha256=base.sha256,
        family=base.family,
        base_size=base.size,
        tokens=tuple(tokens),
    )


class _Matcher:
    """Finds a base's added tokens and units in texts, as the extended tokenizer does: before all else."""

    def __init__(self, base: BaseTokenizer, units: Sequence[Unit]) -> None:
        from tokenizers import AddedToken, Tokenizer
        from tokenizers.models import WordLevel

        self.backend = Tokenizer(WordLevel({"?": 0}, unk_token="?"))
        plain = [UnitToken(text, Unit(text=text, kind="symbol"), False) for text in base.added]
        tokens = [*plain, *base.unit_tokens(units)]
        self.backend.add_tokens(
            [AddedToken(token.text, single_word=token.single_word, normalized=False) for token in tokens]
        )

    def between(self, text: str) -> Iterator[str]:
        """The stretches of a text that reach the BPE model."""
        found = self.backend.encode(text)
        for token_id, (start, end) in zip(found.ids, found.offsets, strict=True):
            if token_id == 0:
                yield text[start:end]

    def within(self, base: BaseTokenizer, pair: Merge) -> bool:
        """Whether a merge's piece holds one of them."""
        surface = base.surface("".join(pair))
        return surface is not None and any(self.backend.encode(surface).ids)


def _admitted(base: BaseTokenizer, units: Sequence[Unit]) -> tuple[list[Unit], list[Refusal]]:
    def whole(unit: Unit) -> bool:
        return base.gives_back(unit.text)

    lost = [Refusal(unit.text, "the base's decoder would not give it back") for unit in units if not whole(unit)]
    admitted, refused = admit([unit for unit in units if whole(unit)], base.vocab.keys() | base.added.keys())
    return admitted, lost + refused


def _learn(
    base: BaseTokenizer,
    units: Sequence[Unit],
    texts: Iterable[str],
    count: int,
    seams: Seams | None,
    progress: Callable[[int], None] | None,
) -> list[Merge]:
    words: Mapping[str, int] = count_words(base, texts, units)
    if not words:
        raise HyperBridgeError("no text to learn merges from; give files with --corpus")
    if seams:
        words = with_lexicon(words, seams, spelled=base.spelled)
    matcher, never = _Matcher(base, units), refused_by(base)
    return learn_merges(
        words,
        pieces=base.pieces,
        vocabulary=base.vocab,
        count=count,
        seams=seams_of_pretokens(seams, words, surface=base.surface, spelled=base.spelled) if seams else None,
        refused=lambda piece: never(piece) or matcher.within(base, (piece, "")),
        progress=progress,
    )


def _read_back(base: BaseTokenizer, extension: Extension, folder: Path) -> None:
    """Compare the vocabulary that was written with the one that was meant."""
    from tokenizers import Tokenizer

    written: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    found = {token_id: text for text, token_id in written.get_vocab().items()}
    meant = {token_id: text for text, token_id in {**base.vocab, **base.added}.items()}
    moved = [text for token_id, text in meant.items() if found.get(token_id) != text]
    if moved or len(found) != len(meant) + len(extension.tokens):
        raise HyperBridgeError(f"{base.source}: cannot be extended so that its ids stay ({', '.join(moved[:3])})")


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder that takes its name, and the place of an earlier one, when the block ends without an error."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise HyperBridgeError(f"{target}: cannot be written: {error.strerror}") from None
    try:
        yield unfinished
        unfinished.chmod(0o755)
        _take_place(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _take_place(unfinished: Path, target: Path) -> None:
    old = Path(f"{unfinished}.old")
    if target.exists():
        os.replace(target, old)
    os.replace(unfinished, target)
    shutil.rmtree(old, ignore_errors=True)
