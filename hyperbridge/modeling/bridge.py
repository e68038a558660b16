"""HyperBridge: read text into scenes, speak scenes in registers, all on one frozen base.

    bridge = HyperBridge.from_pretrained("runs/demo")
    bridge.speak("жар+тишина+вход", register="poet", num_return_sequences=2)
    bridge.speak("жар+тишина+вход", registers="all")      # {"poet": [...], ...}: one scene, read once
    bridge.read("Он медлил у двери.")

A register is a LoRA adapter of a bundle (see bundle.py); the base itself speaks where the register is `base`. A scene
that was read stays with the bridge, so another register says it without reading it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from pydantic import ValidationError

from hyperbridge.errors import HyperBridgeError, first_problem, nearest
from hyperbridge.modeling.base import Base, Dtype, load_base
from hyperbridge.modeling.bundle import (
    BARE,
    BundleConfig,
    Located,
    Task,
    check_vocabulary,
    load_config,
    load_register_card,
    locate,
    register_folders,
)
from hyperbridge.modeling.chat import message_with_scenes, prompt_ids
from hyperbridge.modeling.generation import Request, Said, Sampling, generate
from hyperbridge.modeling.registers import RegisterBank, attach_registers
from hyperbridge.scenes import Scene

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

    from hyperbridge.modeling.publishing import Stale

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
BYTE_TOKEN = re.compile(r"<0x[0-9A-F]{2}>")


DEFAULT = Sampling()


@dataclass(frozen=True, slots=True)
class Line:
    """One expression to be said: a scene, a register (name or style; `base` for the base), how, and with which seed."""

    scene: Scene | str
    register: str
    sampling: Sampling = DEFAULT
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some characters more of one line, while it is being said; `last` where the line ends with them."""

    line: int
    text: str
    last: bool


