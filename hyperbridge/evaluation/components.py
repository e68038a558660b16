"""Who acts and what is done: the reader's `agent` and `act` against the trees of Universal Dependencies (UD).

Every sentence of a treebank is read as a passage of one sentence, from its bare text, and what the reader finds is
compared with what the gold tree says. The same is done with the tree that the reader's parser draws and nothing else,
so that a figure shows what the reader's rules add. Cost: one reading and one parse of the treebank.

What a tree says (`tree_slots`, the same for gold trees and for the parser's):

- The predicate is the root. A passage of one sentence is about what the sentence asserts, and that is its main
  clause; of coordinate clauses UD makes the first the root.
- `agent` is the lemma of the root's subject (`nsubj`, `nsubj:pass`): the head word of a name or of a phrase. Where the
  root is a passive participle (`дом построен соседом`) it is who it is done by (`obl:agent`), if that is said; the
  house suffers the deed and is no agent. A clause as a subject (`csubj`) is no agent. A relative pronoun is never
  replaced by its antecedent: the subject of the main clause is no relative pronoun. Where the subject is not said
  (`Пришёл домой`), there is no agent.
- `act` is the lemma of the root where it is a verb in any form, short participles included (`дом построен`:
  построить).
- A passive said with -ся keeps it (`дом строится`: строиться), although some treebanks file it under the plain verb;
  so the house may be its subject and is not made the builder.
- Helpers give way to the deed: a verb of the reader's list of modals (мочь, хотеть, начать, ...) with an infinitive as
  `xcomp` or `csubj` gives the infinitive, and so does a quality or a predicative (должен, надо, трудно) with one.
- Any other nominal predicate (`он врач`, `небо тёмное`) gives an agent and no act: nothing is done, and what the
  subject is belongs to `tone`. The copula is no act.
- The negation that the reader writes before an act is dropped. Lemmas are compared in lower case with е for ё;
  aspect pairs and spelling variants are not brought together.

A slot counts where one side has it: precision is over the slots that were read, recall over the gold ones. The
reader's weights were fitted on the sentences whose id has an even CRC-32; their figures are those of the part `fitted`,
and only those of the part `held-out` say how well the reader reads.
"""

from __future__ import annotations

import html
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperbridge.corpus.clause_cues_ru import MODALS
from hyperbridge.corpus.clauses_ru import agent_and_act, main_clause
from hyperbridge.corpus.cleaning import clean
from hyperbridge.corpus.language_ru import as_prose
from hyperbridge.corpus.parsing_ru import SUBJECTS, Token, parse, writes_yo
from hyperbridge.corpus.segmentation_ru import words as tokenise
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import read_utf8_lines

SLOTS = ("agent", "act")
_COLUMNS = 10
_BREAK = "<br/>"
_BINS = 5
Slots = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GoldSentence:
    """A sentence of a treebank.

    Attributes:
        treebank: the file's name up to its first hyphen.
        genre: the treebank's `genre` of the sentence, "" where it gives none.
        text: as printed; verse with its line breaks, where the treebank marks them.
        words: with lemma, part of speech, features, head and relation from the gold tree.
    """

    sent_id: str
    treebank: str
    genre: str
    text: str
    words: tuple[Token, ...]

    @property
    def verse(self) -> bool:
        return "poetry" in self.genre or "poetry" in self.treebank

    @property
    def groups(self) -> set[str]:
        """What its figures count for: the treebank, the treebank's genre, and all prose or all verse."""
        return {self.treebank, f"{self.treebank} {self.genre}".strip(), "verse" if self.verse else "prose"}

    @property
    def part(self) -> str:
        """Which half of the treebank it is in: `fitted` or `held-out`."""
        return "held-out" if zlib.crc32(self.sent_id.encode()) % 2 else "fitted"


@dataclass(frozen=True, slots=True)
class JudgedSentence:
    """A gold sentence with the slots its tree gives, those of the reader, and those of the parser's tree alone."""

    sentence: GoldSentence
    gold: Slots
    reader: Slots
    tree: Slots
    confidence: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SlotScore:
    """How many gold sentences have the slot, how many readings have it, and in how many the two agree."""

    gold: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.gold + self.found) if self.right else 0.0


