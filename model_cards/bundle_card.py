"""The cards of a bundle and of a single register, filled from what training and evaluation left in the run's folder.

A run's folder has config.json, recipe.json, a training.json beside each adapter and, once it was evaluated,
register_matrix.json and samples.json. The cards pass huggingface_hub's validation; their metadata name the base
(`base_model_relation: adapter`) and give every register's bits per character as a result (`model-index`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperbridge.locations import PACKAGE_PREFIX

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

PICTURE = "register_matrix.png"
MATRIX, SAMPLES, RECIPE, TRAINING = "register_matrix.json", "samples.json", "recipe.json", "training.json"
SHOWN_SCENES = 3


@dataclass(frozen=True, slots=True)
class Licences:
    """Of the adapters, of the base and of the data; None where nobody said."""

    adapters: str | None = None
    base: str | None = None
    data: str | None = None


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """What the cards are filled with.

    Attributes:
        base: the base as a Hub id or `hyperbridge:` path; `revision` its commit where it has one.
        styles: register name -> the seed's name of it.
        recipe: recipe.json; empty where the run is older than the file.
        tasks: register name -> `speak`, `interpret` or `reply`.
        training: register -> training.json.
        matrix: register_matrix.json (`base`, `matrix`), or None.
        samples: scenes said in every register: `scene`, `voices`.
    """

    base: str
    revision: str | None
    styles: dict[str, str]
    tasks: dict[str, str] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    training: dict[str, dict[str, Any]] = field(default_factory=dict)
    matrix: dict[str, Any] | None = None
    samples: Sequence[dict[str, Any]] = ()

    @property
    def on_hub(self) -> bool:
        return self.revision is not None

    def doing(self, task: str) -> list[str]:
        """The adapters of a task."""
        return [name for name in self.styles if self.tasks.get(name, "speak") == task]

    def data(self) -> list[str]:
        """The files they learned from, without the folders of the machine they learned on."""
        named = self.recipe.get("data", {})
        replies = (named.get("replies") or {}).get("train")
        read = [named.get("train")] if self.doing("speak") or self.doing("interpret") else []
        return [path if path.startswith(PACKAGE_PREFIX) else Path(path).name for path in [*read, replies] if path]

    def seconds(self) -> float | None:
        """How long the run took; all its registers were trained together."""
        return max((one["seconds"] for one in self.training.values() if "seconds" in one), default=None)

    def device(self) -> str | None:
        """What it ran on."""
        return next((one["device"] for one in self.training.values() if "device" in one), None)

    def emitted(self) -> dict[str, Any] | None:
        """Energy in kWh, CO2 in grams and the country whose electricity it was; None where nobody asked."""
        return next((one for one in self.training.values() if "co2_grams" in one), None)

    def results(self, registers: Sequence[str]) -> Iterator[EvalResult]:
        """The registers' bits per character under their own adapter."""
        from huggingface_hub import EvalResult

        for name in registers if self.matrix else ():
            yield EvalResult(
                task_type="text-generation",
                dataset_type="expressions",
                dataset_name=f"held-out expressions: {self.styles[name]}",
                dataset_config=name,  # results of equal configs would be listed under one name
                metric_type="bits_per_character",
                metric_value=self.matrix["matrix"][name][name] if self.matrix else None,
            )


def read_facts(
    folder: Path, base: str, revision: str | None, styles: dict[str, str], tasks: dict[str, str]
) -> BundleFacts:
    """Read what a run's folder tells; what is not there is left out of the card."""
    training = {name: _read(folder / "registers" / name / TRAINING) for name in styles}
    matrix = _read(folder / MATRIX)
    known = matrix is not None and all(name in matrix["matrix"] for name in styles)
    return BundleFacts(
        base,
        revision,
        styles,
        tasks,
        _read(folder / RECIPE) or {},
        {name: found for name, found in training.items() if found},
        matrix if known else None,
        (_read(folder / SAMPLES) or [])[:SHOWN_SCENES],
    )


def render_bundle_card(facts: BundleFacts, repo_id: str, licences: Licences, *, picture: bool) -> str:
    """The README.md of a bundle."""
    return _render("bundle.md.jinja", facts, repo_id, licences, list(facts.styles), "hyperbridge", picture=picture)


def render_register_card(facts: BundleFacts, register: str, repo_id: str, licences: Licences) -> str:
    """The README.md of one register published alone, as a plain PEFT adapter."""
    return _render("register.md.jinja", facts, repo_id, licences, [register], "peft", register=register)


def draw_matrix(matrix: dict[str, Any], path: Path) -> bool:
    """The register matrix as a heat map in PNG; False where matplotlib is not installed.

    A cell's colour is how far it is from the bare base on the same register, green below and red above.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    names = list(matrix["matrix"])
    gains = [[1 - matrix["matrix"][adapter][name] / matrix["base"][name] for name in names] for adapter in names]
    figure = Figure(figsize=(2.2 + 0.95 * len(names), 1.4 + 0.6 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(gains, cmap="RdYlGn", vmin=-0.25, vmax=0.25, aspect="auto")
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("held-out expressions of")
    axes.set_ylabel("adapter that speaks")
    axes.set_title("bits per character (colour: against the bare base)", fontsize=10)
    for row, adapter in enumerate(names):
        for column, name in enumerate(names):
            value = f"{matrix['matrix'][adapter][name]:.2f}"
            weight = "bold" if adapter == name else "normal"
            axes.text(column, row, value, ha="center", va="center", fontweight=weight)
    figure.savefig(path, dpi=120)
    return True


def _render(
    template: str,
    facts: BundleFacts,
    repo_id: str,
    licences: Licences,
    registers: list[str],
    library: str,
    **values: Any,
) -> str:
    from huggingface_hub import ModelCard, ModelCardData
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    results = list(facts.results(registers))
    about: dict[str, Any] = {"base_model": facts.base, "base_model_relation": "adapter"} if facts.on_hub else {}
    if emitted := facts.emitted():
        about["co2_eq_emissions"] = {
            "emissions": round(emitted["co2_grams"], 2),
            "source": "CodeCarbon",
            "training_type": "fine-tuning",
            "geographical_location": emitted["country"],
            "hardware_used": emitted["device"],
        }
    card_data = ModelCardData(
        language=[facts.recipe.get("language", "ru")],
        license=licences.adapters or "other",  # nobody but their author can give one
        library_name=library,
        pipeline_tag="text-generation",
        tags=["hyperbridge", "lora", "register", *registers],
        model_name=repo_id.partition("/")[2] if results else None,
        eval_results=results or None,
        **about,
    )
    environment = Environment(loader=FunctionLoader(_template), trim_blocks=False, undefined=StrictUndefined)
    content = environment.get_template(template).render(
        card_data=card_data.to_yaml(), facts=facts, repo_id=repo_id, licences=licences, registers=registers, **values
    )
    return str(ModelCard(content)).rstrip() + "\n"


def _template(name: str) -> str:
    return files("hyperbridge.model_cards").joinpath(name).read_text(encoding="utf-8")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
