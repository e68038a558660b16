"""The chat a model sees: the scene's prompt form from the user, its expression from the assistant.

Training and generation build their tokens here and nowhere else. The prompt is everything up to and including the
assistant header of the base's chat template; the completion is the expression and the end-of-turn token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperbridge.scenes import Scene

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]


def messages(scene: Scene, text: str | None = None, system_prompt: str | None = None) -> list[Message]:
    """The chat of a scene, with its expression where `text` is given."""
    chat = [{"role": "system", "content": system_prompt}] if system_prompt else []
    chat.append({"role": "user", "content": scene.prompt()})
    if text is not None:
        chat.append({"role": "assistant", "content": text})
    return chat


def prompt_ids(tokenizer: PreTrainedTokenizerBase, scene: Scene, system_prompt: str | None = None) -> list[int]:
    """Token ids a generation starts from: the chat with the assistant header open."""
    return tokenizer.apply_chat_template(
        messages(scene, system_prompt=system_prompt), add_generation_prompt=True, return_dict=False
    )


def completion_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of an expression and the end-of-turn token the model must learn to stop with."""
    return [*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
