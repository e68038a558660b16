"""Each register gets the steps it would get alone, and no row is lost where a step is cut into micro-batches."""

from __future__ import annotations

from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hyperbridge.trainers.joint import JointSteps, Plan, collate, plan_steps, shards
from hyperbridge.trainers.preparation import Row

HEADER = 7
PAD = 0


def row(register: str, scene: int, *said: int) -> Row:
    return Row(register, (1, scene), (HEADER, *said), len(said))


# Twelve rows, nine rows of which three say scenes that the poet does not, and three rows.
POET = [row("poet", scene, 10, take) for scene in range(20, 26) for take in (11, 12)]
BODY = [row("body", scene, 13, 14, scene) for scene in range(23, 32)]
RARE = [row("rare", scene, 15) for scene in (21, 25, 40)]


def batches(plan: Plan, rows: list[Row], register: str) -> list[list[Row]]:
    """The rows of a register, step by step."""
    return [[rows[index] for index in step[register]] for step in plan.steps if register in step]


@pytest.mark.parametrize("length", [{"epochs": 3}, {"epochs": 2.5}, {"epochs": 1, "max_steps": 5}])
def test_a_registers_steps_do_not_depend_on_the_other_registers(length: dict[str, float]) -> None:
    rows = RARE + BODY + POET
    together = plan_steps(rows, batch_size=4, seed=1, **length)
    for name, own in {"poet": POET, "body": BODY, "rare": RARE}.items():
        alone = plan_steps(own, batch_size=4, seed=1, **length)
        assert batches(together, rows, name) == batches(alone, own, name)


def test_an_epoch_has_every_row_once_and_its_own_order() -> None:
    rows = POET + BODY
    plan = plan_steps(rows, batch_size=5, epochs=3)
    for name, own in {"poet": POET, "body": BODY}.items():
        steps = batches(plan, rows, name)
        an_epoch = len(steps) // 3
        assert an_epoch == -(-len(own) // 5)
        epochs = [list(chain(*steps[start : start + an_epoch])) for start in range(0, len(steps), an_epoch)]
        for epoch in epochs:
            assert len(epoch) == len(own)
            assert set(epoch) == set(own)
        assert epochs[0] != epochs[1] != epochs[2]
    assert plan_steps(rows, batch_size=5, epochs=3) == plan
    assert plan_steps(rows, batch_size=5, epochs=3, seed=1) != plan


def test_rows_of_a_scene_come_together_for_all_registers() -> None:
    echo = [row("echo", scene, 16) for scene in range(20, 26)]
    plan = plan_steps(POET, batch_size=4, epochs=1)
    assert [len({row.scene for row in batch}) for batch in batches(plan, POET, "poet")] == [2, 2, 2]
    rows = POET + echo
    plan = plan_steps(rows, batch_size=2, epochs=1)
    order = [[batch[0].scene for batch in batches(plan, rows, name)] for name in ("poet", "echo")]
    assert order[1] == order[0][::2]


def test_the_steps_of_a_rare_register_lie_evenly_among_the_others() -> None:
    plan = plan_steps(POET + RARE, batch_size=1, epochs=2)
    assert plan.an_epoch == 12
    assert [number for number, step in enumerate(plan.steps) if "rare" in step] == [0, 4, 8, 12, 16, 20]
    assert all("poet" in step for step in plan.steps)


def test_max_steps_are_each_registers_own() -> None:
    plan = plan_steps(POET + RARE, batch_size=3, epochs=9, max_steps=6)
    assert [len(batches(plan, POET + RARE, name)) for name in ("poet", "rare")] == [6, 6]
    assert plan.own_steps("rare") == [0, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6]
    assert plan.own_steps("poet")[-1] == 6


def test_a_part_of_an_epoch_is_a_part_of_its_steps() -> None:
    assert len(plan_steps(POET, batch_size=3, epochs=0.5).steps) == 2
    assert len(plan_steps(POET, batch_size=3, epochs=1.25).steps) == 5


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ((4, 4), [4, 4]),
        ((3, 5), [3, 5]),  # the nearest scene's border
        ((1, 7), [4, 4]),  # a long scene is cut rather than the parts unequal
        ((2, 1, 3, 2), [3, 5]),
    ],
)
def test_a_step_is_cut_between_scenes_where_it_can_be(sizes: tuple[int, ...], parts: list[int]) -> None:
    rows = [row("poet", 20 + scene, take) for scene, size in enumerate(sizes) for take in range(size)]
    assert [len(part) for part in shards(rows, range(len(rows)), 2)] == parts


@given(scenes=st.lists(st.integers(0, 6), max_size=24), count=st.integers(1, 9))
def test_parts_hold_every_row_once_and_about_equally_many(scenes: list[int], count: int) -> None:
    rows = [row("poet", scene, place) for place, scene in enumerate(scenes)]
    parts = shards(rows, range(len(rows)), count)
    assert len(parts) == count
    assert sorted(index for part in parts for index in part) == list(range(len(rows)))
    assert max(map(len, parts)) <= 2 * len(rows) / count + 1


