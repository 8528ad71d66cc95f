"""Seeded, stratified, disjoint splits in which copies of an example stay together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nas.task import PARTS, Part
from searchspaces.errors import InputError

FRACTIONS: Final[Mapping[Part, float]] = {"train": 0.64, "validation": 0.16, "test": 0.20}
# Where a copy lies in several given parts it stays in the first of these: a given test set is never changed.
KEEP_ORDER: Final[tuple[Part, ...]] = ("test", "validation", "train")
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Row numbers of each part, ascending, and how many rows were dropped as copies of another part's."""

    rows: Mapping[Part, Rows]
    dropped: int = 0


def row_groups(x: NDArray[Any]) -> Rows:
    """For each row of `x` [N, …] the number of its group; rows of the same bytes share a group."""
    rows = np.ascontiguousarray(x).reshape(len(x), -1)
    seen: dict[bytes, int] = {}
    digests = (hashlib.blake2b(row.data, digest_size=16).digest() for row in rows)
    return np.fromiter((seen.setdefault(key, len(seen)) for key in digests), np.int64, len(rows))


def merge_groups(first: Rows, second: Rows) -> Rows:
    """The finest grouping in which rows that share a group in either of two groupings (int64 [N] each) share one."""
    merged = np.unique(first, return_inverse=True)[1]
    while True:
        joined = merged
        for groups in (second, first):
            lowest = np.full(int(groups.max()) + 1, len(first))
            np.minimum.at(lowest, groups, joined)
            joined = lowest[groups]
        if np.array_equal(joined, merged):
            return merged
        merged = joined


def partition(
    labels: Rows,
    groups: Rows,
    class_names: Sequence[str],
    *,
    seed: int,
    given: Mapping[Part, Rows] | None = None,
) -> Partition:
    """Divides the rows into train, validation and test.

    Args:
        labels: class numbers, int64 [N].
        groups: group numbers from `row_groups`, int64 [N]; a group is never divided.
        class_names: by class number; every class gets a training example, or an InputError says which cannot.
        seed: same seed, same split.
        given: parts that the source has already set apart; those that lack are drawn from its "train", in the
            proportions of FRACTIONS. Copies across given parts are dropped, a given test set is kept whole.
    """
    parts, dropped = _drop_copies(given or {"train": np.arange(len(labels))}, groups)
    absent = [part for part in ("test", "validation") if part not in parts]
    if absent:
        parts |= _draw(parts["train"], labels, groups, absent, np.random.default_rng(seed))
    _check_filled(parts, groups)
    present = np.bincount(labels[parts["train"]], minlength=len(class_names)) > 0
    if not present.all():
        label = int(np.flatnonzero(~present)[0])
        raise InputError(
            f"class {class_names[label]!r}: expected at least one training example of every class, got none"
            f" ({int((labels == label).sum())} rows in all, copies of other rows left out); add rows or drop the class."
        )
    return Partition(rows={part: np.sort(parts[part]) for part in PARTS}, dropped=dropped)


def drop_equal(parts: Partition, groups: Rows) -> Partition:
    """Without the held-out rows that an encoding made equal to a row of another part (`groups` of encoded rows).

    Rows that differ can be equal to the network: rare categories share a code, wild values are cut. Training rows
    stay, because the encoding was fitted on them; a test row stays before a validation row.
    """
    kept: dict[Part, Rows] = {}
    taken = np.zeros(0, np.int64)
    for part in ("train", "test", "validation"):
        rows = parts.rows[part]
        kept[part] = rows[~np.isin(groups[rows], taken)]
        taken = np.concatenate([taken, groups[rows]])
    _check_filled(kept, groups)
    gone = sum(len(parts.rows[part]) - len(kept[part]) for part in PARTS)
    return Partition(rows={part: kept[part] for part in PARTS}, dropped=parts.dropped + gone)


