"""The MobileNetV3-like space of TuNAS (Bender, Liu et al., CVPR 2020): kernels, expansions, SE, skips and widths.

8.5e42 settings as the paper counts. The published MobileNetV3 networks have its layout, but hold widths and expansions
that it does not search; these are `unsearched` values here. So are ReLU throughout, which the minimalistic ones have,
and the choices of `ImageSpace`. At a `width` below 1 rounding makes some of the widths equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from searchspaces.blocks import Block, ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.bottleneck_groups import (
    GROUP_STRIDES,
    SE_RATIOS,
    group_blocks,
    group_choices,
    group_values,
    scaling_choices,
)
from searchspaces.image_space import ImageSpace
from searchspaces.layers import ActivationName
from searchspaces.space import Architecture, Choice, Reference, Value
from searchspaces.spec import NetworkSpec
from searchspaces.widths import make_divisible, width_options

_STEM_BASE, _GROUP_BASES, _HEAD_BASE, _FEATURES_BASE = 16, (16, 32, 64, 128, 256), 512, 1024
_KERNELS = (3, 5, 7)
_EXPANSIONS = (1, 2, 3, 4, 5, 6)
# 3.67 stands for 88/24: MobileNetV3's tables give expanded widths, which these come back to when rounded to 8.
_PUBLISHED_EXPANSIONS = (2.3, 2.5, 3.67, 4.5)
_PUBLISHED_WIDTHS = {"width_4": (48, 112), "width_5": (96,), "head": (576, 960)}
# ReLU in the first groups; the activation of the space, hard swish, from here on and in stem and head.
_FIRST_ACTIVATED_GROUP = 3


def _width_choice(name: str, base: int) -> Choice:
    return Choice(name=name, values=width_options(base), unsearched=_PUBLISHED_WIDTHS.get(name, ()))


def _choices() -> tuple[Choice, ...]:
    choices = [
        *scaling_choices(0.5, 0.75),
        Choice(name="activation", values=("hard_silu",), unsearched=("relu",)),
        _width_choice("stem", _STEM_BASE),
        Choice(name="stem_kernel", values=(3, 5)),
        Choice(name="separable", values=("convolution", "skip")),
        Choice(name="separable_kernel", values=_KERNELS, parent="separable", when=("convolution",)),
    ]
    for group, base in enumerate(_GROUP_BASES, start=1):
        choices.append(_width_choice(f"width_{group}", base))
        choices += group_choices(
            group,
            kernels=_KERNELS,
            expansions=_EXPANSIONS,
            unsearched_expansions=_PUBLISHED_EXPANSIONS,
            se_ratios=SE_RATIOS,
        )
    return (*choices, _width_choice("head", _HEAD_BASE), _width_choice("features", _FEATURES_BASE))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A published network: of every group its width, whether it has SE, and kernel and expansion of its layers."""

    groups: tuple[tuple[int, bool, tuple[tuple[int, float], ...]], ...]
    separable: str
    head: int
    features: int


_LARGE = _Table(
    groups=(
        (24, False, ((3, 4), (3, 3))),
        (40, True, ((5, 3), (5, 3), (5, 3))),
        (80, False, ((3, 6), (3, 2.5), (3, 2.3), (3, 2.3))),
        (112, True, ((3, 6), (3, 6))),
        (160, True, ((5, 6), (5, 6), (5, 6))),
    ),
    separable="convolution",
    head=960,
    features=1280,
)
_SMALL = _Table(
    groups=(
        (16, True, ((3, 1),)),
        (24, False, ((3, 4.5), (3, 3.67))),
        (40, True, ((5, 4), (5, 6), (5, 6))),
        (48, True, ((5, 3), (5, 3))),
        (96, True, ((5, 6), (5, 6), (5, 6))),
    ),
    separable="skip",
    head=576,
    features=1024,
)


def _reference(table: _Table, *, minimalistic: bool = False, width: float = 1.0) -> Reference:
    """A point of the space; minimalistic networks have 3x3 kernels and ReLU throughout, and no SE."""
    values: dict[str, Value] = {"width": width, "stem_stride": 2, "activation": "relu" if minimalistic else "hard_silu"}
    values.update(stem=16, stem_kernel=3, separable=table.separable, separable_kernel=3)
    values.update(head=table.head, features=table.features)
    for group, (filters, se, pairs) in enumerate(table.groups, start=1):
        values[f"width_{group}"] = filters
        se_ratio = SE_RATIOS[se and not minimalistic]
        layers: list[dict[str, Value]] = [
            {"kernel": 3 if minimalistic else kernel, "expansion": expansion, "se": se_ratio}
            for kernel, expansion in pairs
        ]
        values.update(group_values(group, layers))
    return Reference(values=values, input_shape=(224, 224, 3), classes=1000)


class MobileNetV3(ImageSpace):
    """The MobileNetV3-like space for any image size and class count."""

    name: ClassVar[str] = "mobilenet-v3"
    choices = _choices()
    small_images = {"stem_stride": 1}  # noqa: RUF012 (a constant of the space; widths are searched)
    references = {  # noqa: RUF012 (a constant of the space)
        "mobilenet-v3-large": _reference(_LARGE),
        "mobilenet-v3-large-0.5x": _reference(_LARGE, width=0.5),
        "mobilenet-v3-large-0.75x": _reference(_LARGE, width=0.75),
        "mobilenet-v3-large-minimalistic": _reference(_LARGE, minimalistic=True),
        "mobilenet-v3-small": _reference(_SMALL),
        "mobilenet-v3-small-minimalistic": _reference(_SMALL, minimalistic=True),
    }

    def network(self, architecture: Architecture) -> NetworkSpec:
        """The network; the dense layer before the classifier is never narrowed by `width`."""
        values = {name: value for name, value in self.values(architecture).items() if value is not None}
        scale, activation = float(values["width"]), cast(ActivationName, values["activation"])
        filters = make_divisible(int(values["stem"]) * scale)
        blocks: list[Block] = [
            ConvBlock(
                name="stem",
                filters=filters,
                kernel=int(values["stem_kernel"]),
                stride=int(values["stem_stride"]),
                activation=activation,
            )
        ]
        if "separable_kernel" in values:
            kernel = int(values["separable_kernel"])
            blocks.append(
                MBConv(name="separable", filters=filters, expanded_filters=0, kernel=kernel, activation="relu")
            )
        for group, stride in enumerate(GROUP_STRIDES, start=1):
            width = make_divisible(int(values[f"width_{group}"]) * scale)
            late = group >= _FIRST_ACTIVATED_GROUP
            blocks += group_blocks(
                values,
                group,
                in_filters=filters,
                filters=width,
                stride=stride,
                activation=activation if late else "relu",
            )
            filters = width
        head = make_divisible(int(values["head"]) * scale)
        features = make_divisible(int(values["features"]) * max(1.0, scale))
        blocks += [
            ConvBlock(name="head", filters=head, kernel=1, activation=activation),
            PoolBlock(),
            DenseBlock(name="features", units=features, activation=activation),
            DenseBlock(name="classifier", units=self.classes or 1000),
            SoftmaxBlock(),
        ]
        shape = self.input_shape or (224, 224, 3)
        return NetworkSpec(name=architecture.id, input_shape=shape, blocks=tuple(blocks))
