"""What a search needs to know of a task: arrays, class names, and what happens to a raw example."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError, unknown_name

Part = Literal["train", "validation", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "validation", "test")
KINDS: Final = ("image", "video", "table", "array")


def json_copy(what: str, value: Mapping[str, object]) -> dict[str, Any]:
    """A deep copy of `value` as JSON gives it back (lists, not tuples), so that it cannot differ after a trip."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what}: expected values that JSON can hold, got {error}; use str, int, finite float, bool, list, dict."
        ) from error
    return copy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Examples and their class numbers; the arrays are kept as read-only views.

    x: uint8 [N, H, W, C] for images, uint8 [N, T, H, W, C] for clips, float32 [N, F] for tables and arrays.
    y: int64 [N], from 0.
    """

    x: NDArray[Any]
    y: NDArray[np.int64]

    def __post_init__(self) -> None:
        x, y = np.asarray(self.x).view(), np.asarray(self.y).view()
        if (x.dtype.name, x.ndim) not in {("uint8", 4), ("uint8", 5), ("float32", 2)}:
            raise InputError(
                f"x: expected uint8 [N, H, W, C] or [N, T, H, W, C], or float32 [N, F], got {x.dtype} with shape"
                f" {x.shape}; convert it with astype and reshape."
            )
        if y.dtype != np.int64 or y.ndim != 1:
            raise InputError(
                f"y: expected int64 [N], got {y.dtype} with shape {y.shape}; give one class number per example."
            )
        if len(x) != len(y) or not len(y):
            raise InputError(
                f"split: expected as many labels as examples and at least one, got {len(x)} examples and"
                f" {len(y)} labels; check where both were cut."
            )
        if y.min() < 0:
            raise InputError(f"y: expected class numbers from 0, got {y.min()}; number the classes from 0.")
        if x.dtype == np.float32 and not np.isfinite(x).all():
            row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
            raise InputError(f"x: expected finite features, got a NaN or infinity in row {row}; fill or drop it.")
        x.flags.writeable = y.flags.writeable = False
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """What happens to a raw example before the network proper.

    First on the host, as `host` describes in JSON (decoding and resizing an image, choosing the frames of a clip,
    encoding the columns of a table); then inside the graph, as the first op of the exported network:
    x * scale + offset, per channel. `scale` and `offset` have one entry for all channels or one for each; None means
    nothing is in the graph.
    """

    kind: str
    scale: tuple[float, ...] | None
    offset: tuple[float, ...] | None
    host: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name("preprocessing kind", self.kind, KINDS)
        lengths = {None if values is None else len(values) for values in (self.scale, self.offset)}
        numbers = (*(self.scale or ()), *(self.offset or ()))
        if len(lengths) != 1 or 0 in lengths or not all(math.isfinite(number) for number in numbers):
            raise InputError(
                "preprocessing: expected scale and offset as finite numbers of the same length, or both None,"
                f" got scale={self.scale} offset={self.offset}; give one per channel, or one for all."
            )
        object.__setattr__(self, "host", json_copy("preprocessing.host", self.host))

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON holds it; `from_dict` gives an equal record back."""
        return json_copy(
            "preprocessing",
            {"kind": self.kind, "scale": self.scale, "offset": self.offset, "host": dict(self.host)},
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The record that `to_dict` wrote."""
        absent = [key for key in ("kind", "scale", "offset", "host") if key not in data]
        if absent:
            raise InputError(
                f"preprocessing: expected the keys kind, scale, offset and host, got {sorted(data)};"
                f" add {', '.join(absent)}."
            )
        scale, offset = (None if data[key] is None else tuple(data[key]) for key in ("scale", "offset"))
        return cls(kind=data["kind"], scale=scale, offset=offset, host=data["host"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Random changes of a training image or clip that keep its class; both off for tables and arrays.

    shift: translation by up to so many pixels each way, the border repeated.  flip: left and right swapped, or not.
    All frames of a clip are changed alike, so that motion stays; `flip` turns its direction round.
    """

    shift: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.shift, bool) or not isinstance(self.shift, int) or self.shift < 0:
            raise InputError(f"shift: expected a whole number of pixels from 0, got {self.shift!r}; 0 turns it off.")
        if not isinstance(self.flip, bool):
            raise InputError(f"flip: expected true or false, got {self.flip!r}; false turns it off.")


class TaskDescription(Protocol):
    """What every kind of task says of itself; the kinds differ in what their splits hold."""

    @property
    def name(self) -> str: ...
    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one example, as the network takes it: (H, W, C), (T, H, W, C) or (F,)."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """By class number."""
        ...

    @property
    def preprocessing(self) -> Preprocessing: ...
    @property
    def provenance(self) -> Mapping[str, Any]:
        """JSON: source, rows per split, seed, sha256 of the data used."""
        ...

    def split(self, part: Part) -> Any:
        """The examples of one part. A search reads train and validation; test is read once, at the end."""
        ...


class Task(TaskDescription, Protocol):
    """A classification task: three disjoint splits of examples, each of one class."""

    @property
    def augmentation(self) -> Augmentation: ...

    def split(self, part: Part) -> Split:
        """The examples of one part. A search reads train and validation; test is read once, at the end."""
        ...
