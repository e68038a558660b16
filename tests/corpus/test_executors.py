"""A build on Slurm, with `sbatch` and `srun` of our own: jobs wait in a folder until the test runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.corpus.executors import run_build
from hyperbridge.corpus.tasks import Build, BuildOptions

pytest.importorskip("datatrove")

LINES = (
    "Старый мельник закрыл ставни, зажёг лампу и долго слушал, как вода бьёт в колесо.",
    "Кузнец положил молот на порог и всю ночь смотрел на угли в горне.",
    "Девочка нашла в траве медный ключ и спрятала его под крыльцом от братьев.",
)
SBATCH = """#!/bin/bash
cp "${@: -1}" "$QUEUE/$(ls "$QUEUE" | wc -l).slurm"
echo "Submitted batch job 7"
"""
# What follows srun's own options is the command.
SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do [[ $1 == -n ]] && shift; shift; done
exec "$@"
"""
# What datatrove asks for the names of the machines.
SCONTROL = """#!/bin/bash
echo "${@: -1}"
"""


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    for number, line in enumerate(LINES):
        (folder / f"{number}.txt").write_text(line, encoding="utf-8")
    return folder


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of waiting jobs of a cluster of one machine."""
    for name in ("bin", "queue"):
        (tmp_path / name).mkdir()
    for name, script in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    path = os.pathsep.join((str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]))
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("QUEUE", str(tmp_path / "queue"))
    return tmp_path / "queue"


def run_jobs(queue: Path) -> list[str]:
    """Run the waiting jobs that build, each index of their arrays, and clear the queue; the indices that were run."""
    run = []
    for job in sorted(queue.iterdir()):
        script = job.read_text()
        (array,) = [line.partition("0-")[2] for line in script.splitlines() if line.startswith("#SBATCH --array=")]
        if "launch_pickled_pipeline" in script:
            for index in range(int(array.partition("%")[0]) + 1):
                place = {"SLURM_ARRAY_TASK_ID": str(index), "RUN_OFFSET": "0", "SLURM_NODELIST": "localhost"}
                subprocess.run(["bash", job], env={**os.environ, **place}, check=True)
                run.append(array)
        job.unlink()
    return run


def slurm(build: Build) -> bool:
    return run_build(build, executor="slurm", workers=2, slurm={"partition": "cpu", "time": "00:10:00"})


def lines(build: Build) -> list[str]:
    return [scene.to_json() for scene in build.scenes()]


@pytest.mark.slow
def test_slurm_builds_what_one_process_builds(books: Path, queue: Path, tmp_path: Path) -> None:
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    assert not slurm(build)
    assert len(build.unfinished()) == 3
    assert run_jobs(queue) == ["2%2"] * 3
    assert slurm(build)
    assert list(queue.iterdir()) == []
    here = Build.of([books], tmp_path / "here", BuildOptions())
    run_build(here)
    assert len(lines(build)) == 3
    assert lines(build) == lines(here)


def test_a_file_that_a_job_could_not_read_is_named_and_tried_again_when_mended(
    books: Path, queue: Path, tmp_path: Path
) -> None:
    (books / "1.txt").write_bytes(b"\x00\xff\x00\xfe" * 40)
    build = Build.of([books / "1.txt"], tmp_path / "parts", BuildOptions())
    assert not slurm(build)
    run_jobs(queue)
    with pytest.raises(HyperBridgeError, match=r"1\.txt: not text in UTF-8"):
        slurm(build)
    assert list(queue.iterdir()) == []
    (books / "1.txt").write_text(LINES[1], encoding="utf-8")
    assert not slurm(build)
    assert run_jobs(queue) == ["0%1"]
    assert slurm(build)


def test_the_job_says_what_was_asked_for(books: Path, queue: Path, tmp_path: Path) -> None:
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    options = {"partition": "night", "time": "02:00:00", "cpus_per_task": "3", "mem_per_cpu_gb": "5", "qos": "low"}
    assert not run_build(build, executor="slurm", workers=2, slurm=options)
    asked = (queue / "0.slurm").read_text().splitlines()
    wanted = {"partition=night", "time=02:00:00", "cpus-per-task=3", "mem-per-cpu=5G", "qos=low", "array=0-2%2"}
    assert {f"#SBATCH --{one}" for one in wanted} <= set(asked)


def test_a_number_of_slurm_that_is_none_is_refused(books: Path, queue: Path, tmp_path: Path) -> None:
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    options = {"partition": "cpu", "time": "00:10:00", "cpus_per_task": "три"}
    with pytest.raises(HyperBridgeError, match=r"^--slurm: .*'три'$"):
        run_build(build, executor="slurm", slurm=options)
    assert list(queue.iterdir()) == []
