"""Fit the content model of registers, and measure it on authors it never saw.

    python -m benchmarks.fit_registers DATA_FOLDER [-o FILE]

Passages of about 60 words are labelled by the genre folder they lie in (`text/poetry`, `text/legal`, ...). Verse comes
without its line breaks, once with the capitals of its lines and once without. There are few authors in some classes, so
the model is fitted, but never measured, on more: verse plays and Taiga (`gold/`), the core expressions, which have
registers, and passages written for this (`fit_registers_*.txt`: law, reasoning, tales, scripture, thought, travel).
Authors weigh alike in a class, and classes alike.

Measured in three folds, each author by a model that saw nothing of him in any class, twice: with one hand as one author
(all of scripture, all of Afanasyev's tales), and with the parts of a hand apart. The first asks for scripture from a
model that read none but imitations, the second lets it know the hand: a new author of a known kind should lie between.
`with neighbours` is what the reader gives, which tells a passage together with those around it.
The weights of the features were chosen on folds 1 and 2, so that fold 0 is the fairest; the weights of rhyme, and what
kinds of passages to write, after a look at the errors of all folds, so all figures are a little too good.
Twice gives equal bytes. Cost: about two minutes on one core, most of it parsing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from hyperbridge.corpus import parsing_ru
from hyperbridge.corpus.documents import Document, read_documents
from hyperbridge.corpus.register_traits_ru import Traits, features, find_traits
from hyperbridge.corpus.registers_ru import (
    ARCHETYPE,
    CLASSES,
    FOLDERS,
    LOGICIAN,
    MODEL,
    NARRATOR,
    PHILOSOPHER,
    POET,
    with_layout,
    with_neighbours,
)
from hyperbridge.corpus.segmentation import count_words, segment
from hyperbridge.corpus.segmentation_ru import LAYOUT, sentences, tokenise
from hyperbridge.corpus.text_classifier import TextClassifier, fit
from hyperbridge.errors import HyperBridgeError
from hyperbridge.program import run_main

GENRES = {**FOLDERS, "prose": NARRATOR, "travelog": NARRATOR}
CORE = Path(__file__).parents[1] / "hyperbridge" / "assets" / "core" / "train.jsonl"
# Passages written for this, a file a kind, an empty line between passages.
OWN = {
    "law": LOGICIAN,
    "reasoning": LOGICIAN,
    "scripture": ARCHETYPE,
    "tales": ARCHETYPE,
    "thought": PHILOSOPHER,
    "travel": NARRATOR,
}
# The treebank of verse: each passage is a poem of its own, and has no neighbours.
POEMS = "treebank"
# Genres of the Taiga treebank.
TREEBANK = {"poetry": POET, "fiction-kids": NARRATOR, "nonfiction-academic-encycl": LOGICIAN}
PASSAGE_WORDS, SHORTEST = 60, 25
# Passages of an author in a class, taken as runs of neighbours, and characters of one work: more would not teach.
MOST_OF_AN_AUTHOR, RUN, MOST_OF_A_WORK = 100, 3, 80_000
FOLDS = 3
BITS, PENALTY, FEWEST_AUTHORS = 17, 1e-4, 3
# The core expressions are modern miniatures, far from books: they count as a quarter of an author.
CORE_WEIGHT = 0.25
SERIES = re.compile(r"^(?:RSD_travelog_|RSD_|ELTeC_)")
# Collections of many hands: a name for each part, by the number that the source holds.
SCRIPTURE, TALES = re.compile(r"Synodal_(\d+)"), re.compile(r"Afanasyev\w*\.jsonl#(\d+)")
# Parts of one hand -> the hand.
HANDS = {
    **dict.fromkeys(("law of Moses", "kings and judges", "chronicles"), "scripture"),
    **dict.fromkeys(("tales 1-50", "tales 51-100"), "afanasyev"),
}

FITTED_ONLY = ""

Form = Literal["whole", "capitals", "short"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A labelled passage of an author.

    Attributes:
        genre: the folder, or FITTED_ONLY for what is not measured.
        run: number of the run of neighbours that it lies in, among those of its author, class and form.
    """

    text: str
    label: str
    author: str
    genre: str
    form: Form = "whole"
    run: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample of a kept-out author and what the model gave it: (classes,) probabilities.

    Attributes:
        told: the same together with its neighbours, as the reader gives it.
    """

    sample: Sample
    chances: np.ndarray
    told: np.ndarray


def read_samples(folder: Path) -> list[Sample]:
    """All samples, in a fixed order.

    Raises:
        HyperBridgeError: the folder has no `text` folder with genres.
    """
    texts = folder / "text"
    genres = [path for path in sorted(texts.glob("*")) if path.name in GENRES]
    if not genres:
        raise HyperBridgeError(f"{texts}: no genre folder ({', '.join(sorted(GENRES)[:4])}, ...); give its parent")
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for genre in genres:
        for document in read_documents([genre]):
            label = GENRES[genre.name]
            found[label, author_of(document.source), genre.name] += passages(document, verse=label == POET)
    for author, text in _verse_plays(folder / "gold" / "drama"):
        found[POET, author, FITTED_ONLY] += passages(Document("play", text), verse=True)
    found[POET, POEMS, "poetry"] += _poems(folder / "gold" / "ud" / "ru_poetry-ud-dev.conllu")
    for label, author, text in _treebank(folder / "gold" / "ud" / "ru_taiga-ud-dev.conllu"):
        found[label, author, FITTED_ONLY].append(text)
    for label, text in _core():
        found[label, "core", FITTED_ONLY].append(text)
    for kind, label in OWN.items():
        path = Path(__file__).with_name(f"fit_registers_{kind}.txt")
        found[label, f"own {kind}", FITTED_ONLY] += path.read_text(encoding="utf-8").strip().split("\n\n")
    return [
        replace(sample, run=number if author == POEMS else number // RUN)
        for (label, author, genre_name), texts_found in sorted(found.items())
        for number, text in enumerate(_spread(texts_found))
        for sample in _forms(text, label, author, genre_name, number)
    ]


def author_of(source: str) -> str:
    """The author a file is named after; for scripture the kind of book, for tales a block of fifty."""
    if number := SCRIPTURE.search(source):
        return "law of Moses" if int(number[1]) <= 5 else "kings and judges" if int(number[1]) <= 10 else "chronicles"
    if number := TALES.search(source):
        return "tales 1-50" if int(number[1]) <= 50 else "tales 51-100"
    stem = SERIES.sub("", Path(source.partition("#")[0]).stem)
    return stem.partition("_")[0].lower()


def passages(document: Document, *, verse: bool) -> Iterator[str]:
    """Pieces of about 60 words; of a book of verse the verse alone."""
    found: list[str] = []
    start = Document(document.source, document.text[:MOST_OF_A_WORK])
    for passage in segment(start, LAYOUT, lambda reason: None):
        if verse and passage.kind != "verse":
            continue
        found.append(passage.text)
        if sum(map(count_words, found)) >= PASSAGE_WORDS - 8:
            yield ("\n" if verse else " ").join(found)
            found = []


def in_one_line(verse: str) -> str:
    """Verse without line breaks, and without the capitals of lines that begin inside a sentence."""
    lines = verse.split("\n")
    joined = lines[0]
    for line in lines[1:]:
        inside = not re.search(r"[.!?…][\"»”)\s—–-]*$", joined)
        joined += " " + (line[:1].lower() + line[1:] if inside else line)
    return joined


def _spread(texts: Sequence[str]) -> list[str]:
    """At most so many of an author's passages: runs of neighbours, evenly spaced."""
    step = RUN * max(1, -(-len(texts) // MOST_OF_AN_AUTHOR))
    return [text for start in range(0, len(texts), step) for text in texts[start : start + RUN]]


def _forms(text: str, label: str, author: str, genre: str, number: int) -> Iterator[Sample]:
    """A passage in one line, and in turn with the capitals of its lines or cut short."""
    plain = in_one_line(text)
    yield Sample(plain, label, author, genre)
    if "\n" in text:
        yield Sample(text.replace("\n", " "), label, author, genre, "capitals")
    if number % 2:
        ends = [end for _, end in sentences(plain) if count_words(plain[:end]) >= SHORTEST]
        if ends and ends[0] < len(plain):
            yield Sample(plain[: ends[0]], label, author, genre, "short")


def _verse_plays(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*.jsonl")):
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        lines = [record["text"] for record in records if record["type"] == "speech" and record.get("verse")]
        if len(lines) > 50:
            yield path.stem.partition("-")[0], "\n".join(lines)


def _poems(path: Path) -> Iterator[str]:
    """One passage a poem; sentences in one line, as the treebank prints them."""
    for poem in _read_treebank(path):
        words = " ".join(poem.sentences).split()
        if len(words) >= SHORTEST:
            yield " ".join(words[:70])


def _treebank(path: Path) -> Iterator[tuple[str, str, str]]:
    """Label, author and text of the passages of a treebank of many genres; those without a register are left out."""
    for document in _read_treebank(path):
        if document.genre not in TREEBANK:
            continue
        found: list[str] = []
        for sentence in document.sentences:
            found.append(sentence)
            if sum(map(count_words, found)) >= PASSAGE_WORDS - 8:
                yield TREEBANK[document.genre], f"taiga {document.genre}", " ".join(found)
                found = []


@dataclass(slots=True)
class _TreebankText:
    genre: str
    sentences: list[str]


def _read_treebank(path: Path) -> list[_TreebankText]:
    """The documents of a treebank; none where the file is not there."""
    found: list[_TreebankText] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        if line.startswith("# newdoc"):
            found.append(_TreebankText("", []))
        elif line.startswith("# genre ="):
            found[-1].genre = line[9:].strip()
        elif line.startswith("# text ="):
            found[-1].sentences.append(line[8:].strip())
    return found


def _core() -> Iterator[tuple[str, str]]:
    """The core expressions of one register, three by three."""
    said: dict[str, list[str]] = defaultdict(list)
    for line in CORE.read_text(encoding="utf-8").splitlines():
        expression = json.loads(line)
        said[expression["style"]].append(expression["text_human"])
    for label in CLASSES:
        texts = said.get(label, [])
        yield from ((label, " ".join(texts[start : start + 3])) for start in range(0, len(texts) - 2, 3))


def read_traits(samples: Sequence[Sample], batch: int = 256) -> list[Traits]:
    """What the model sees in each sample."""
    found = []
    for start in range(0, len(samples), batch):
        texts = [sample.text.replace("\n", " ") for sample in samples[start : start + batch]]
        parsed = parsing_ru.parse_texts([tokenise(text) for text in texts], tree=False)
        found += find_traits([list(chain.from_iterable(sentences)) for sentences in parsed])
        print(f"\rparsed {len(found)} of {len(samples)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return found


def fit_model(samples: Sequence[Sample], seen: Sequence[Traits]) -> TextClassifier:
    """A model of these samples: features of too few authors are left out, authors weigh alike, classes too."""
    scales = _scales(seen)
    kept = _widespread(samples, seen)
    texts = [
        {name: value for name, value in features(one, scales).items() if name[0] in "de" or name in kept}
        for one in seen
    ]
    targets = np.array([[sample.label == name for name in CLASSES] for sample in samples], np.float32)
    about = {"rates": scales, "authors": len({sample.author for sample in samples}), "passages": len(samples)}
    return fit(
        texts, targets, CLASSES, kind="softmax", bits=BITS, penalty=PENALTY, balance=0.0, rarest=4,
        weights=_weights(samples), about=about,
    )  # fmt: skip


def _scales(seen: Sequence[Traits]) -> dict[str, list[float]]:
    """Mean and deviation of every rate that is not rare."""
    counts = Counter(name for one in seen for name in one.rates)
    scales = {}
    for name in sorted(name for name in counts if counts[name] >= 0.02 * len(seen)):
        values = np.array([one.rates.get(name, 0.0) for one in seen])
        scales[name] = [round(float(values.mean()), 6), round(float(values.std()) + 1e-6, 6)]
    return scales


def _widespread(samples: Sequence[Sample], seen: Sequence[Traits]) -> set[str]:
    authors: dict[str, set[str]] = defaultdict(set)
    for sample, one in zip(samples, seen, strict=True):
        for name in one.counted:
            authors[name].add(sample.author)
    return {name for name in authors if len(authors[name]) >= FEWEST_AUTHORS}


def _weights(samples: Sequence[Sample]) -> np.ndarray:
    """(samples,) such that the authors of a class sum alike, and the classes."""
    keys = [(sample.label, sample.author) for sample in samples]
    sizes = Counter(keys)
    weights = np.array([(CORE_WEIGHT if author == "core" else 1.0) / sizes[label, author] for label, author in keys])
    labels = np.array([label for label, _ in keys])
    for label in CLASSES:
        weights[labels == label] /= weights[labels == label].sum()
    return weights * len(samples) / len(CLASSES)


def deal_folds(samples: Sequence[Sample]) -> dict[str, int]:
    """Author -> fold: dealt class by class, the class with the fewest first, and so that no fold keeps out a genre."""
    known = sorted({(sample.label, sample.genre, sample.author) for sample in samples if sample.genre != FITTED_ONLY})
    sizes = Counter(label for label, _, _ in known)
    folds: dict[str, int] = {}
    dealt: Counter[tuple[str, int]] = Counter()
    for label, genre, author in sorted(known, key=lambda one: sizes[one[0]]):
        fold = min(range(FOLDS), key=lambda fold: (dealt[label + genre, fold], dealt[label, fold]))
        fold = folds.setdefault(author, fold)
        dealt.update([(label + genre, fold), (label, fold)])
    return folds


def judge(samples: Sequence[Sample], seen: Sequence[Traits], folds: dict[str, int], fold: int) -> list[Judged]:
    """The samples of a fold's authors by a model that saw none of those authors."""
    inside = [number for number, sample in enumerate(samples) if folds.get(sample.author) != fold]
    outside = [n for n, sample in enumerate(samples) if folds.get(sample.author) == fold and sample.genre]
    model = fit_model([samples[number] for number in inside], [seen[number] for number in inside])
    chances = model.probabilities([features(seen[number], model.about["rates"]) for number in outside])
    told = _told([samples[number] for number in outside], chances)
    return [Judged(samples[number], *rows) for number, *rows in zip(outside, chances, told, strict=True)]


def _told(samples: Sequence[Sample], chances: np.ndarray) -> np.ndarray:
    """(samples, classes): each run of neighbours told as the reader tells a document."""
    runs: dict[tuple[str, str, str, Form, int], list[int]] = defaultdict(list)
    for number, sample in enumerate(samples):
        runs[sample.label, sample.author, sample.genre, sample.form, sample.run].append(number)
    found = np.empty_like(chances)
    for run in runs.values():
        found[run] = with_neighbours(chances[run], [count_words(samples[number].text) for number in run])
    return found


def measure(samples: Sequence[Sample], seen: Sequence[Traits]) -> str:
    """The report of all folds."""
    folds = deal_folds(samples)
    return report([judge(samples, seen, folds, fold) for fold in range(FOLDS)])


def confusion(
    judged: Sequence[Judged], form: Form = "whole", *, layout: bool = False, neighbours: bool = False
) -> np.ndarray:
    """(classes, classes): of each class, the share that was called each class, as a mean over its authors."""
    rows: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for one in judged:
        if one.sample.form == form:
            chances = one.told if neighbours else one.chances
            chances = with_layout(chances) if layout and one.sample.label == POET else chances
            rows[one.sample.label, one.sample.author].append(np.eye(len(CLASSES))[chances.argmax()])
    by_author = {key: np.mean(values, 0) for key, values in rows.items()}
    empty = np.full(len(CLASSES), np.nan)
    return np.array(
        [np.mean([row for (name, _), row in by_author.items() if name == label] or [empty], 0) for label in CLASSES]
    )


def report(judged: Sequence[Sequence[Judged]]) -> str:
    """The folds, their mean, the confusion matrix and the authors, as text."""
    everyone = [one for fold in judged for one in fold]
    lines = []
    for number, fold in enumerate(judged):
        right = np.diagonal(confusion(fold))
        shown = " ".join(f"{name[:5]} {value:.3f}" for name, value in zip(CLASSES, right, strict=True))
        lines.append(f"fold {number}: {np.nanmean(right):.3f} ({shown})")
    table = confusion(everyone)
    lines.append(f"accuracy, authors and classes weighed alike: {np.diagonal(table).mean():.3f}")
    for label, row in zip(CLASSES, table, strict=True):
        lines.append(f"  {label:18}" + " ".join(f"{value:6.3f}" for value in row))
    beside = np.diagonal(confusion(everyone, neighbours=True))
    shown = " ".join(f"{name[:5]} {value:.3f}" for name, value in zip(CLASSES, beside, strict=True))
    lines.append(f"with neighbours: {beside.mean():.3f} ({shown})")
    lines.append(f"verse in one line: {table[0, 0]:.3f}")
    lines.append(f"verse in one line, with the capitals of its lines: {confusion(everyone, 'capitals')[0, 0]:.3f}")
    lines.append(f"verse in lines: {confusion(everyone, layout=True)[0, 0]:.3f}")
    lines.append(f"short passages: {np.nanmean(np.diagonal(confusion(everyone, 'short'))):.3f}")
    return "\n".join([*lines, *_by_author(everyone)])


def _by_author(judged: Sequence[Judged]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for one in judged:
        if one.sample.form == "whole":
            groups[one.sample.label, one.sample.author].append(CLASSES[one.chances.argmax()] == one.sample.label)
    yield from (f"  {label:18} {author:20} {np.mean(ok):.2f} of {len(ok)}" for (label, author), ok in groups.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure in folds, fit on everything, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA_FOLDER", type=Path, help="folder with text/ and gold/")
    parser.add_argument("-o", "--output", type=Path, default=MODEL, metavar="FILE")
    given = parser.parse_args(arguments)
    samples = read_samples(given.data)
    seen = read_traits(samples)
    by_hand = [replace(sample, author=HANDS.get(sample.author, sample.author)) for sample in samples]
    print("one hand is one author\n" + measure(by_hand, seen), flush=True)
    print("\nparts of one hand apart\n" + measure(samples, seen), flush=True)
    fit_model(samples, seen).save(given.output)


if __name__ == "__main__":
    run_main(main)
