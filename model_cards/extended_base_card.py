"""The card of an extended base, filled from what its folder tells and, where they are given, measured figures.

    python -m benchmarks.graft DATA -o runs/benchmarks/graft.json
    python -m hyperbridge.model_cards.extended_base_card EXTENDED --figures runs/benchmarks/graft.json

A graft writes the card without figures; this fills them in. The card passes huggingface_hub's validation.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from hyperbridge.errors import HyperBridgeError, first_problem
from hyperbridge.jsonl import atomic_writer
from hyperbridge.tokenizer.extension import Extension

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

STARTS = {
    "weighted": "the weighted means of their constituents' rows",
    "plain": "the means of their constituents' rows",
    "random": "random draws from the old rows' distribution",
}


class Compared(BaseModel):
    """One measure of one text."""

    model_config = ConfigDict(frozen=True)

    base: float
    extended: float


class CardFigures(BaseModel):
    """What was measured: text (`prose`) -> measure (`tokens per word`, `bits per character`) -> base and extended.

    Every text has the same measures. Keys besides these are passed over, so that a benchmark's JSON can be given.
    """

    model_config = ConfigDict(frozen=True)

    measured_by: str
    machine: str | None = None
    texts: dict[str, dict[str, Compared]]

    @staticmethod
    def read(path: Path) -> CardFigures:
        """The figures in a JSON file.

        Raises:
            HyperBridgeError: it is missing, or holds other things.
        """
        try:
            return CardFigures.model_validate_json(path.read_bytes())
        except OSError as error:
            raise HyperBridgeError(f"{path}: cannot be read: {error.strerror}") from None
        except ValidationError as error:
            raise HyperBridgeError(f"{path}: {first_problem(error)}; give the JSON of benchmarks.graft") from None

    def results(self) -> list[EvalResult]:
        """Every measure of the extended base, for the card's metadata."""
        from huggingface_hub import EvalResult

        return [
            EvalResult(
                task_type="text-generation",
                dataset_type="text",
                dataset_name=f"held-out works: {text}",
                dataset_config=text,  # results are told apart by it, and not by the name
                metric_type=measure.replace(" ", "_"),
                metric_value=compared.extended,
            )
            for text, measures in self.texts.items()
            for measure, compared in measures.items()
        ]


def render_extended_base_card(
    folder: Path, figures: CardFigures | None = None, *, repo_id: str | None = None, licence: str | None = None
) -> str:
    """The card's Markdown.

    Args:
        folder: a finished graft: `graft.json` and `extension.json` say what it is.
        figures: to be shown.
        repo_id: where it will be published; the folder's own path otherwise.
        licence: of the weights, which is the base's.

    Raises:
        HyperBridgeError: the folder is no finished graft.
    """
    from huggingface_hub import ModelCard, ModelCardData

    path = folder / "graft.json"
    try:
        graft = json.loads(path.read_bytes())
    except OSError as error:
        raise HyperBridgeError(f"{path}: cannot be read: {error.strerror}; give a folder of a finished graft") from None
    base, on_hub = graft["base"], "revision" in graft["base"]
    name = (repo_id or str(folder.resolve().name)).rpartition("/")[2]
    card_data = ModelCardData(
        library_name="transformers",
        license=licence,
        pipeline_tag="text-generation",
        tags=["hyperbridge", "extended-base"],
        model_name=name,
        base_model=base["model"] if on_hub else None,
        base_model_relation="finetune" if on_hub else None,
        eval_results=figures.results() if figures else None,
    )
    # A path on one machine means nothing elsewhere.
    named = base["model"] if on_hub or base["model"].startswith("hyperbridge:") else Path(base["model"]).name
    card = ModelCard.from_template(
        card_data,
        template_str=files("hyperbridge.model_cards").joinpath("extended_base.md.jinja").read_text(encoding="utf-8"),
        name=name,
        path=repo_id or name,
        base=named,
        revision=base.get("revision"),
        sha256=base.get("sha256"),
        kinds=_kinds(Extension.load(folder)),
        starts=STARTS,
        texts=figures.texts if figures else {},
        measures=list(next(iter(figures.texts.values()), {})) if figures else [],
        measured_by=figures.measured_by if figures else None,
        machine=figures.machine if figures else None,
        seconds=graft.get("seconds"),
        **{key: graft[key] for key in ("new_tokens", "rows", "tied", "start", "steps")},
    )
    return str(card)


def write_extended_base_card(folder: Path, figures: CardFigures | None = None, *, licence: str | None = None) -> None:
    """Write the card as the folder's README.md."""
    with atomic_writer(folder / "README.md") as file:
        file.write(render_extended_base_card(folder, figures, licence=licence))


def _kinds(extension: Extension) -> dict[str, int]:
    """How many new tokens are of each kind, merges first."""
    counts = Counter("merge" if token.unit is None else token.unit.kind for token in extension.tokens)
    return dict(sorted(counts.items(), key=lambda one: (one[0] != "merge", one[0])))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the card of an extended base.")
    parser.add_argument("folder", type=Path, help="the extended base")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="the JSON of benchmarks.graft")
    parser.add_argument("--license", metavar="ID", help="of the base, as the Hub writes it (apache-2.0)")
    options = parser.parse_args(arguments)
    figures = CardFigures.read(options.figures) if options.figures else None
    write_extended_base_card(options.folder, figures, licence=options.license)


if __name__ == "__main__":
    from hyperbridge.program import run_main

    run_main(main)
