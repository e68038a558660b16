"""The chat a model sees: the scene's prompt form from the user, its expression from the assistant.

An interpreter is asked with a text and says a scene's prompt form; a synthesizer is asked with a message and scenes.
Training and generation build their tokens here and nowhere else. The prompt is everything up to and including the
assistant header of the base's chat template; the completion is the expression and the end-of-turn token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hyperbridge.scenes import Scene

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]


def messages(asked: Scene | str, said: str | None = None, system_prompt: str | None = None) -> list[Message]:
    """The chat in which a scene (or a text) is asked with, and what is said to it where `said` is given."""
    chat = [{"role": "system", "content": system_prompt}] if system_prompt else []
    chat.append({"role": "user", "content": asked if isinstance(asked, str) else asked.prompt()})
    if said is not None:
        chat.append({"role": "assistant", "content": said})
    return chat


def prompt_ids(tokenizer: PreTrainedTokenizerBase, asked: Scene | str, system_prompt: str | None = None) -> list[int]:
    """Token ids a generation starts from: the chat with the assistant header open."""
    return tokenizer.apply_chat_template(
        messages(asked, system_prompt=system_prompt), add_generation_prompt=True, return_dict=False
    )


def message_with_scenes(message: str, scenes: Sequence[Scene]) -> str:
    """What a synthesizer is asked with: the message, and below it the scenes that resonate with it, a line each."""
    return "\n".join([message, *(scene.prompt() for scene in scenes)])


def completion_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of an expression and the end-of-turn token the model must learn to stop with."""
    return [*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