def read_conllu(path: str | Path) -> list[GoldSentence]:
    """The sentences of a CoNLL-U file; ranges of words and empty nodes are left out.

    Raises:
        HyperBridgeError: there is no such file, or a line has not ten columns.
    """
    path = Path(path)
    if not path.is_file():
        raise HyperBridgeError(f"{path}: no such treebank; give a .conllu file")
    treebank = path.name.partition("-")[0].partition(".")[0]
    return [_sentence(treebank, comments, rows) for comments, rows in _blocks(path)]


def tree_slots(words: Sequence[Token]) -> dict[str, str]:
    """`agent` and `act` as a dependency tree gives them (see the module's rules); {} where it has no root."""
    root = next((place for place, word in enumerate(words) if word.rel == "root"), None)
    if root is None:
        return {}
    children = [word for word in words if word.head == root]
    deeds = (word.lemma for word in children if word.rel in {"xcomp", "csubj"} and _is_infinitive(word))
    subject = gold_subject(words)
    agent = None if subject is None else words[subject].lemma
    if _is_passive(words[root]):
        agent = next((word.lemma for word in children if word.rel == "obl:agent"), None)
    found = {"agent": agent, "act": _act(words[root], next(deeds, None))}
    return {slot: lemma for slot, lemma in found.items() if lemma}


def gold_subject(words: Sequence[Token]) -> int | None:
    """The place of the root's subject in a dependency tree, that of a passive included; None where there is none."""
    root = next((place for place, word in enumerate(words) if word.rel == "root"), None)
    places = (place for place, word in enumerate(words) if word.head == root and word.rel in SUBJECTS)
    return next(places, None) if root is not None else None


def score_components(sentences: Iterable[tuple[Slots, Slots]]) -> dict[str, SlotScore]:
    """A score for each slot, from the gold slots and the found slots of every sentence."""
    pairs = list(sentences)
    return {slot: _score(slot, pairs) for slot in SLOTS}


def evaluate_components(paths: Iterable[str | Path]) -> list[dict[str, object]]:
    """Read treebanks and compare: one record for each slot, way of reading, group of sentences and part.

    Groups are the treebanks, their genres, and all `prose` and all `verse`. The ways are `reader` and `tree` (the
    parser's tree alone). Keys: group, part, sentences, slot, way, precision, recall, f1.

    Raises:
        HyperBridgeError: as `read_conllu`, or a package or model that reading needs is missing.
    """
    groups: dict[tuple[str, str], list[JudgedSentence]] = defaultdict(list)
    for judged in judge(paths):
        for group in judged.sentence.groups:
            groups[group, judged.sentence.part].append(judged)
    return [record for key, members in sorted(groups.items()) for record in _records(key, members)]


def evaluate_confidence(paths: Iterable[str | Path]) -> list[dict[str, object]]:
    """What the reader's confidence is worth on the held-out part: precision by confidence, in bins of a fifth.

    Keys: group (`prose` or `verse`), slot, confidence (lower end of the bin), found, precision.

    Raises:
        HyperBridgeError: as `evaluate_components`.
    """
    bins: dict[tuple[str, str, int], list[bool]] = defaultdict(list)
    for judged in judge(paths):
        if judged.sentence.part == "held-out":
            kind = "verse" if judged.sentence.verse else "prose"
            for slot, confidence in judged.confidence.items():
                right = _agree(slot, judged.gold, judged.reader)
                bins[kind, slot, min(_BINS - 1, int(confidence * _BINS))].append(right)
    return [
        {
            "group": kind,
            "slot": slot,
            "confidence": number / _BINS,
            "found": len(right),
            "precision": round(sum(right) / len(right), 3),
        }
        for (kind, slot, number), right in sorted(bins.items())
    ]


def judge(paths: Iterable[str | Path]) -> Iterator[JudgedSentence]:
    """Every sentence of the treebanks, read from its bare text as a passage of one sentence."""
    for sentence, tokens in read_and_parse(paths):
        yield judge_sentence(sentence, tokens)


def read_and_parse(paths: Iterable[str | Path]) -> Iterator[tuple[GoldSentence, list[Token]]]:
    """Every sentence of the treebanks with the reader's tokens of its bare text."""
    for path in paths:
        gold = read_conllu(path)
        yo = writes_yo("".join(sentence.text for sentence in gold))
        yield from zip(gold, parse([_tokens(sentence) for sentence in gold], tree=True, yo=yo), strict=True)


