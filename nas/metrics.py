"""The names of what training finds, by what the task asks; more is better for each."""

from __future__ import annotations

from typing import Final

from nas.detection_task import DetectionSplit
from nas.task import TaskDescription

CLASSIFICATION: Final = ("accuracy",)
# COCO's mean average precision over IoU 0.50 to 0.95, and at 0.50.
DETECTION: Final = ("map", "map_50")
TRAINED: Final = (*CLASSIFICATION, *DETECTION)


def trained_metrics(task: TaskDescription) -> tuple[str, ...]:
    """What training on a task finds; the first says which epoch is best."""
    return DETECTION if is_detection(task) else CLASSIFICATION


def is_detection(task: TaskDescription) -> bool:
    """Whether the task's splits hold pictures with boxes."""
    return isinstance(task.split("train"), DetectionSplit)
