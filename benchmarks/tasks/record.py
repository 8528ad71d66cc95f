"""Tasks whose splits are arrays in memory; every reader of this folder returns an `ArrayTask` or a `BoxTask`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from nas.detection_task import DetectionAugmentation, DetectionSplit
from nas.task import PARTS, Augmentation, Part, Preprocessing, Split, json_copy
from searchspaces.errors import InputError, unknown_name

AnySplit = TypeVar("AnySplit", Split, DetectionSplit)
AnyAugmentation = TypeVar("AnyAugmentation", Augmentation, DetectionAugmentation)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryTask(Generic[AnySplit, AnyAugmentation]):
    """What tasks of every kind share.

    rows: for each part, the row numbers (from 0, in the source's order) that its examples come from.
    withheld: why the test split is not there, or empty.
    """

    name: str
    input_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    augmentation: AnyAugmentation
    provenance: Mapping[str, Any]
    splits: Mapping[Part, AnySplit]
    rows: Mapping[Part, NDArray[np.int64]] = field(default_factory=dict)
    withheld: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "provenance", json_copy("provenance", self.provenance))
        expected = PARTS[:2] if self.withheld else PARTS
        if set(self.splits) != set(expected):
            raise InputError(
                f"task {self.name!r}: expected the splits {', '.join(expected)}, got"
                f" {', '.join(self.splits) or 'none'}; give one Split for each."
            )
        for part, split in self.splits.items():
            self._check(part, split)

    def _check(self, part: Part, split: AnySplit) -> None:
        if split.x.shape[1:] != self.input_shape:
            raise InputError(
                f"task {self.name!r}: expected {part} examples of shape {self.input_shape}, got"
                f" {split.x.shape[1:]}; let input_shape say what the arrays hold."
            )
        highest = int(self._labels(split).max())
        if highest >= len(self.class_names):
            raise InputError(
                f"task {self.name!r}: expected {part} labels below {len(self.class_names)}, the number of classes,"
                f" got {highest}; name every class."
            )

    def _labels(self, split: AnySplit) -> NDArray[np.int64]:
        raise NotImplementedError

    def split(self, part: Part) -> AnySplit:
        """The examples of "train", "validation" or "test"."""
        if part not in PARTS:
            raise unknown_name("split", part, PARTS)
        if part not in self.splits:
            raise InputError(f"split {part!r}: {self.withheld}; use 'train' or 'validation' here.")
        return self.splits[part]

    def without_test(self) -> Self:
        """The same task without its test examples: what a search is given.

        A choice made with test examples in sight makes the test accuracy too good, and nothing shows it afterwards.
        So the examples are taken away instead of counted: `split("test")` raises an InputError, and a worker
        that receives the task does not even hold them.
        """
        return replace(
            self,
            splits={part: split for part, split in self.splits.items() if part != "test"},
            rows={part: rows for part, rows in self.rows.items() if part != "test"},
            withheld="the test examples are withheld until the search has ended",
        )


class ArrayTask(MemoryTask[Split, Augmentation]):
    """A `nas.task.Task` held in memory."""

    __slots__ = ()

    def _labels(self, split: Split) -> NDArray[np.int64]:
        return split.y


class BoxTask(MemoryTask[DetectionSplit, DetectionAugmentation]):
    """A `nas.detection_task.DetectionTask` held in memory."""

    __slots__ = ()

    def _labels(self, split: DetectionSplit) -> NDArray[np.int64]:
        return split.annotations.classes
