"""A build in tasks: the same bytes however it is cut up, interrupted or shared out; errors that name the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbridge import HyperBridgeError
from hyperbridge.corpus import tasks
from hyperbridge.corpus.building import DropCounts
from hyperbridge.corpus.executors import run_build
from hyperbridge.corpus.outline import TreeNode
from hyperbridge.corpus.tasks import Build, BuildOptions

LINES = (
    "Старый рыбак медленно вытащил лодку на мокрый песок, и над озером поднялся туман.",
    "Вдова закрыла ставни, зажгла лампу и села к столу писать длинное письмо сыну.",
    "Дождь стучал по железной крыше, и мальчик считал тяжёлые капли на оконном стекле.",
)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    for number, line in enumerate(LINES):
        (folder / f"{number}.txt").write_text(f"{line}\n\nДа.\n", encoding="utf-8")
    return folder


def built(build: Build) -> tuple[list[str], list[TreeNode], DropCounts]:
    return [scene.to_json() for scene in build.scenes()], list(build.nodes()), build.counts()


def test_parts_are_gathered_in_the_order_of_the_files_with_their_counts(books, tmp_path) -> None:
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    assert run_build(build)
    lines, nodes, drops = built(build)
    assert [(node.kind, node.span.source, node.passages) for node in nodes] == [
        (kind, f"books/{number}.txt", 1) for number in range(3) for kind in ("book", "scene")
    ]
    assert [line[line.index("books/") :][:11] for line in lines] == ["books/0.txt", "books/1.txt", "books/2.txt"]
    assert (drops.documents, drops.scenes) == (3, 3)
    assert drops.dropped == {("segmentation", "shorter than 8 words"): 3}
    assert drops.registers.total() == 3


def test_an_interrupted_build_goes_on_where_it_stopped(books, tmp_path, monkeypatch) -> None:
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    opened: list[str] = []
    read = tasks.read_input

    def power_cut(path, source, **options):
        opened.append(path.name)
        if len(opened) == 2:
            raise KeyboardInterrupt
        return read(path, source, **options)

    monkeypatch.setattr(tasks, "read_input", power_cut)
    with pytest.raises(KeyboardInterrupt):
        run_build(build)
    run_build(build)
    assert opened == ["0.txt", "1.txt", "1.txt", "2.txt"]
    whole = Build.of([books], tmp_path / "whole", BuildOptions())
    run_build(whole)
    assert built(build) == built(whole)


def test_a_part_is_made_anew_when_its_file_or_an_option_changes(books, tmp_path) -> None:
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    run_build(build)
    assert build.unfinished() == []
    (books / "1.txt").write_text(LINES[0], encoding="utf-8")
    assert [task.path.name for task in build.unfinished()] == ["1.txt"]
    other = Build.of([books], tmp_path / "parts", BuildOptions(register="логический"))
    assert len(other.unfinished()) == 3


def test_workers_of_datatrove_give_the_same_bytes(books, tmp_path) -> None:
    pytest.importorskip("datatrove")
    alone = Build.of([books], tmp_path / "alone", BuildOptions())
    shared = Build.of([books], tmp_path / "shared", BuildOptions())
    run_build(alone)
    assert run_build(shared, workers=2)
    assert built(shared) == built(alone)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_cannot_be_read_is_named_and_the_others_are_kept(books, tmp_path, workers) -> None:
    if workers > 1:
        pytest.importorskip("datatrove")
    (books / "1.txt").write_bytes(b"\x00\xff\x00\xfe" * 40)
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    with pytest.raises(HyperBridgeError, match=r"1\.txt: not text"):
        run_build(build, workers=workers)
    assert "0.txt" not in {task.path.name for task in build.unfinished()}


def test_a_missing_part_is_an_error_not_a_shorter_result(books, tmp_path) -> None:
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    run_build(build)
    (tmp_path / "parts" / "000001.counts.json").unlink()
    with pytest.raises(HyperBridgeError, match="a part of the build is missing"):
        built(build)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "rey"}, "no executor 'rey': did you mean 'ray'"),
        ({"workers": 0}, "--workers 0: at least 1"),
    ],
)
def test_a_wrong_executor_is_refused_before_any_work(books, tmp_path, options, message) -> None:
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    with pytest.raises(HyperBridgeError, match=message):
        run_build(build, **options)
    assert not (tmp_path / "parts").exists()


def slurm(build: Build, **options: str) -> bool:
    return run_build(build, executor="slurm", workers=2, slurm=options)


def test_slurm_needs_a_partition_and_a_time(books, tmp_path, monkeypatch) -> None:
    pytest.importorskip("datatrove")
    build = Build.of([books], tmp_path / "parts", BuildOptions())
    monkeypatch.setattr("hyperbridge.corpus.executors.shutil.which", lambda name: None)
    with pytest.raises(HyperBridgeError, match="no `sbatch` on this machine"):
        slurm(build)
    monkeypatch.setattr("hyperbridge.corpus.executors.shutil.which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(HyperBridgeError, match=r"needs --slurm partition=\.\.\. and --slurm time="):
        slurm(build)
    with pytest.raises(HyperBridgeError, match="--slurm partitoin: did you mean 'partition'"):
        slurm(build, partitoin="cpu")


def test_a_file_in_a_folder_keeps_its_name_and_a_saved_data_set_is_read(books, tmp_path) -> None:
    import datasets

    (books / "old").mkdir()
    (books / "old" / "3.txt").write_text(LINES[0], encoding="utf-8")
    datasets.Dataset.from_dict({"text": [LINES[1]]}).save_to_disk(str(tmp_path / "tales"))
    build = Build.of([books / "old", tmp_path / "tales"], tmp_path / "parts", BuildOptions())
    nested = Build.of([books], tmp_path / "nested", BuildOptions())
    run_build(build)
    run_build(nested)
    assert [scene.meta.source for scene in build.scenes()] == ["old/3.txt", "tales#0"]
    assert [scene.meta.source for scene in nested.scenes()][-1] == "books/old/3.txt"
    assert build.unfinished() == []


@pytest.mark.slow
def test_ray_gives_the_same_bytes(books, tmp_path) -> None:
    pytest.importorskip("ray")
    alone = Build.of([books], tmp_path / "alone", BuildOptions())
    shared = Build.of([books], tmp_path / "shared", BuildOptions())
    run_build(alone)
    assert run_build(shared, executor="ray", workers=2)
    assert built(shared) == built(alone)