def micro_batches(
    rows: list[Row], plan: Plan, *, accumulation: int, world_size: int, stopped: tuple[str, ...] = ()
) -> list[list[dict]]:
    """For each joint step the micro-batches of all processes."""
    processes = [
        JointSteps(rows, plan, accumulation=accumulation, rank=rank, world_size=world_size, pad_token_id=PAD)
        for rank in range(world_size)
    ]
    for steps in processes:
        steps.stopped = set(stopped)
        assert len(steps) == len(plan.steps) * accumulation
    return [
        [steps[number * accumulation + part] for steps in processes for part in range(accumulation)]
        for number in range(len(plan.steps))
    ]


def said_in(batch: dict) -> list[tuple[str, float, list[int]]]:
    """Register, weight and labels of each row."""
    return [
        (name, weight, labels[labels != -100].tolist())
        for name, weight, labels in zip(batch["registers"], batch["weights"].tolist(), batch["labels"], strict=True)
    ]


@pytest.mark.parametrize(("accumulation", "world_size"), [(1, 1), (3, 1), (1, 2), (2, 2)])
def test_the_weighted_sum_over_all_micro_batches_is_the_sum_of_the_registers_means(
    accumulation: int, world_size: int
) -> None:
    rows = POET + BODY + RARE
    plan = plan_steps(rows, batch_size=5, epochs=1)
    steps = micro_batches(rows, plan, accumulation=accumulation, world_size=world_size)
    turns = {part["turn"] for parts in steps for part in parts}
    assert len(turns) == sum(map(len, steps))  # each micro-batch draws dropout masks of its own
    for planned, parts in zip(plan.steps, steps, strict=True):
        rows_seen = [seen for part in parts for seen in said_in(part)]
        wanted = [rows[index] for own in planned.values() for index in own]
        assert sorted(labels for _, weight, labels in rows_seen if weight) == sorted(
            list(row.own[-row.said :]) for row in wanted
        )
        # A token's loss is taken to be its id.
        total = sum(weight * sum(labels) for _, weight, labels in rows_seen)
        means = 0.0
        for name in planned:
            said = [token for row in wanted if row.register == name for token in row.own[-row.said :]]
            means += sum(said) / len(said)
        assert total == pytest.approx(means)


def test_a_stopped_register_is_left_out_and_the_others_weigh_as_before() -> None:
    rows = POET + BODY
    plan = plan_steps(rows, batch_size=4, epochs=1)
    going_on = micro_batches(rows, plan, accumulation=1, world_size=1)
    stopped = micro_batches(rows, plan, accumulation=1, world_size=1, stopped=("poet",))
    for (before,), (after,) in zip(going_on, stopped, strict=True):
        assert said_in(after) == [seen for seen in said_in(before) if seen[0] == "body"]


def test_an_empty_part_repeats_a_row_at_no_weight() -> None:
    rows = [row("poet", 20, 10, 11)]
    (parts,) = micro_batches(rows, plan_steps(rows, batch_size=4, epochs=1), accumulation=2, world_size=2)
    assert sorted(seen for part in parts for seen in said_in(part)) == [("poet", 0.0, [10, 11])] * 3 + [
        ("poet", 0.5, [10, 11])
    ]


def test_a_step_of_stopped_registers_alone_teaches_nothing() -> None:
    rows = POET[:2]
    plan = plan_steps(rows, batch_size=2, epochs=1)
    ((part,),) = micro_batches(rows, plan, accumulation=1, world_size=1, stopped=("poet",))
    assert part["weights"].tolist() == [0.0]


def test_a_micro_batch_is_sorted_by_register_padded_on_the_right_and_labelled_on_the_expression() -> None:
    rows = [row("poet", 20, 10, 11, 12), row("body", 21, 13), row("poet", 21, 14, 15), Row("body", (), (7, 8, 16), 1)]
    batch = collate(rows, [1.0, 2.0, 3.0, 4.0], pad_token_id=PAD)
    assert batch["registers"] == ["body", "body", "poet", "poet"]
    assert batch["input_ids"].tolist() == [[7, 13, 0, 0], [7, 8, 16, 0], [7, 10, 11, 12], [7, 14, 15, 0]]
    assert batch["labels"].tolist() == [
        [-100, 13, -100, -100],
        [-100, -100, 16, -100],
        [-100, 10, 11, 12],
        [-100, 14, 15, -100],
    ]
    assert batch["own"].int().tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["weights"].tolist() == [2.0, 4.0, 1.0, 3.0]
    assert [batch["scenes"][place] for place in batch["scene_of_row"]] == [(1, 21), (), (1, 20), (1, 21)]
    assert len(batch["scenes"]) == 3
    assert (batch["input_ids"].dtype, batch["own"].dtype) == (torch.int64, torch.bool)
