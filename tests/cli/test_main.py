"""The command starts without the heavy libraries, and a mistake is one line and exit code 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hyperbridge

HEAVY = ("torch", "transformers", "peft", "trl", "datasets", "numpy", "pandas", "gradio", "pymorphy3", "slovnet")


@pytest.mark.parametrize(
    "code", ["import hyperbridge.cli.main", "import hyperbridge; hyperbridge.Scene.from_prompt('жар+тень').prompt()"]
)
def test_the_heavy_libraries_are_not_imported(code: str) -> None:
    code += f"; import sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_help_lists_the_verbs(call) -> None:
    said = call("--help")
    assert said.code == 0
    for verb in ("scenes", "corpus", "train", "speak", "read", "evaluate"):
        assert f" {verb} " in said.out


def test_the_version_is_the_packages(call) -> None:
    assert call("--version").out == f"{hyperbridge.__version__}\n"


@pytest.mark.parametrize("arguments", [("speek",), ("speak",), ("scenes", "validate"), ("train", "x", "--rezume")])
def test_a_wrong_call_exits_with_2(call, arguments: tuple[str, ...]) -> None:
    said = call(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Usage: ")


def test_the_console_script_exits_with_2_and_no_traceback() -> None:
    code = "from hyperbridge.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "scenes", "validate", "/нет/такого.jsonl"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: /нет/такого.jsonl: cannot be read: No such file or directory\n"
