"""A parsed Russian passage -> its components, its hyperlexeme, how much of it they carry and how sure each slot is.

What the components are, in the order they are filled:

- `agent`, `act` (clauses_ru): subject and predicate of one main clause. In every sentence the main clause is found
  first; of the sentences the one is taken that says most (a common noun as subject, a rare verb that is no verb of
  speaking) and is read most surely, earlier ones first. `act` is the verb's lemma with `не ` before it where it is
  negated; a modal gives way to its infinitive; a nominal predicate (`он врач`) gives an agent and no act. A subject
  that is not said gives no agent, and a pronoun stays a pronoun.
- `field`, `tone` (background_ru): where it happens, what colours it.
- the hyperlexeme (hyperlexeme_ru): the passage's most telling lemmas.
- `meta`: the rarest common noun that no other slot and no seam carries.

The confidences of `field`, `tone` and `meta` are fixed by rule, for there is no gold to fit them on. Cost: linear in
the tokens, but for the main clause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hyperbridge.corpus.background_ru import Found, find_background
from hyperbridge.corpus.clauses_ru import agent_and_act, choose_clause
from hyperbridge.corpus.content_ru import Sentence, is_content, shown
from hyperbridge.corpus.hyperlexeme_ru import choose_seams, spare_noun

_META_CONFIDENCE = 0.5
# A passage with more words that the dictionary does not know is no scene.
_MOST_UNKNOWN = 0.3


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a passage is about.

    Attributes:
        components: the slots that were found and no others.
        density: share of the content lemmas that the slots and the hyperlexeme carry.
        confidence: how sure each of those slots is, 0..1.
    """

    hyperlexeme: tuple[str, ...]
    components: dict[str, str | tuple[str, ...]]
    density: float
    confidence: dict[str, float]


def extract(sentences: Sequence[Sentence], *, verse: bool) -> Extraction | str:
    """Components, hyperlexeme and density of a passage, or the reason it is no scene."""
    words = [token for sentence in sentences for token in sentence if token.text[0].isalpha()]
    if sum(not token.known for token in words) > _MOST_UNKNOWN * len(words):
        return "mostly words that are not in the dictionary"
    found = _slots(sentences, verse)
    carried = {token.lemma for one in found.values() for token in one.tokens}
    content = Counter(token.lemma for token in words if is_content(token))
    seams = choose_seams(words, content, carried)
    if len(seams) < 2:
        return "fewer than two content words"
    carried.update(seam.lemma for seam in seams)
    components: dict[str, str | tuple[str, ...]] = {slot: one.value for slot, one in found.items()}
    confidence = {slot: one.confidence for slot, one in found.items()}
    spare = spare_noun(words, carried)
    if spare is not None:
        components["meta"], confidence["meta"] = (shown(spare),), _META_CONFIDENCE
        carried.add(spare.lemma)
    density = sum(lemma in carried for lemma in content) / len(content)
    return Extraction(tuple(shown(seam) for seam in seams), components, round(density, 2), confidence)


def _slots(sentences: Sequence[Sentence], verse: bool) -> dict[str, Found]:
    """Every slot but `meta`, those that are there."""
    found: dict[str, Found] = {}
    chosen = choose_clause(sentences, verse=verse)
    if chosen is not None:
        sentence, clause = sentences[chosen.sentence], chosen.clause
        slots = agent_and_act(sentence, clause)
        if clause.agent is not None:
            found["agent"] = Found(slots["agent"], clause.subject_certainty, (sentence[clause.agent],))
        if clause.deed is not None:
            found["act"] = Found(slots["act"], clause.certainty, (sentence[clause.deed],))
    agent = found["agent"].value if "agent" in found else None
    return found | find_background(sentences, chosen, agent)
