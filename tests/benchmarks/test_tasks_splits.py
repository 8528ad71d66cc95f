"""Splits are stratified and disjoint, copies stay together, and given parts are respected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.tasks.splits import Partition, drop_equal, merge_groups, partition, row_groups, stratified_subset
from nas.task import PARTS
from searchspaces.errors import InputError

NAMES = ("a", "b", "c")


def test_fractions_of_distinct_rows_are_exact() -> None:
    labels = np.repeat([0, 1, 2], [500, 300, 200])
    parts = partition(labels, np.arange(1000), NAMES, seed=4).rows
    assert {part: np.bincount(labels[rows]).tolist() for part, rows in parts.items()} == {
        "train": [320, 192, 128],
        "validation": [80, 48, 32],
        "test": [100, 60, 40],
    }


def test_many_small_classes_still_give_the_right_totals() -> None:
    labels = np.repeat(np.arange(200), 3)
    parts = partition(labels, np.arange(600), [str(name) for name in range(200)], seed=0).rows
    # Three rows a class: rounding each class alone would give 1 test and 0 validation rows everywhere.
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 384, "validation": 96, "test": 120}
    assert len(set(labels[parts["train"]])) == 200


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 5), size=st.integers(30, 120), distinct=st.integers(15, 60))
def test_copies_never_part(data: st.DataObject, seed: int, size: int, distinct: int) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    groups = rng.integers(0, distinct, size)
    labels = groups % 3
    try:
        found = partition(labels, groups, NAMES, seed=seed)
    except InputError as error:
        assert "expected" in str(error)
        return
    rows = np.concatenate([found.rows[part] for part in PARTS])
    assert sorted(rows) == list(range(size)) and not found.dropped
    homes = [set(groups[found.rows[part]]) for part in PARTS]
    assert not (homes[0] & homes[1] or homes[0] & homes[2] or homes[1] & homes[2])
    assert set(labels[found.rows["train"]]) == set(labels) == {0, 1, 2}
    again = partition(labels, groups, NAMES, seed=seed)
    assert all(np.array_equal(found.rows[part], again.rows[part]) for part in PARTS)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 40), first=st.integers(1, 40), second=st.integers(1, 40))
def test_merged_groups_are_those_that_hang_together(seed: int, size: int, first: int, second: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, first, size), rng.integers(0, second, size)
    linked = (one[:, None] == one) | (two[:, None] == two)
    for _ in range(size.bit_length()):
        linked = linked @ linked  # Paths twice as long.
    merged = merge_groups(one, two)
    assert np.array_equal(merged[:, None] == merged, linked)


def test_a_given_test_set_is_kept_whole_and_its_copies_leave_training() -> None:
    groups = np.arange(60)
    groups[[3, 4]] = groups[50]
    groups[59] = groups[50]
    given_parts = {"train": np.arange(50), "test": np.arange(50, 60)}
    found = partition(np.arange(60) % 3, groups, NAMES, seed=0, given=given_parts)
    assert found.rows["test"].tolist() == list(range(50, 60))
    assert found.dropped == 2 and not {3, 4} & set(np.concatenate([found.rows["train"], found.rows["validation"]]))
    # 48 rows are left, and validation takes 0.16 / (0.64 + 0.16) of them.
    assert len(found.rows["validation"]) == 10


def test_all_parts_given_are_not_drawn() -> None:
    given_parts = {"train": np.arange(6), "validation": np.arange(6, 9), "test": np.arange(9, 12)}
    found = partition(np.arange(12) % 3, np.arange(12), NAMES, seed=9, given=given_parts)
    assert {part: rows.tolist() for part, rows in found.rows.items()} == {
        part: rows.tolist() for part, rows in given_parts.items()
    }


def test_rows_that_an_encoding_made_equal_leave_the_held_out_parts() -> None:
    parts = Partition(
        rows={"train": np.array([0, 1]), "validation": np.array([2, 3, 4]), "test": np.array([5, 6])}, dropped=1
    )
    # Row 2 equals a training row, row 3 the test row 6, row 5 a training row.
    kept = drop_equal(parts, np.array([0, 1, 0, 6, 4, 1, 6]))
    assert {part: rows.tolist() for part, rows in kept.rows.items()} == {
        "train": [0, 1],
        "validation": [4],
        "test": [6],
    }
    assert kept.dropped == 4


def test_groups_are_equal_bytes() -> None:
    x = np.array([[1, 2], [3, 4], [1, 2], [1, 3]], np.uint8)
    assert row_groups(x).tolist() == [0, 1, 0, 2]
    assert row_groups(np.stack([x, x])[:, ::-1]).tolist() == [0, 0]


def test_a_class_among_copies_of_another_is_trained_on() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [2])
    groups = np.arange(41)
    groups[[0, 1]] = 40
    for seed in range(20):
        assert {0, 1, 40} <= set(partition(labels, groups, NAMES, seed=seed).rows["train"].tolist())


def test_a_class_that_only_the_test_part_has_is_named() -> None:
    given_parts = {"train": np.arange(40), "test": np.array([40])}
    labels = np.array([0] * 20 + [1] * 20 + [2])
    with pytest.raises(InputError, match=r"class 'c': expected at least one training example .* got none \(1 rows"):
        partition(labels, np.arange(41), NAMES, seed=0, given=given_parts)


@pytest.mark.parametrize("labels", [np.array([0, 1, 2]), np.array([0, 1])])
def test_too_few_rows_are_refused(labels: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"rows: expected enough for a training, a validation and a test split, got"):
        partition(labels, np.arange(len(labels)), NAMES[: len(labels)], seed=0)


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=6), share=st.floats(0, 1), seed=st.integers(0, 3))
def test_a_subset_keeps_every_class_and_the_proportions(counts: list[int], share: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    size = len(counts) + int(share * (len(labels) - len(counts)))
    rows = stratified_subset(labels, size, seed=seed)
    assert len(rows) == len(set(rows.tolist())) == size
    taken = np.bincount(labels[rows], minlength=len(counts))
    assert (taken >= 1).all() and (taken <= counts).all()
    # Within one row of the exact share, unless a small class had to be lifted to one row.
    exact = np.array(counts) * size / len(labels)
    if (exact >= 1).all():
        assert (np.abs(taken - exact) <= 1 + 1e-9).all()
