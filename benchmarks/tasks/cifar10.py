"""CIFAR-10 (Krizhevsky 2009) from a folder: 50,000 images to train on and 10,000 to test, 32 x 32 x 3, 10 classes.

Two forms are read: cifar10_train.npz and cifar10_test.npz (the JPEG bytes of the images joined, with `offset`, `label`
and `classes`), and the "binary version" of the authors (data_batch_1.bin … data_batch_5.bin, test_batch.bin). Their
"python version" is a set of pickles, which run code as they are read, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.archives import read_npz
from benchmarks.tasks.build import Source, image_task
from benchmarks.tasks.checks import check_count, file, folder, image_shape
from benchmarks.tasks.images import encode_image, image_preprocessing
from benchmarks.tasks.record import ArrayTask
from benchmarks.tasks.splits import Rows, stratified_subset
from nas.task import Augmentation
from searchspaces.errors import InputError

CLASSES: Final = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SHAPE: Final = (32, 32, 3)
RECORD_BYTES: Final = 1 + 32 * 32 * 3
BATCHES: Final = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
# The test subset does not follow the seed: results of different seeds are measured on the same images.
TEST_SUBSET_SEED: Final = 0

# Labels of a part, and a function from row numbers to images uint8 [n, 32, 32, 3].
Read = tuple[NDArray[np.int64], Callable[[Rows], NDArray[np.uint8]]]


def cifar10(
    *,
    path: str | Path,
    input_shape: Sequence[int] | None = None,
    seed: int = 0,
    rows: int | None = None,
    test_rows: int | None = None,
) -> ArrayTask:
    """CIFAR-10; the official test images are the test split, validation is drawn from the others (80 : 20).

    Args:
        path: the folder with either form, or the one above it.
        input_shape: images are resized to it; 32 x 32 x 3 by default.
        seed: of the subset and of the split.
        rows: a stratified subset of so many images to train and validate on; all 50,000 by default.
        test_rows: a stratified subset of so many test images, the same for every seed; all 10,000 by default.
    """
    shape = image_shape(input_shape, SHAPE)
    form, (labels, images), (test_labels, test_images) = _open(folder(path))
    chosen = _subset("rows", labels, rows, seed=check_count("seed", seed, least=0))
    test_chosen = _subset("test_rows", test_labels, test_rows, seed=TEST_SUBSET_SEED)
    x = np.concatenate([images(chosen), test_images(test_chosen)])
    source = Source(
        name="cifar10",
        origin=f"cifar10 ({form}) {path}",
        y=np.concatenate([labels[chosen], test_labels[test_chosen]]),
        class_names=CLASSES,
        seed=seed,
        given={"train": np.arange(len(chosen)), "test": np.arange(len(chosen), len(x))},
    )
    augmentation = Augmentation(shift=min(shape[:2]) // 8, flip=True)
    return image_task(source, x, shape=shape, augmentation=augmentation)


def _subset(option: str, labels: NDArray[np.int64], count: int | None, *, seed: int) -> Rows:
    if count is None:
        return np.arange(len(labels))
    return stratified_subset(labels, check_count(option, count, least=len(CLASSES)), seed=seed)


def _open(root: Path) -> tuple[str, Read, Read]:
    places = [place for place in (root, root / "cifar-10-batches-bin", root / "cifar-10-batches-py") if place.is_dir()]
    for place in places:
        if (place / "cifar10_train.npz").exists():
            return "packed JPEG", _packed(place / "cifar10_train.npz"), _packed(place / "cifar10_test.npz")
        if any(place.glob("data_batch_*.bin")):
            return "binary", _binary([place / batch for batch in BATCHES]), _binary([place / "test_batch.bin"])
    for place in places:
        if (place / "data_batch_1").exists() or (place / "batches.meta").exists():
            raise InputError(
                f"path: expected CIFAR-10 in its binary form, got the pickled 'python version' in {str(place)!r}, which"
                " is never read because a pickle can run any code; download the 'binary version'."
            )
    raise InputError(
        f"path: expected CIFAR-10 (data_batch_1.bin … and test_batch.bin, or cifar10_train.npz and cifar10_test.npz) in"
        f" {str(root)!r}, got neither; give the folder that holds these files."
    )


def _binary(paths: Sequence[Path]) -> Read:
    """Records of one label byte and three planes of 32 x 32 bytes (red, green, blue)."""
    parts = []
    for path in paths:
        data = np.fromfile(file(path), np.uint8)
        if len(data) % RECORD_BYTES:
            raise InputError(
                f"path: expected records of {RECORD_BYTES} bytes in {str(path)!r}, got {len(data)} bytes; the file is"
                " cut off, fetch it again."
            )
        parts.append(data.reshape(-1, RECORD_BYTES))
    records = np.concatenate(parts)
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    labels = _labels(records[:, 0], str(paths[0]))
    return labels, lambda rows: np.ascontiguousarray(planes[rows].transpose(0, 2, 3, 1))


def _packed(path: Path) -> Read:
    arrays = read_npz(path)
    absent = [name for name in ("jpeg", "offset", "label", "classes") if name not in arrays]
    if absent:
        raise InputError(
            f"path: expected the arrays jpeg, offset, label and classes in {str(path)!r}, got {', '.join(arrays)};"
            f" add {', '.join(absent)}."
        )
    jpeg, offset = arrays["jpeg"], arrays["offset"]
    if tuple(arrays["classes"].tolist()) != CLASSES:
        raise InputError(
            f"path: expected the classes {', '.join(CLASSES)} in {str(path)!r}, got"
            f" {', '.join(map(str, arrays['classes'].tolist()))}; use the task image-folder for other sets."
        )
    labels = _labels(arrays["label"], str(path))
    if not _offsets_fit(jpeg, offset, len(labels)):
        raise InputError(
            f"path: expected {len(labels) + 1} rising offsets from 0 to {jpeg.size} in {str(path)!r}, got"
            f" {offset.dtype} of shape {offset.shape}; the file is damaged, fetch it again."
        )
    host = image_preprocessing(SHAPE).host

    def images(rows: Rows) -> NDArray[np.uint8]:
        encoded = ((row, jpeg[offset[row] : offset[row + 1]].tobytes()) for row in rows)
        return np.stack([encode_image(host, data, what=f"image {row} of {str(path)!r}") for row, data in encoded])

    return labels, images


def _offsets_fit(jpeg: NDArray[Any], offset: NDArray[Any], count: int) -> bool:
    return (
        jpeg.dtype == np.uint8
        and jpeg.ndim == 1
        and np.issubdtype(offset.dtype, np.integer)
        and offset.shape == (count + 1,)
        and int(offset[0]) == 0
        and int(offset[-1]) == len(jpeg)
        and bool((offset[1:] > offset[:-1]).all())
    )


def _labels(labels: NDArray[Any], where: str) -> NDArray[np.int64]:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or not len(labels):
        raise InputError(
            f"label: expected whole numbers [N] in {where!r}, got {labels.dtype} of shape {labels.shape}; the file is"
            " damaged, fetch it again."
        )
    outside = np.flatnonzero((labels < 0) | (labels >= len(CLASSES)))
    if len(outside):
        raise InputError(
            f"label: expected 0 to {len(CLASSES) - 1} in {where!r}, got {labels[outside[0]]} for image {outside[0]};"
            " is it CIFAR-100, or damaged?"
        )
    return labels.astype(np.int64)
