"""Who runs the tasks of a build: this process, several beside it, a Ray cluster or Slurm, by datatrove's executors.

datatrove pipes an iterator of documents through stages for each rank; a rank here is a task of tasks.py, whose result
lies on disk, so nothing is piped from one machine to another and a shared folder is all that they need. Whether a
task is done is told by its part alone, whoever ran it. Logs of each task lie in `logs/` beside the parts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperbridge.corpus.building import Follow
from hyperbridge.corpus.tasks import Build, Task, run_here
from hyperbridge.errors import HyperBridgeError, nearest

EXECUTORS = ("local", "ray", "slurm")
# One thread each: several processes would fight over the cores otherwise.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_SLURM = {"partition": str, "time": str, "cpus_per_task": int, "mem_per_cpu_gb": int, "qos": str, "venv_path": str}


@dataclass(frozen=True, slots=True)
class RunTask:
    """A datatrove stage: rank k builds the k-th of the tasks, and passes nothing on."""

    build: Build
    tasks: tuple[Task, ...]

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        task = self.tasks[rank]
        failure = failure_of(self.build, task)
        failure.unlink(missing_ok=True)
        try:
            self.build.run(task)
        except HyperBridgeError as error:
            failure.write_text(str(error), encoding="utf-8")
        return iter(())


def failure_of(build: Build, task: Task) -> Path:
    """Where a task leaves the message of an error that its file caused."""
    return build.folder / f"{task.number:06d}.error"


def run_build(
    build: Build,
    *,
    executor: str = "local",
    workers: int = 1,
    slurm: Mapping[str, str] | None = None,
    follow: Follow = lambda document, read: None,
) -> bool:
    """Run what is unfinished of a build.

    Args:
        build: the tasks.
        executor: of `EXECUTORS`.
        workers: tasks at a time.
        slurm: options of `--executor slurm`: partition and time are needed.
        follow: told how far a document is read in this process, in characters.

    Returns:
        Whether everything is built now; Slurm has only taken the jobs.

    Raises:
        HyperBridgeError: an executor or its package is missing, an option is wrong, or a file cannot be read.
    """
    if executor not in EXECUTORS:
        raise HyperBridgeError(f"no executor '{executor}': {nearest(executor, EXECUTORS)}")
    if workers < 1:
        raise HyperBridgeError(f"--workers {workers}: at least 1 is needed")
    if executor == "slurm":
        return _run_by_jobs(build, workers, slurm or {})
    if executor == "local" and workers == 1:
        _run_alone(build, follow)
    else:
        _run_beside(build, executor, workers)
    return True


def _run_alone(build: Build, follow: Follow) -> None:
    try:
        run_here(build, follow)
    finally:
        build.forget_nothing()


def _run_beside(build: Build, executor: str, workers: int) -> None:
    unfinished = build.unfinished()
    if unfinished:
        _execute(RunTask(build, tuple(unfinished)), executor, workers, {})
    _raise_first_failure(build, unfinished)


def _run_by_jobs(build: Build, workers: int, slurm: Mapping[str, str]) -> bool:
    """Give Slurm what is unfinished; whether nothing is, for its jobs end later."""
    unfinished = build.unfinished()
    _raise_first_failure(build, unfinished)  # of jobs that have ended since the last call
    if unfinished:
        _execute(RunTask(build, tuple(unfinished)), "slurm", workers, _slurm_options(slurm))
    return not build.unfinished()


def _execute(stage: RunTask, executor: str, workers: int, options: Mapping[str, Any]) -> None:
    stage.build.folder.mkdir(parents=True, exist_ok=True)
    try:
        from datatrove.utils.logging import logger
    except ImportError:
        raise _missing("datatrove") from None
    logger.remove()  # its lines go to the log of each task; the terminal shows progress
    common = {
        "pipeline": [stage],
        "tasks": len(stage.tasks),
        "workers": min(workers, len(stage.tasks)),
        "logging_dir": str(stage.build.folder / "logs"),
        "skip_completed": False,
    }
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        _EXECUTE[executor](common, options)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _missing(package: str) -> HyperBridgeError:
    extra = "ray" if package == "ray" else "corpus"
    return HyperBridgeError(f"this way to build needs the package {package}: pip install 'hyperbridge[{extra}]'")


def _run_local(common: dict[str, Any], options: Mapping[str, Any]) -> None:
    from datatrove.executor import LocalPipelineExecutor

    class Quiet(LocalPipelineExecutor):
        """datatrove prints the log of local rank 0, and after each task a line; no rank is 0 here, and no line."""

        def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> Any:
            from datatrove.utils.logging import logger  # the worker's own

            try:
                return super()._run_for_rank(rank, local_rank + 1, node_rank)
            finally:
                logger.remove()

    Quiet(**common).run()


def _run_ray(common: dict[str, Any], options: Mapping[str, Any]) -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # no telemetry
    try:
        import ray  # noqa: F401
    except ImportError:
        raise _missing("ray") from None
    from datatrove.executor import RayPipelineExecutor

    RayPipelineExecutor(**common).run()


def _run_slurm(common: dict[str, Any], options: Mapping[str, Any]) -> None:
    from datatrove.executor import SlurmPipelineExecutor

    SlurmPipelineExecutor(**common, **options).run()


def _slurm_options(given: Mapping[str, str]) -> dict[str, Any]:
    """The options that Slurm's executor takes, checked before anything is written."""
    if shutil.which("sbatch") is None:
        raise HyperBridgeError("--executor slurm: no `sbatch` on this machine; run it on a login node of the cluster")
    unknown = next((name for name in given if name not in _SLURM), None)
    if unknown is not None:
        raise HyperBridgeError(f"--slurm {unknown}: {nearest(unknown, _SLURM)}")
    missing = [name for name in ("partition", "time") if name not in given]
    if missing:
        raise HyperBridgeError(f"--executor slurm needs {' and '.join(f'--slurm {name}=...' for name in missing)}")
    try:
        return {name: _SLURM[name](value) for name, value in given.items()}
    except ValueError as error:
        raise HyperBridgeError(f"--slurm: {error}") from None


_EXECUTE: dict[str, Callable[[dict[str, Any], Mapping[str, Any]], None]] = {
    "local": _run_local,
    "ray": _run_ray,
    "slurm": _run_slurm,
}


def _raise_first_failure(build: Build, tasks: list[Task]) -> None:
    """Raise what the first of the failed tasks said; all are forgotten, so that the next call tries them again."""
    failures = [failure for failure in (failure_of(build, task) for task in tasks) if failure.exists()]
    told = [failure.read_text(encoding="utf-8") for failure in failures]
    for failure in failures:
        failure.unlink()
    if told:
        raise HyperBridgeError(told[0])
