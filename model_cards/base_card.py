"""The card of a base trained here, filled from what was measured.

    python -m benchmarks.nano_ru ... -o runs/benchmarks/nano_ru.json
    python -m hyperbridge.model_cards.base_card runs/benchmarks/nano_ru.json hyperbridge/assets/nano-ru

Every figure comes from the benchmark's JSON and the base's own folder; the samples are generated here, from a fixed
seed. The card passes huggingface_hub's validation of its metadata.
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

PROMPTS = ("В тот вечер, когда", "Жил-был старик", "Я вышел на крыльцо и")


def render_base_card(measured: dict[str, Any], folder: Path) -> str:
    """The card's Markdown.

    Args:
        measured: the JSON of `benchmarks.nano_ru`.
        folder: the base; its `pretraining.json` says what it was trained on.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData
    from transformers import AutoConfig

    trained = json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))
    models = list(measured["models"])
    bits = {f"{row['genre']} ({row['kind']})": row for row in measured["bits_per_character"]}
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type="text",
            dataset_name=f"kept-out works: {name}",
            dataset_config=name,  # results of equal configs would be listed under one name
            metric_type="bits_per_character",
            metric_value=row[models[0]],
        )
        for name, row in bits.items()
    ]
    card_data = ModelCardData(
        language="ru",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["hyperbridge", "qwen3"],
        model_name=folder.name,
        eval_results=results,
    )
    card = ModelCard.from_template(
        card_data,
        template_str=files("hyperbridge.model_cards").joinpath("base.md.jinja").read_text(encoding="utf-8"),
        name=folder.name,
        path=folder.as_posix(),
        parameters=trained["parameters"],
        tokens=trained["tokens"],
        config=AutoConfig.from_pretrained(folder),
        machine=measured["machine"],
        models=models,
        bits=bits,
        rublimp={**measured["rublimp"]["phenomena"], "mean": measured["rublimp"]["mean"]},
        left_out=measured["left_out_as_already_read"],
        samples=_samples(folder),
    )
    return str(card)


def _samples(folder: Path) -> list[dict[str, str]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(0)
    samples = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt")
        row = model.generate(**ids, do_sample=True, temperature=0.7, top_p=0.9, max_new_tokens=80)[0]
        text = tokenizer.decode(row[ids.input_ids.shape[1] :], skip_special_tokens=True)
        samples.append({"prompt": prompt, "text": text})
    return samples


def main() -> None:
    measured, folder = sys.argv[1:3]
    card = render_base_card(json.loads(Path(measured).read_text(encoding="utf-8")), Path(folder))
    (Path(folder) / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
