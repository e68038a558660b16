"""The architecture that tests of estimates count by hand: five layers 64 wide, 500 words, four heads of 16."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig


def toy_config(model_type: str, **keys: Any) -> Any:
    """The config of a base of so many layers and words; `keys` say what else it has."""
    return AutoConfig.for_model(
        model_type,
        vocab_size=500,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        **keys,
    )
