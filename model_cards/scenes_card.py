"""The card of a scene data set: what it holds by register, emotion, archetype, tension and length; counts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

SHOWN = 12


@dataclass(frozen=True, slots=True)
class CountTable:
    """Named counts under a heading."""

    title: str
    rows: Sequence[tuple[str, int]]


def render_scenes_card(
    repo_id: str,
    *,
    scenes: int,
    words: int,
    tables: Sequence[CountTable],
    example: str,
    licence: str | None,
    language: str = "ru",
) -> str:
    """The README.md of a repository that holds `scenes.jsonl`; passes huggingface_hub's DatasetCard validation.

    Args:
        repo_id: where it will lie.
        scenes: their number.
        words: of their passages; 0 where they have none, and then nothing is said of reading texts.
        tables: what was counted.
        example: a scene as JSON.
        licence: of the texts; None where nobody said.
        language: of the texts.
    """
    from huggingface_hub import DatasetCard, DatasetCardData
    from jinja2 import StrictUndefined, Template

    card_data = DatasetCardData(
        language=[language],
        license=licence or "other",
        task_categories=["text-generation"],
        tags=["hyperbridge", "scenes"],
        size_categories=[size_category(scenes)],
        pretty_name=repo_id.partition("/")[2],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": "scenes.jsonl"}]}],
    )
    template = files("hyperbridge.model_cards").joinpath("scenes.md.jinja").read_text(encoding="utf-8")
    content = Template(template, undefined=StrictUndefined).render(
        card_data=card_data.to_yaml(),
        repo_id=repo_id,
        scenes=scenes,
        words=words,
        tables=tables,
        example=example,
        licence=licence,
        shown=SHOWN,
    )
    return str(DatasetCard(content)).rstrip() + "\n"


def size_category(records: int) -> str:
    """The Hub's name for a size: `10K<n<100K`."""
    names = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
    return next((name for power, name in enumerate(names, start=3) if records < 10**power), "n>100M")
