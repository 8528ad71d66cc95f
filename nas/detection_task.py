"""What a search needs to know of a detection task: pictures with boxes, ragged, beside `nas.task`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.detection.annotations import Annotations
from nas.task import Part, TaskDescription
from searchspaces.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DetectionSplit:
    """Pictures and what is to be found in them; the arrays are kept as read-only views.

    x: uint8 [N, H, W, C], at the network's size.  annotations: of the same pictures; boxes are shares of the sides.
    """

    x: NDArray[np.uint8]
    annotations: Annotations

    def __post_init__(self) -> None:
        x = np.asarray(self.x).view()
        if x.dtype != np.uint8 or x.ndim != 4:
            raise InputError(f"x: expected uint8 [N, H, W, C], got {x.dtype} with shape {x.shape}; convert it.")
        if len(x) != len(self.annotations):
            raise InputError(
                f"split: expected annotations of each of {len(x)} pictures, got those of {len(self.annotations)}; a"
                " picture without boxes has an entry too."
            )
        if self.annotations.ignored.all():
            raise InputError(
                f"split: expected a box in some of {len(x)} pictures, got none that counts; nothing can be measured."
            )
        x.flags.writeable = False
        object.__setattr__(self, "x", x)

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionAugmentation:
    """Random changes of a training picture and its boxes.

    flip: left and right swapped, or not.  crop: parts cut out as SSD does (Liu et al. 2016, §2.2).
    """

    flip: bool = False
    crop: bool = False


class DetectionTask(TaskDescription, Protocol):
    """Objects of some classes, each to be found with a box around it; `class_names` has no background."""

    @property
    def augmentation(self) -> DetectionAugmentation: ...

    def split(self, part: Part) -> DetectionSplit:
        """The pictures of one part. A search reads train and validation; test is read once, at the end."""
        ...


def class_counts(annotations: Annotations, class_names: tuple[str, ...]) -> Mapping[str, Any]:
    """Boxes of each class, ignored ones left out."""
    counts = np.bincount(annotations.classes[~annotations.ignored], minlength=len(class_names))
    return dict(zip(class_names, counts.tolist(), strict=True))
