"""`hyperbridge export BUNDLE -o OUT`: registers for other engines (merged weights, vLLM, GGUF)."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    bundle: Annotated[str, typer.Argument(help="A folder, or a Hub id (owner/name).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="New folder; of --gguf a new file.")],
    merge: Annotated[
        str | None, typer.Option("--merge", metavar="REGISTER", help="One register merged into the base's weights.")
    ] = None,
    vllm: Annotated[bool, typer.Option("--vllm", help="All registers as vLLM serves them, and the command.")] = False,
    gguf: Annotated[
        str | None, typer.Option("--gguf", metavar="REGISTER", help="One register as a GGUF LoRA for llama.cpp.")
    ] = None,
    llama_cpp: Annotated[
        Path, typer.Option("--llama-cpp", help="A checkout of llama.cpp, whose converter --gguf runs; no build needed.")
    ] = Path("llama.cpp"),
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option("--dtype", help="Of the merged weights.")
    ] = "bfloat16",
) -> None:
    """Take registers (activation: always) to another engine."""
    from hyperbridge.errors import HyperBridgeError
    from hyperbridge.modeling import export as engines

    if sum((merge is not None, vllm, gguf is not None)) != 1:
        raise HyperBridgeError("give one of --merge REGISTER, --vllm, --gguf REGISTER")
    if merge is not None:
        typer.echo(f"{engines.merge(bundle, merge, output, dtype=dtype)}: a plain model, with nothing of ours needed")
    elif gguf is not None:
        written = engines.to_gguf(bundle, gguf, output, llama_cpp=llama_cpp)
        base = shlex.join(["python", str(llama_cpp / "convert_hf_to_gguf.py"), "BASE", "--outfile", "BASE.gguf"])
        typer.echo(f"llama-server -m BASE.gguf --lora {shlex.quote(str(written))}  # BASE.gguf: {base}")
    else:
        typer.echo(engines.for_vllm(bundle, output))