class HyperBridge:
    """A base with its registers.

    Attributes:
        model: the base under `peft.PeftModel`, frozen, in evaluation mode.
        tokenizer: the base's tokenizer.
        config: the bundle's config, with the base as it was found.
        styles: register name -> the seed's name of it (`poet` -> `поэтический`).
        located: where it was loaded from: a folder, and of the Hub the repository and the commit.
        tasks: adapter name -> what it does: `speak` (a register), `interpret`, `reply`.
    """

    def __init__(
        self,
        model: PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        config: BundleConfig,
        styles: dict[str, str],
        located: Located | None = None,
        tasks: dict[str, Task] | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._bank = RegisterBank(model)
        self.config = config
        self.styles = styles
        self.located = located
        self.tasks: dict[str, Task] = tasks or dict.fromkeys(styles, "speak")
        self._register = next(iter(self.registers), BARE)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        registers: Iterable[str] | None = None,
        revision: str | None = None,
        base: str | None = None,
        dtype: Dtype = "float32",
        load_in_4bit: bool = False,
        device: str | None = None,
    ) -> HyperBridge:
        """Load a bundle from a folder or the Hub.

        Args:
            name_or_path: a folder, or a Hub id (`owner/name`).
            registers: names to load (of a folder, styles too); None loads all.
            revision: branch, tag or commit of a Hub id.
            base: another place of the same base (a mirror, a local copy); its identity is checked all the same.
            dtype: of the base's weights.
            load_in_4bit: quantize the base to NF4 while loading.
            device: see `load_base`.

        Raises:
            HyperBridgeError: not a bundle, a register is missing, is not safetensors, or belongs on another base.
        """
        located = locate(name_or_path, revision, registers)
        folder = located.folder
        config = load_config(folder)
        folders = register_folders(folder, registers)
        if not folders:
            raise HyperBridgeError(f"{folder}: no registers in this bundle")
        if base is not None:
            config = config.model_copy(update={"base": Base(model=base, gguf_file=config.base.gguf_file)})
        found = config.base.located()
        cards = {name: load_register_card(path, found) for name, path in folders.items()}
        model, tokenizer = load_base(found, dtype=dtype, load_in_4bit=load_in_4bit, device=device)
        check_vocabulary(config, tokenizer)
        return cls(
            attach_registers(model, folders),
            tokenizer,
            config.model_copy(update={"base": found}),
            {name: card.style for name, card in cards.items()},
            located,
            {name: card.task for name, card in cards.items()},
        )

    @property
    def bank(self) -> RegisterBank:
        """The adapters on their base, and the scenes read last."""
        return self._bank

    @property
    def registers(self) -> tuple[str, ...]:
        """The names `use` and `speak` accept, besides `base` for the bare base."""
        return tuple(name for name, task in self.tasks.items() if task == "speak")

    def use(self, register: str) -> HyperBridge:
        """Make a register (or `base`) the one that speaks when none is named; returns the bridge.

        Raises:
            HyperBridgeError: no such register.
        """
        self._register = self.name_of(register)
        return self

    @overload
    def speak(
        self,
        scene: Scene | str,
        register: str | None = None,
        *,
        registers: None = None,
        num_return_sequences: int = 1,
        seed: int | None = None,
        **sampling: Any,
    ) -> list[str]: ...

    @overload
    def speak(
        self,
        scene: Scene | str,
        register: None = None,
        *,
        registers: Iterable[str] | str,
        num_return_sequences: int = 1,
        seed: int | None = None,
        **sampling: Any,
    ) -> dict[str, list[str]]: ...

    def speak(
        self,
        scene: Scene | str,
        register: str | None = None,
        *,
        registers: Iterable[str] | str | None = None,
        num_return_sequences: int = 1,
        seed: int | None = None,
        **sampling: Any,
    ) -> list[str] | dict[str, list[str]]:
        """Say a scene in a register, or in several at once.

        Args:
            scene: a `Scene`, its JSON, or its prompt form (`жар+тишина+вход` is enough).
            register: a register's name or its `style`; None takes the one in `use`.
            registers: several of them, or "all"; they speak in one batch over the scene that is read once.
            num_return_sequences: how many expressions of each.
            seed: makes sampling repeatable; an expression depends on its seed and place, not on the other registers.
            **sampling: over the defaults of `Sampling`: `do_sample`, `temperature`, `top_p`, `max_new_tokens`, ...

        Returns:
            The expressions of `register`; or of each of `registers`, by name.

        Raises:
            HyperBridgeError: the scene cannot be read, no such register, or an unknown sampling option.
        """
        if register is not None and registers is not None:
            raise HyperBridgeError("give register (one) or registers (several), not both")
        names = self._named(registers) if registers is not None else [register or self._register]
        said = self.say(
            Line(scene, name, Sampling.of(**sampling), None if seed is None else seed + number)
            for name in names
            for number in range(num_return_sequences)
        )
        by_name = {
            name: said[place * num_return_sequences : (place + 1) * num_return_sequences]
            for place, name in enumerate(names)
        }
        return by_name if registers is not None else by_name[names[0]]

    def say(self, lines: Iterable[Line]) -> list[str]:
        """Say lines of any scenes, registers and samplings in one batch; the texts in their order.

        Raises:
            HyperBridgeError: a scene cannot be read, or a register is not there.
        """
        texts: dict[int, list[int]] = {}
        lines = list(lines)
        for said in self._generate(lines):
            texts.setdefault(said.row, []).append(said.token_id)
        return [self._decode(texts[line]) for line in range(len(lines))]

    def stream(self, lines: Iterable[Line]) -> Iterator[Piece]:
        """As `say`, but every line piece by piece while all are being said; pieces of a line join to its text.

        Raises:
            HyperBridgeError: a scene cannot be read, or a register is not there.
        """
        ids: dict[int, list[int]] = {}
        sent: dict[int, int] = {}
        for said in self._generate(list(lines)):
            ids.setdefault(said.row, []).append(said.token_id)
            text = self._decode(ids[said.row] if said.last else self._settled(ids[said.row]))
            start = sent.get(said.row, 0)
            ready = len(text) if said.last else max(start, len(text.rstrip(REPLACEMENT)))
            if ready > start or said.last:
                yield Piece(said.row, text[start:ready], said.last)
                sent[said.row] = ready

    def _generate(self, lines: Sequence[Line]) -> Iterator[Said]:
        requests = [
            Request(
                tuple(prompt_ids(self.tokenizer, self._asked(line), self.config.system_prompt)),
                self.name_of(line.register),
                line.sampling,
                line.seed,
            )
            for line in lines
        ]
        return generate(
            self._bank,
            requests,
            eos_token_ids=[self.tokenizer.eos_token_id],
            pad_token_id=self.tokenizer.pad_token_id,
        )

    def _asked(self, line: Line) -> Scene | str:
        """A scene for a register; an interpreter and a synthesizer are asked with the text as it is."""
        if self.tasks.get(self.name_of(line.register), "speak") == "speak":
            return as_scene(line.scene)
        return line.scene.prompt() if isinstance(line.scene, Scene) else line.scene

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def _settled(self, ids: list[int]) -> list[int]:
        """The tokens whose text can no longer change: a run of bytes is read as a whole, once it has ended."""
        tokens = self.tokenizer.convert_ids_to_tokens(ids)
        while tokens and BYTE_TOKEN.fullmatch(tokens[-1]):
            tokens.pop()
        return ids[: len(tokens)]

    def _named(self, registers: Iterable[str] | str) -> list[str]:
        if registers == "all":
            return list(self.registers)
        given = [registers] if isinstance(registers, str) else list(registers)
        return list(dict.fromkeys(self.name_of(name) for name in given))

    def interpret(
        self, text: str, *, num_return_sequences: int = 1, seed: int | None = None, **sampling: Any
    ) -> list[Scene]:
        """Turn a text into a scene with the bundle's interpreter adapter (`read` does it by rules).

        Args:
            text: a passage.
            num_return_sequences: how often to ask; what comes back that is no scene is left out, so fewer may return.
                Of a scene the parts that cannot be read are left out, and a key said twice counts once.
            seed, **sampling: as for `speak`; asked once it is greedy, and a scene may repeat itself and be long.

        Raises:
            HyperBridgeError: the bundle has no interpreter, or an unknown sampling option.
        """
        options = {"do_sample": num_return_sequences > 1, "no_repeat_ngram_size": 0, "max_new_tokens": 256, **sampling}
        return [
            scene
            for said in self._ask("interpret", text, num_return_sequences, seed, options)
            if (scene := parsed(said))
        ]

    def reply(
        self,
        message: str,
        scenes: Iterable[Scene | str] = (),
        *,
        num_return_sequences: int = 1,
        seed: int | None = None,
        **sampling: Any,
    ) -> list[str]:
        """Reply to a message with the bundle's synthesizer adapter, in the light of scenes that resonate with it.

        Raises:
            HyperBridgeError: the bundle has no synthesizer, a scene cannot be read, or an unknown sampling option.
        """
        asked = message_with_scenes(message, [as_scene(scene) for scene in scenes])
        return self._ask("reply", asked, num_return_sequences, seed, {"max_new_tokens": 256, **sampling})

    def _ask(self, task: Task, asked: str, count: int, seed: int | None, sampling: dict[str, Any]) -> list[str]:
        adapter = next((name for name, own in self.tasks.items() if own == task), None)
        if adapter is None:
            raise HyperBridgeError(f"no adapter of this bundle can {task}; train one with a recipe's task: {task}")
        return self.say(
            Line(asked, adapter, Sampling.of(**sampling), None if seed is None else seed + number)
            for number in range(count)
        )

    def read(self, text: str, *, source: str = "text", language: str = "ru") -> list[Scene]:
        """Cut text into scenes by the rules of a language (see hyperbridge.corpus).

        Raises:
            HyperBridgeError: no rules for this language, or their packages are not installed.
        """
        from hyperbridge.corpus.building import read_text

        return read_text(text, source=source, language=language)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        revision: str | None = None,
        commit_message: str | None = None,
        base: str | None = None,
        stale: Stale = "refuse",
    ) -> str:
        """Publish the adapters of this bridge on the Hub as a bundle, with its card; the commit.

        Args:
            repo_id: `owner/name`; made where it is missing.
            private: of a new repository.
            revision: a branch; None is `main`.
            commit_message: of the one commit that this is.
            base: the base's `owner/name` on the Hub, where the registers were trained on a folder.
            stale: what becomes of adapters that lie there and are not among these: `keep`, `remove`, or do not push.

        Raises:
            HyperBridgeError: the base is not on the Hub, no right to write, or the repository holds other registers.
        """
        from hyperbridge.modeling.publishing import Destination, push, staged_bundle

        if self.located is None:
            raise HyperBridgeError("this bridge was not loaded from a bundle; push the folder of its run")
        with staged_bundle(self.located.folder, repo_id, registers=tuple(self.tasks), base=base) as staged:
            return push(staged, Destination(repo_id, revision, private, commit_message), stale=stale)

    def name_of(self, register: str) -> str:
        """A register's name, from its name or its style.

        Raises:
            HyperBridgeError: no such register.
        """
        if register == BARE or register in self.styles:
            return register
        for name, style in self.styles.items():
            if register == style:
                return name
        raise HyperBridgeError(
            f"no register '{register}'; {nearest(register, [*self.styles, *self.styles.values(), BARE])}"
        )


def parsed(prompt: str) -> Scene | None:
    """The scene of a prompt form that a model wrote; None where the text is none."""
    try:
        return Scene.from_prompt(prompt, lenient=True)
    except (HyperBridgeError, ValidationError):
        return None


def as_scene(scene: Scene | str) -> Scene:
    """A scene from itself, from its JSON, or from its prompt form.

    Raises:
        HyperBridgeError: the text is neither.
    """
    if isinstance(scene, Scene):
        return scene
    if not scene.lstrip().startswith("{"):
        return Scene.from_prompt(scene)
    try:
        return Scene.model_validate_json(scene)
    except ValidationError as error:
        raise HyperBridgeError(f"scene {scene[:60]!r}: {first_problem(error)}") from None
