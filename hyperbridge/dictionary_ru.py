"""The Russian dictionary and word vectors that installed packages carry, each loaded once for all who read Russian.

pymorphy3 gives the readings of a word (OpenCorpora); the `natasha` wheel carries navec (250,000 forms with counts in
1.2 G words of news, 300 dimensions) and slovnet's models as files: natasha itself is not imported, since it needs the
dead pymorphy2. Readings of the commonest words are remembered, because several rules ask for the same ones.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

from hyperbridge.errors import HyperBridgeError

EMBEDDING = "emb/navec_news_v1_1B_250K_300d_100q.tar"
# Words that navec's counts are out of.
TOTAL_WORDS = 1_200_000_000


@lru_cache(maxsize=20_000)
def readings(word: str) -> tuple[Any, ...]:
    """pymorphy's readings of a word in lower case, likeliest first; it fails on characters without a Unicode name."""
    return tuple(_analyzer().parse("".join(char if unicodedata.name(char, "") else "?" for char in word)))


def is_known(reading: Any) -> bool:
    """Whether a reading is the dictionary's own, and no guess from the word's ending; pymorphy looks it up anew."""
    methods = reading.methods_stack
    return len(methods) == 1 and type(methods[0][0]).__name__ == "DictionaryAnalyzer"


@lru_cache(maxsize=1)
def embedding() -> Any:
    """navec: `vocab` (ids and counts of forms) and `pq` (their quantised vectors).

    Raises:
        HyperBridgeError: a package of the extra `russian` is not installed.
    """
    try:
        from navec import Navec
    except ImportError:
        raise missing_package("navec") from None
    return Navec.load(model_file(EMBEDDING))


def model_file(name: str) -> Path:
    """A model that the natasha wheel carries; finding the package does not import it.

    Raises:
        HyperBridgeError: natasha is not installed.
    """
    spec = importlib.util.find_spec("natasha")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "data" / name
        if path.is_file():
            return path
    raise missing_package("natasha")


def missing_package(name: str) -> HyperBridgeError:
    return HyperBridgeError(f"reading Russian needs the package {name}: pip install 'hyperbridge[russian]'")


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    try:
        import pymorphy3
    except ImportError:
        raise missing_package("pymorphy3") from None
    return pymorphy3.MorphAnalyzer(lang="ru")
