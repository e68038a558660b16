"""The main clause of a Russian sentence: what is done, who does it, and how sure the reading is.

The clause is found by two rankings: first of the words that may be the predicate, then of the words that may be its
subject, beside the option that it is not said. A word's score is the sum of the weights of its cues (clause_cues_ru).
The weights are those of two conditional logits, fitted on half of the sentences of three UD treebanks by
benchmarks/fit_clauses.py; evaluation/components.py measures on the other half. The softmax share of the winner is the
certainty of the predicate; times the subject's share it is that of the subject. A subject is read where its share is
two fifths, even if that it is not said has a little more: F1 is highest where the threshold is half of it (Lipton et
al. 2014, "Optimal thresholding of classifiers to maximize F1 measure"). Cost: linear in the tokens, but for verbs times
nouns within a sentence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from hyperbridge.corpus.clause_cues_ru import SentenceOutline, agent_of, deed_of, predicate_options, subject_options
from hyperbridge.corpus.content_ru import TIMES, WEAK_NOUNS, WEAK_VERBS, Sentence, is_proper, shown
from hyperbridge.corpus.parsing_ru import rarity

Place = TypeVar("Place", int, int | None)
# What a clause loses whose verb says little, and one without a verb: a pronoun that does something goes before both.
_EMPTY_DEED, _NOTHING_DONE = 2.0, 0.8
# A predicate less likely than this is not tried with its subjects.
_LEAST_SHARE = 0.1
# A subject with this share is read, even where that it is not said is likelier.
_SUBJECT_SHARE = 0.4
MODEL = Path(__file__).parents[1] / "assets" / "classifiers" / "clauses_ru.json"
_PRONOUNS = {"я": 1.6, "мы": 1.6, "ты": 1.4, "вы": 1.3, "он": 1.0, "она": 1.0, "оно": 0.6, "они": 1.0}


@dataclass(frozen=True, slots=True)
class Clause:
    """The main clause of a sentence: what its predicate does, who does it, and how sure the reading is (0..1).

    Attributes:
        predicate: place in the sentence.
        deed: place of the verb that gives the act, the predicate itself or the infinitive of a modal, and None where
            the predicate is nominal.
        agent: place of who does it: the subject; of a passive with a short participle the one it is done by.
        certainty: share of the predicate, among all that might be it.
        subject_certainty: share of its subject (or of there being none), times the predicate's.
    """

    predicate: int
    deed: int | None
    agent: int | None
    certainty: float
    subject_certainty: float


@dataclass(frozen=True, slots=True)
class ChosenClause:
    """The clause that stands for a passage, and the number of its sentence."""

    sentence: int
    clause: Clause


def choose_clause(sentences: Sequence[Sentence], *, verse: bool) -> ChosenClause | None:
    """Of the main clauses of a passage the one that says most; None where no sentence has one."""
    found = [(number, main_clause(sentence, verse=verse)) for number, sentence in enumerate(sentences)]
    chosen = [ChosenClause(number, clause) for number, clause in found if clause is not None]
    return max(chosen, key=lambda one: _weight(sentences[one.sentence], one), default=None)


def main_clause(sentence: Sentence, *, verse: bool, weights: Mapping[str, float] | None = None) -> Clause | None:
    """The main clause of a sentence; None where nothing in it can be a predicate.

    Args:
        weights: of the cues, where they are not the fitted ones.
    """
    outline = SentenceOutline(sentence, verse)
    predicates = predicate_options(outline)
    if not predicates:
        return None
    weights = fitted_weights() if weights is None else weights
    best: tuple[float, Clause] | None = None
    for predicate, share in _shares(predicates, weights):
        if best is not None and share <= max(best[0], _LEAST_SHARE):
            break
        subject, of_subject = _choose_subject(subject_options(outline, predicate), weights)
        deed, agent = deed_of(outline, predicate), agent_of(outline, predicate, subject)
        clause = Clause(predicate, deed, agent, round(share, 3), round(share * of_subject, 3))
        best = max(best or (0.0, clause), (share * of_subject, clause), key=lambda pair: pair[0])
    return best and best[1]


def agent_and_act(sentence: Sentence, clause: Clause) -> dict[str, str]:
    """The two slots that a clause gives, those that it has."""
    slots = {}
    if clause.agent is not None:
        slots["agent"] = shown(sentence[clause.agent])
    if clause.deed is not None:
        negated = any(_is_negated(sentence, place) for place in (clause.predicate, clause.deed))
        slots["act"] = f"не {sentence[clause.deed].lemma}" if negated else sentence[clause.deed].lemma
    return slots


@lru_cache(maxsize=1)
def fitted_weights() -> Mapping[str, float]:
    """The weight of each cue; a cue that is not here weighs nothing."""
    return json.loads(MODEL.read_text(encoding="utf-8"))["weights"]


def _shares(
    options: Sequence[tuple[Place, Sequence[str]]], weights: Mapping[str, float]
) -> Iterator[tuple[Place, float]]:
    """The places and their shares of the probability (softmax of the summed weights), the likeliest first."""
    scores = [sum([weights.get(cue, 0.0) for cue in cues]) for _, cues in options]
    highest = max(scores)
    odds = [math.exp(score - highest) for score in scores]
    total = sum(odds)
    for number in sorted(range(len(odds)), key=lambda number: -odds[number]):
        yield options[number][0], odds[number] / total


def _choose_subject(
    options: Sequence[tuple[int | None, Sequence[str]]], weights: Mapping[str, float]
) -> tuple[int | None, float]:
    """The place of the subject, or None where it is not said, with its share."""
    ranked = _shares(options, weights)
    likeliest = next(ranked)
    second = next(ranked, likeliest)
    return second if likeliest[0] is None and second[1] >= _SUBJECT_SHARE else likeliest


def _weight(sentence: Sentence, chosen: ChosenClause) -> float:
    """How much a clause tells: who acts counts most, then whether anything is done, then how rare the deed is."""
    clause = chosen.clause
    weight = _agent_weight(sentence, clause.agent) + clause.certainty - 0.1 * chosen.sentence
    if clause.deed is None:
        return weight - _NOTHING_DONE
    deed = sentence[clause.deed]
    empty = _EMPTY_DEED * (deed.lemma in WEAK_VERBS)
    return weight + 1.0 + rarity(deed.lemma, deed.text.lower()) / 20 - empty


def _agent_weight(sentence: Sentence, agent: int | None) -> float:
    if agent is None:
        return 0.0
    token = sentence[agent]
    if token.lemma in _PRONOUNS:
        return _PRONOUNS[token.lemma]
    if token.pos not in {"NOUN", "PROPN"} or token.lemma in TIMES:
        return 0.2
    return 2.2 if is_proper(token) else 2.0 if token.lemma in WEAK_NOUNS else 3.0


def _is_negated(sentence: Sentence, verb: int) -> bool:
    """`не пал`, but not `чуть не пал`."""
    before = [token.lemma for token in sentence[max(0, verb - 2) : verb]]
    return before[-1:] == ["не"] and before[:1] not in (["чуть"], ["едва"])
