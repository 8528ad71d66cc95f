"""The multi-hardware space (Chu et al., CVPR workshops 2021): what CPU, GPU, DSP and EdgeTPU all run well.

The layout of MobileNetV3-Large with ReLU alone, no squeeze-and-excite, and widths in multiples of 32. The two
published networks and the granularity are from public code; the lists of widths (TuNAS's bases and multipliers rounded
to 32) and of expansions (2 to 6, as the two networks have) are a reconstruction: the paper's own were not at hand.
"""

from __future__ import annotations

from typing import ClassVar

from searchspaces.blocks import Block, ConvBlock, DenseBlock, PoolBlock, SoftmaxBlock
from searchspaces.bottleneck_groups import (
    GROUP_STRIDES,
    group_blocks,
    group_choices,
    group_values,
    scaling_choices,
)
from searchspaces.image_space import ImageSpace
from searchspaces.space import Architecture, Choice, Reference, Value
from searchspaces.spec import NetworkSpec
from searchspaces.widths import make_divisible, width_options

_STEM, _GROUP_BASES, _HEAD, _FEATURES = 32, (16, 32, 64, 128, 256), 960, 1280
_FILTERS_BASE = 32


def _choices() -> tuple[Choice, ...]:
    # Wider networks of the family have batch norm in place of the bias of the last layer but one.
    choices = [*scaling_choices(1.5), Choice(name="features_norm", values=("bias",), unsearched=("batch_norm",))]
    for group, base in enumerate(_GROUP_BASES, start=1):
        choices.append(Choice(name=f"width_{group}", values=width_options(base, _FILTERS_BASE)))
        choices += group_choices(group, kernels=(3, 5), expansions=(2, 3, 4, 5, 6))
    return tuple(choices)


# Of every group its width, and of its layers kernel and expansion.
_Groups = tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
_AVG: _Groups = (
    (32, ((3, 3), (3, 2))),
    (64, ((5, 5), (3, 3), (3, 2), (3, 3))),
    (128, ((5, 6), (3, 3), (3, 3), (3, 3))),
    (160, ((3, 6), (3, 4))),
    (192, ((3, 6), (5, 4), (5, 4), (5, 4))),
)
_MAX: _Groups = (
    (32, ((3, 3),)),
    (64, ((5, 6), (3, 2), (3, 2))),
    (128, ((5, 6), (3, 4), (3, 3), (3, 3))),
    (128, ((3, 6), (3, 3))),
    (160, ((3, 6), (5, 4), (3, 5), (5, 4))),
)


def _reference(groups: _Groups, width: float = 1.0) -> Reference:
    """A published network; the 1.5x ones scale every width and normalise the last layer but one."""
    norm = "bias" if width == 1.0 else "batch_norm"
    values: dict[str, Value] = {"width": width, "stem_stride": 2, "features_norm": norm}
    for group, (filters, layers) in enumerate(groups, start=1):
        values[f"width_{group}"] = filters
        present: list[dict[str, Value]] = [{"kernel": kernel, "expansion": expansion} for kernel, expansion in layers]
        values.update(group_values(group, present))
    return Reference(values=values, input_shape=(224, 224, 3), classes=1000)


class MultiHardware(ImageSpace):
    """The multi-hardware space for any image size and class count."""

    name: ClassVar[str] = "multi-hardware"
    choices = _choices()
    small_images = {"stem_stride": 1}  # noqa: RUF012 (a constant of the space; widths are searched)
    references = {  # noqa: RUF012 (a constant of the space)
        "mobilenet-multi-avg": _reference(_AVG),
        "mobilenet-multi-avg-1.5x": _reference(_AVG, width=1.5),
        "mobilenet-multi-max": _reference(_MAX),
        "mobilenet-multi-max-1.5x": _reference(_MAX, width=1.5),
    }

    def network(self, architecture: Architecture) -> NetworkSpec:
        """The network; the dense layer before the classifier is never narrowed by `width`."""
        values = {name: value for name, value in self.values(architecture).items() if value is not None}
        scale = float(values["width"])
        filters = make_divisible(_STEM * scale)
        blocks: list[Block] = [ConvBlock(name="stem", filters=filters, kernel=3, stride=int(values["stem_stride"]))]
        for group, stride in enumerate(GROUP_STRIDES, start=1):
            width = make_divisible(int(values[f"width_{group}"]) * scale)
            blocks += group_blocks(values, group, in_filters=filters, filters=width, stride=stride, activation="relu")
            filters = width
        blocks += [
            ConvBlock(name="head", filters=make_divisible(_HEAD * scale), kernel=1),
            PoolBlock(),
            DenseBlock(
                name="features",
                units=make_divisible(_FEATURES * max(1.0, scale)),
                activation="relu",
                batch_norm=values["features_norm"] == "batch_norm",
            ),
            DenseBlock(name="classifier", units=self.classes or 1000),
            SoftmaxBlock(),
        ]
        shape = self.input_shape or (224, 224, 3)
        return NetworkSpec(name=architecture.id, input_shape=shape, blocks=tuple(blocks))
