"""From arrays or columns to an `ArrayTask`: split, fit on the training rows, encode. Every reader ends here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.checks import check_count, digest, feature_shape
from benchmarks.tasks.columns import Column, check_numbers, column_groups
from benchmarks.tasks.encoding import CLIP_STD, encode_array, encode_columns, fit_columns, mean_and_std
from benchmarks.tasks.images import image_preprocessing, resize_images
from benchmarks.tasks.record import ArrayTask
from benchmarks.tasks.splits import Partition, Rows, drop_equal, merge_groups, partition, row_groups
from nas.task import PARTS, Augmentation, Part, Preprocessing, Split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """What a reader found, without the examples themselves.

    origin: where it came from, in words.  given: rows of the parts that the source has already set apart.
    sha256: of the source's file, where it is one; else it is taken over the arrays.
    """

    name: str
    origin: str
    y: NDArray[np.int64]
    class_names: tuple[str, ...]
    seed: int
    given: Mapping[Part, Rows] = field(default_factory=dict)
    sha256: str = ""

    def __post_init__(self) -> None:
        check_count("seed", self.seed, least=0)

    def divide(self, groups: NDArray[np.int64]) -> Partition:
        """The split of the source's rows; rows of one group stay together."""
        return partition(self.y, groups, self.class_names, seed=self.seed, given=self.given)


def image_task(
    source: Source, x: NDArray[np.uint8], *, shape: tuple[int, int, int], augmentation: Augmentation
) -> ArrayTask:
    """A task of images uint8 [N, h, w, 1 or 3], resized to `shape`."""
    preprocessing = image_preprocessing(shape)
    sized = resize_images(preprocessing.host, x)
    parts = source.divide(row_groups(sized))
    return _finish(source, sized, parts, preprocessing, augmentation, source.sha256 or digest(x, source.y))


def clip_task(
    source: Source,
    x: NDArray[np.uint8],
    *,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    origins: Rows | None = None,
) -> ArrayTask:
    """A task of clips uint8 [N, W, T, H, W, C]: W windows of each, of which held-out clips keep the middle one.

    Args:
        source: whose labels are one for each clip.
        origins: int64 [N], which recording a clip was cut from; a recording is never divided among the parts.
    """
    clips, windows = x.shape[:2]
    groups = row_groups(x)
    chosen = source.divide(groups if origins is None else merge_groups(groups, origins))
    rows = {part: own * windows + windows // 2 for part, own in chosen.rows.items()}
    rows["train"] = (chosen.rows["train"][:, np.newaxis] * windows + np.arange(windows)).ravel()
    flat = x.reshape(clips * windows, *x.shape[2:])
    parts = drop_equal(Partition(rows=rows, dropped=chosen.dropped), row_groups(flat))
    labelled = replace(source, y=np.repeat(source.y, windows))
    sha256 = source.sha256 or digest(x, source.y)
    task = _finish(labelled, flat, parts, preprocessing, augmentation, sha256)
    return replace(task, rows={part: own // windows for part, own in task.rows.items()})


def column_task(
    source: Source, columns: Mapping[str, Column], *, input_shape: Sequence[int] | None = None
) -> ArrayTask:
    """A task of a table's columns, encoded on the host; without a file's sha256 they must all be numeric."""
    parts = source.divide(column_groups(columns))
    train = parts.rows["train"]
    host = fit_columns(
        {name: Column(kind=column.kind, values=column.values[train]) for name, column in columns.items()}
    )
    x = encode_columns(host, {name: column.values for name, column in columns.items()})
    feature_shape(input_shape, x.shape[1])
    preprocessing = Preprocessing(kind="table", scale=None, offset=None, host=host)
    sha256 = source.sha256 or digest(*(column.values for column in columns.values()), source.y)
    return _finish(source, x, drop_equal(parts, row_groups(x)), preprocessing, Augmentation(), sha256)


def array_task(source: Source, x: NDArray[Any], *, input_shape: Sequence[int] | None = None) -> ArrayTask:
    """A task of plain features [N, F], each standardised on the host."""
    feature_shape(input_shape, x.shape[1])
    wide = x.astype(np.float64)
    raw = np.stack([check_array(wide, index) for index in range(wide.shape[1])], axis=1)
    parts = source.divide(row_groups(raw))
    fitted = [mean_and_std(feature) for feature in raw[parts.rows["train"]].T]
    means, deviations = [mean for mean, _ in fitted], [std for _, std in fitted]
    host = {"encoder": "standardize", "mean": means, "std": deviations, "clip": CLIP_STD}
    encoded = encode_array(host, raw)
    preprocessing = Preprocessing(kind="array", scale=None, offset=None, host=host)
    kept = drop_equal(parts, row_groups(encoded))
    return _finish(source, encoded, kept, preprocessing, Augmentation(), source.sha256 or digest(x, source.y))


def check_array(x: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Feature `index` of x [N, F], finite; an array has no word for a missing value, so NaN is refused too."""
    return check_numbers(f"x[:, {index}]", np.where(np.isnan(x[:, index]), np.inf, x[:, index]))


def _finish(
    source: Source,
    x: NDArray[Any],
    parts: Partition,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    sha256: str,
) -> ArrayTask:
    drawn = [part for part in PARTS if part == "train" or part not in source.given]
    return ArrayTask(
        name=source.name,
        input_shape=tuple(x.shape[1:]),
        class_names=source.class_names,
        preprocessing=preprocessing,
        augmentation=augmentation,
        splits={part: Split(x=x[rows], y=source.y[rows]) for part, rows in parts.rows.items()},
        rows=parts.rows,
        provenance={
            "source": source.origin,
            "sha256": sha256,
            "seed": source.seed,
            "rows": {part: len(rows) for part, rows in parts.rows.items()},
            "copies_dropped": parts.dropped,
            "drawn_by_seed": drawn if len(drawn) > 1 else [],
        },
    )
