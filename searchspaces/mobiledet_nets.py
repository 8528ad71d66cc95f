"""The four released MobileDet backbones, layer by layer, as choices of their spaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from searchspaces.space import Value

# What a layer chooses, and a group: its width, then its layers.
Layer: TypeAlias = Mapping[str, Value]
Group: TypeAlias = tuple[int, *tuple[Layer, ...]]

_MOST_LAYERS = 4


def _separable(kernel: int) -> Layer:
    """An inverted bottleneck without expansion."""
    return {"layer": "ibn", "kernel": kernel}


def _ibn(kernel: int, expansion: int) -> Layer:
    return {"layer": "ibn", "kernel": kernel, "expansion": expansion}


def _fused(kernel: int, expansion: int) -> Layer:
    return {"layer": "fused", "kernel": kernel, "expansion": expansion}


def _tucker(kernel: int, input_ratio: float, output_ratio: float) -> Layer:
    return {"layer": "tucker", "kernel": kernel, "input_ratio": input_ratio, "output_ratio": output_ratio}


def _backbone(stem: int, *groups: Group) -> dict[str, Value]:
    values: dict[str, Value] = {"stem": stem}
    for number, (width, *layers) in enumerate(groups, start=1):
        values[f"width_{number}"] = width
        skips: list[Layer] = [{"layer": "skip"}] * (_MOST_LAYERS - len(layers))
        for place, choices in enumerate([*layers, *skips], start=1):
            values.update({f"{name}_{number}_{place}": value for name, value in choices.items()})
    return values


# Found for the CPU of a Pixel 1; with squeeze-and-excite and hard swish.
CPU = _backbone(
    16,
    (8, _separable(3)),
    (16, _ibn(3, 4)),
    (32, _ibn(3, 8), _ibn(3, 4), _ibn(3, 4), _ibn(3, 4)),
    (72, _ibn(5, 8), _ibn(3, 8), _ibn(5, 4), _ibn(3, 4)),
    (72, _ibn(3, 8), _ibn(3, 8), _ibn(3, 8), _ibn(3, 8)),
    (104, _ibn(5, 8), _ibn(5, 4), _ibn(5, 4), _ibn(3, 4)),
    (144, _ibn(3, 8)),
)

# Found for the DSP of a Pixel 4. The third layer of group 6 has its residual here, as in the detection code; the
# table of the vision code has none. Parameters and multiply-adds are the same.
DSP = _backbone(
    32,
    (24, _separable(3)),
    (32, _fused(3, 4), _fused(3, 4), _ibn(3, 4), _tucker(3, 0.25, 0.75)),
    (64, _fused(3, 8), _ibn(3, 4), _fused(3, 4), _fused(3, 4)),
    (120, _fused(3, 8), _ibn(3, 4), _ibn(3, 8), _ibn(3, 8)),
    (144, _fused(3, 8), _ibn(3, 8), _ibn(3, 8), _ibn(3, 8)),
    (160, _ibn(3, 4), _ibn(3, 4), _fused(3, 4), _tucker(3, 0.75, 0.75)),
    (240, _ibn(3, 8)),
)

# Found for the EdgeTPU of a Pixel 4.
EDGETPU = _backbone(
    32,
    (16, _tucker(3, 0.25, 0.75)),
    (16, _fused(3, 8), _fused(3, 4), _fused(3, 8), _fused(3, 4)),
    (40, _fused(5, 8), _fused(3, 4), _fused(3, 4), _fused(3, 4)),
    (72, _ibn(3, 8), _ibn(3, 8), _fused(3, 4), _fused(3, 4)),
    (96, _ibn(5, 8), _ibn(5, 8), _ibn(3, 8), _ibn(3, 8)),
    (120, _ibn(5, 8), _ibn(3, 8), _ibn(5, 4), _ibn(3, 8)),
    (384, _ibn(5, 8)),
)

# Found for the GPU of a Jetson Xavier.
GPU = _backbone(
    32,
    (16, _tucker(3, 0.25, 0.25)),
    (32, _fused(3, 8), _tucker(3, 0.25, 0.25), _tucker(3, 0.25, 0.25), _tucker(3, 0.25, 0.25)),
    (64, _fused(3, 8), _fused(3, 8), _fused(3, 8), _fused(3, 4)),
    (128, _fused(3, 8), _fused(3, 4), _fused(3, 4), _fused(3, 4)),
    (128, _fused(3, 8), _fused(3, 8), _fused(3, 8), _fused(3, 8)),
    (128, _fused(3, 4), _fused(3, 4), _fused(3, 4), _fused(3, 4)),
    (384, _ibn(3, 8)),
)