def _check_filled(parts: Mapping[Part, Rows], groups: Rows) -> None:
    for part in PARTS:
        if not len(parts[part]):
            raise InputError(
                f"rows: expected enough for a training, a validation and a test split, got {len(groups)} rows"
                f" ({len(np.unique(groups))} distinct), which leave {part} empty; add rows."
            )


def _drop_copies(given: Mapping[Part, Rows], groups: Rows) -> tuple[dict[Part, Rows], int]:
    kept: dict[Part, Rows] = {}
    taken = np.zeros(0, np.int64)
    for part in KEEP_ORDER:
        if part in given:
            rows = given[part]
            kept[part] = rows[~np.isin(groups[rows], taken)]
            taken = np.concatenate([taken, groups[rows]])
    return kept, sum(len(rows) for rows in given.values()) - sum(len(rows) for rows in kept.values())


def _draw(pool: Rows, labels: Rows, groups: Rows, absent: Sequence[Part], rng: np.random.Generator) -> dict[Part, Rows]:
    """The pool as train and the absent parts, class by class.

    Each class gives its share of rows; what rounding leaves over is carried to the next class, so that many small
    classes still give the right total. A class's first group is for training; one too large for a share is too.
    """
    members, sizes, majority = _summary(groups[pool], labels[pool])
    total = FRACTIONS["train"] + sum(FRACTIONS[part] for part in absent)
    carried = dict.fromkeys(absent, 0.0)
    home = np.zeros(len(sizes), np.int64)
    for label in np.unique(majority):
        own = rng.permutation(np.flatnonzero(majority == label))
        rows = int(sizes[own].sum())
        wanted = {part: carried[part] + FRACTIONS[part] / total * rows for part in absent}
        left = {part: int(wanted[part] + 0.5) for part in absent}
        dealt = dict.fromkeys(absent, 0)
        for group in own[1:]:
            for number, part in enumerate(absent, start=1):
                if sizes[group] <= left[part] - dealt[part]:
                    home[group] = number
                    dealt[part] += int(sizes[group])
                    break
        # Capped: a class must not pay for many small ones that could not give their share.
        carried = {part: min(wanted[part] - dealt[part], 1.0) for part in absent}
    # A class that has rows only among copies of another's may still lack a training row: its group goes there.
    for label in np.setdiff1d(labels[pool], labels[pool][home[members] == 0]):
        home[members[labels[pool] == label][0]] = 0
    drawn: dict[Part, Rows] = {part: pool[home[members] == number] for number, part in enumerate(absent, start=1)}
    return {"train": pool[home[members] == 0], **drawn}


def _summary(groups: Rows, labels: Rows) -> tuple[Rows, Rows, Rows]:
    """Group of each row renumbered from 0, rows per group, and the most frequent label of each group."""
    _, members, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    classes = int(labels.max(initial=0)) + 1
    pairs, counts = np.unique(members * classes + labels, return_counts=True)
    order = np.lexsort((pairs % classes, -counts, pairs // classes))
    _, first = np.unique(pairs[order] // classes, return_index=True)
    return members, sizes, pairs[order][first] % classes


def stratified_subset(labels: Rows, count: int, *, seed: int) -> Rows:
    """`count` row numbers, ascending, with the classes in proportion and each at least once."""
    found, per_class = np.unique(labels, return_counts=True)
    if not len(found) <= count <= len(labels):
        raise InputError(
            f"rows: expected between {len(found)} (one of each class) and {len(labels)} (all), got {count};"
            f" try {min(len(labels), 100 * len(found))}."
        )
    exact = per_class * count / len(labels)
    quota = np.maximum(1, np.floor(exact)).astype(np.int64)
    while quota.sum() < count:
        quota[np.argmax(np.where(quota < per_class, exact - quota, -np.inf))] += 1
    while quota.sum() > count:
        quota[np.argmin(np.where(quota > 1, exact - quota, np.inf))] -= 1
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:size] for label, size in zip(found, quota, strict=True)]
    return np.sort(np.concatenate(chosen))
