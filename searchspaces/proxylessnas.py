"""ProxylessNAS (Cai et al. 2019) as TuNAS searches it: kernels, expansions and skipped layers at fixed widths.

2.16e21 settings as the paper counts, 6.65e17 architectures. The two choices of `ImageSpace` and `activation` hold one
value in a search; published networks take others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

from searchspaces.blocks import Block, ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.bottleneck_groups import (
    GROUP_STRIDES,
    LAYERS,
    group_blocks,
    group_choices,
    group_values,
    scaling_choices,
)
from searchspaces.image_space import ImageSpace
from searchspaces.layers import ActivationName
from searchspaces.space import Architecture, Choice, Reference, Value
from searchspaces.spec import NetworkSpec
from searchspaces.widths import make_divisible

KERNELS = (3, 5, 7)
EXPANSIONS = (3, 6)
WIDTH_NAMES = ("stem", "separable", "width_1", "width_2", "width_3", "width_4", "width_5", "width_6", "head")
WIDTHS = (32, 16, 32, 40, 80, 96, 192, 320, 1280)
# Five groups of four layers, and one more bottleneck.
STRIDES = (*GROUP_STRIDES, 1)
GROUP_LAYERS = (LAYERS,) * len(GROUP_STRIDES) + (1,)

_OPERATIONS: list[dict[str, Value]] = [
    {"kernel": kernel, "expansion": expansion} for expansion in EXPANSIONS for kernel in KERNELS
]
_OPERATION_OF_CODE = (*_OPERATIONS, None)


def operation_choices(*factors: float) -> tuple[Choice, ...]:
    """The choices apart from widths, in the order of the network; `factors` on widths are not searched."""
    choices = [*scaling_choices(*factors), Choice(name="activation", values=("relu",), unsearched=("relu6",))]
    choices.append(Choice(name="separable_kernel", values=KERNELS))
    for group, layers in enumerate(GROUP_LAYERS, start=1):
        choices += group_choices(group, layers=layers, kernels=KERNELS, expansions=EXPANSIONS)
    return tuple(choices)


def reference(codes: str, *, width: float = 1.0, activation: str = "relu", **widths: int) -> Reference:
    """A network in TuNAS's codes: 0 to 2 are kernels 3, 5, 7 at expansion 3, 3 to 5 the same at 6, and 6 is a skip."""
    separable, *layers = (int(code) for code in codes.replace("|", " ").split())
    values: dict[str, Value] = {"width": width, "stem_stride": 2, "activation": activation, **widths}
    values["separable_kernel"] = KERNELS[separable]
    for group, count in enumerate(GROUP_LAYERS, start=1):
        values.update(group_values(group, [_OPERATION_OF_CODE[code] for code in layers[:count]], layers=count))
        layers = layers[count:]
    return Reference(values=values, input_shape=(224, 224, 3), classes=1000)


class ProxylessNAS(ImageSpace):
    """The ProxylessNAS space for any image size and class count."""

    name: ClassVar[str] = "proxylessnas"
    choices = operation_choices(0.25, 0.5, 0.75)
    references = {  # noqa: RUF012 (a constant of the space)
        "proxylessnas-mobile": reference("0 | 1 0 6 6 | 2 0 1 1 | 5 1 1 1 | 4 1 1 1 | 5 5 2 2 | 5"),
    }

    def widths(self, values: Mapping[str, Value]) -> dict[str, int]:
        """The unscaled channel count of every part, by the names of `WIDTH_NAMES`."""
        return dict(zip(WIDTH_NAMES, WIDTHS, strict=True))

    def network(self, architecture: Architecture) -> NetworkSpec:
        """The network; the layer before the classifier is never narrowed by `width` (MobileNetV2 §6.1.2)."""
        values = {name: value for name, value in self.values(architecture).items() if value is not None}
        scale, activation = float(values["width"]), cast(ActivationName, values["activation"])
        widths = {name: make_divisible(filters * scale) for name, filters in self.widths(values).items()}
        head = make_divisible(self.widths(values)["head"] * max(1.0, scale))
        stem, filters = widths["stem"], widths["separable"]
        kernel = int(values["separable_kernel"])
        blocks: list[Block] = [
            ConvBlock(name="stem", filters=stem, kernel=3, stride=int(values["stem_stride"]), activation=activation),
            MBConv(
                name="separable",
                filters=filters,
                expanded_filters=0,
                kernel=kernel,
                activation=activation,
                residual=False,
            ),
        ]
        for group, stride in enumerate(STRIDES, start=1):
            width = widths[f"width_{group}"]
            blocks += group_blocks(
                values, group, in_filters=filters, filters=width, stride=stride, activation=activation
            )
            filters = width
        blocks += [
            ConvBlock(name="head", filters=head, kernel=1, activation=activation),
            PoolBlock(),
            DenseBlock(name="classifier", units=self.classes or 1000),
            SoftmaxBlock(),
        ]
        shape = self.input_shape or (224, 224, 3)
        return NetworkSpec(name=architecture.id, input_shape=shape, blocks=tuple(blocks))
