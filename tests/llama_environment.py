"""llama.cpp for the CPU in an environment of its own, for the slow tests, from the source in llama-cpp-python's sdist.

    python tests/llama_environment.py FOLDER      # 0.4 GB, 5 minutes of one core; needs a C++ compiler and CMake

Of llama.cpp the library alone is compiled: the build of llama-cpp-python would compile what the tools share as well.
The bindings come without a library and are shown this one (`LLAMA_CPP_LIB_PATH`); the converters lie in the source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

VERSION = "0.3.36"
COMPILERS = ("cc", "c++", "cmake")
ONLY_THE_LIBRARY = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    "-DLLAMA_BUILD_COMMON=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_TOOLS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
)


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """A Python with the bindings, the folder of the library they load, and the checkout with the converters."""

    python: Path
    library: Path
    checkout: Path


def missing_compilers() -> list[str]:
    return [name for name in COMPILERS if shutil.which(name) is None]


def build(folder: Path) -> LlamaCpp:
    """The environment; built where it is missing."""
    source = folder / f"llama_cpp_python-{VERSION}"
    built = LlamaCpp(folder / "bin" / "python", folder / "build" / "bin", source / "vendor" / "llama.cpp")
    if (folder / "ready").exists():
        return built
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(built.python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    named = ["--no-deps", "--no-binary", "llama-cpp-python", f"llama-cpp-python=={VERSION}"]
    no_library = os.environ | {"CMAKE_ARGS": "-DLLAMA_BUILD=OFF -DLLAVA_BUILD=OFF"}
    subprocess.run([*pip, "download", *named, "-d", str(folder)], check=True, env=no_library)
    with tarfile.open(source.with_name(source.name + ".tar.gz")) as archive:
        archive.extractall(folder, filter="data")
    subprocess.run([*pip, "install", str(source)], check=True, env=no_library)
    _compile(built.checkout, built.library.parent)
    (folder / "ready").touch()
    return built


def _compile(checkout: Path, build_folder: Path) -> None:
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    configure = ["cmake", "-S", str(checkout), "-B", str(build_folder), *generator, *ONLY_THE_LIBRARY]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    compile_library = ["cmake", "--build", str(build_folder), "--target", "llama", "--parallel", str(os.cpu_count())]
    subprocess.run(compile_library, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