def judge_sentence(
    sentence: GoldSentence, tokens: Sequence[Token], weights: Mapping[str, float] | None = None
) -> JudgedSentence:
    """A sentence with its gold slots and those read from its tokens; `weights`: of cues, None for the reader's own."""
    clause = main_clause(tokens, verse=sentence.verse, weights=weights)
    reader = agent_and_act(tokens, clause) if clause else {}
    sure = {"agent": clause.subject_certainty, "act": clause.certainty} if clause else {}
    confidence = {slot: sure[slot] for slot in reader}
    return JudgedSentence(sentence, tree_slots(sentence.words), reader, tree_slots(tokens), confidence)


def _tokens(sentence: GoldSentence) -> list[str]:
    text = clean(sentence.text)
    return tokenise((as_prose(text) if sentence.verse else text).replace("\n", " "))


def _blocks(path: Path) -> Iterator[tuple[dict[str, str], list[list[str]]]]:
    comments: dict[str, str] = {}
    rows: list[list[str]] = []
    for number, line in enumerate([*read_utf8_lines(path), ""], 1):
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            comments[key.strip()] = value.strip()
        elif line.strip():
            rows.append(_row(f"{path}:{number}", line))
        elif rows:
            yield comments, [row for row in rows if row[0].isdigit()]
            comments, rows = {}, []


def _row(where: str, line: str) -> list[str]:
    row = line.split("\t")
    if len(row) != _COLUMNS:
        raise HyperBridgeError(f"{where}: {len(row)} columns in a line of CoNLL-U, not {_COLUMNS}; is it a treebank?")
    return row


def _sentence(treebank: str, comments: Mapping[str, str], rows: Sequence[Sequence[str]]) -> GoldSentence:
    text = "".join(row[1] + _space_after(row[9]) for row in rows).strip()
    words = tuple(_word(row) for row in rows)
    return GoldSentence(comments.get("sent_id", text), treebank, comments.get("genre", ""), html.unescape(text), words)


def _space_after(note: str) -> str:
    return "\n" if _BREAK in note else "" if "SpaceAfter=No" in note else " "


def _word(row: Sequence[str]) -> Token:
    feats = dict(feat.split("=", 1) for feat in row[5].split("|") if "=" in feat)
    head = int(row[6]) - 1 if row[6].isdigit() else -1
    return Token(html.unescape(row[1]), html.unescape(row[2]), row[3], frozenset(), feats, head, row[7])


def _is_infinitive(word: Token) -> bool:
    return word.feats.get("VerbForm") == "Inf"


def _is_passive(root: Token) -> bool:
    return root.feats.get("VerbForm") == "Part" and root.feats.get("Voice") == "Pass"


def _act(root: Token, infinitive: str | None) -> str | None:
    """The act of a root: UD gives a verb a `VerbForm`, and none to predicatives that it calls verbs (надо, нет)."""
    verbal = root.pos in {"VERB", "AUX"} and "VerbForm" in root.feats
    if infinitive and (root.lemma in MODALS if verbal else root.pos in {"ADJ", "ADV", "VERB"}):
        return infinitive
    return _as_said(root) if verbal else None


def _as_said(verb: Token) -> str:
    """The lemma with the ending -ся that the word was said with: UD files some passives under the plain verb."""
    reflexive = verb.feats.get("Voice") == "Pass" and verb.text.lower().endswith(("ся", "сь"))
    return f"{verb.lemma}ся" if reflexive and not verb.lemma.endswith(("ся", "сь")) else verb.lemma


def _score(slot: str, pairs: Sequence[tuple[Slots, Slots]]) -> SlotScore:
    gold, found = (sum(slot in side for side in sides) for sides in zip(*pairs, strict=True)) if pairs else (0, 0)
    return SlotScore(gold, found, sum(_agree(slot, *pair) for pair in pairs))


def _agree(slot: str, gold: Slots, found: Slots) -> bool:
    return slot in gold and slot in found and _plain(gold[slot]) == _plain(found[slot])


def _plain(lemma: str) -> str:
    return lemma.lower().replace("ё", "е").removeprefix("не ")


def _records(key: tuple[str, str], members: Sequence[JudgedSentence]) -> Iterator[dict[str, object]]:
    ways = {
        "reader": score_components((one.gold, one.reader) for one in members),
        "tree": score_components((one.gold, one.tree) for one in members),
    }
    for slot in SLOTS:
        for way, scores in ways.items():
            score = scores[slot]
            yield {
                "group": key[0],
                "part": key[1],
                "sentences": len(members),
                "slot": slot,
                "way": way,
                "precision": round(score.precision, 3),
                "recall": round(score.recall, 3),
                "f1": round(score.f1, 3),
            }
