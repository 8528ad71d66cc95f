"""What the conformance kit (`benchmarks.tasks.testing`) asks of detection tasks alone."""

from __future__ import annotations

import numpy as np

from nas.detection_task import DetectionTask
from nas.task import PARTS


def check_boxes(task: DetectionTask) -> None:
    """Types and shapes of every part, boxes that count in each, and of every class in training."""
    for part in PARTS:
        split = task.split(part)
        found = split.annotations
        assert split.x.dtype == np.uint8, f"{part} x: expected uint8, got {split.x.dtype}"
        assert split.x.shape[1:] == task.input_shape, f"{part} x: expected {task.input_shape}, got {split.x.shape[1:]}"
        assert len(found) == len(split.x), f"{part}: expected boxes of {len(split.x)} pictures, got {len(found)}"
        assert not found.ignored.all(), f"{part}: expected a box that counts"
        classes = len(task.class_names)
        assert found.classes.max() < classes, f"{part}: expected classes below {classes}, got {found.classes.max()}"
        counted = np.bincount(found.classes[~found.ignored], minlength=classes).tolist()
        told = task.provenance["boxes"][part]
        assert told == dict(zip(task.class_names, counted, strict=True)), (
            f"provenance: expected boxes of {part} as they are, {counted}, got {told}"
        )
        assert part != "train" or all(counted), f"train: expected boxes of every class, got {told}"
    assert task.preprocessing.kind == "image", f"preprocessing: expected image, got {task.preprocessing.kind}"
