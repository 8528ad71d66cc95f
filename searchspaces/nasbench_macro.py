"""NAS-Bench-Macro (Su, You, Zheng et al., CVPR 2021): eight layers of MobileNetV2 blocks, each to be chosen.

Widths, strides and kernels follow from the parameters and multiply-adds that the benchmark gives for all its 6,561
networks, which ours equal (its multiply-adds leave out the bias of the classifier). Those do not tell the activation:
ReLU6 is MobileNetV2's. Two networks that differ only in where a layer is left out count apart, as in the benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from searchspaces.blocks import Block, ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.errors import InputError
from searchspaces.layers import Shape
from searchspaces.space import Architecture, Choice, Reference, SearchSpace, Value
from searchspaces.spec import NetworkSpec

OPS = ("identity", "mb3_k3", "mb6_k5")
_EXPANSION_KERNEL = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}
# Filters and stride of the eight layers.
_LAYERS = ((64, 2), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1))
_STEM_FILTERS, _HEAD_FILTERS, _CLASSES = 32, 1280, 10
_BN_EPSILON = 1e-5


class NASBenchMacro(SearchSpace):
    """The 6,561 networks, for any image size and class count."""

    name: ClassVar[str] = "nasbench-macro"
    native_example: ClassVar[str | None] = "01201201"
    choices = tuple(Choice(name=f"layer_{number}", values=OPS) for number in range(1, len(_LAYERS) + 1))
    references: ClassVar[Mapping[str, Reference]] = {}

    def __init__(self, input_shape: Shape | None = None, classes: int | None = None, **pins: Value) -> None:
        if input_shape is not None and len(input_shape) != 3:
            raise InputError(
                f"input of space {self.name}: expected an image such as 32x32x3, got {input_shape}; "
                "use space tabnas for tables."
            )
        super().__init__(input_shape, classes, **pins)

    def native(self, architecture: Architecture) -> str:
        """The benchmark's own string: a digit a layer."""
        self._check_space(architecture)
        return "".join(map(str, architecture.indices))

    def network(self, architecture: Architecture) -> NetworkSpec:
        """An identity that changes the shape is a 1x1 convolution; any other leaves its layer out."""
        blocks: list[Block] = [self._conv("stem", _STEM_FILTERS, kernel=3)]
        in_filters = _STEM_FILTERS
        for number, (filters, stride) in enumerate(_LAYERS, start=1):
            op = OPS[architecture.indices[number - 1]]
            if op in _EXPANSION_KERNEL:
                expansion, kernel = _EXPANSION_KERNEL[op]
                blocks.append(
                    MBConv(
                        name=f"layer{number}",
                        filters=filters,
                        expanded_filters=expansion * in_filters,
                        kernel=kernel,
                        stride=stride,
                        activation="relu6",
                        bn_epsilon=_BN_EPSILON,
                    )
                )
            elif stride > 1:
                shape = ConvBlock(
                    name=f"layer{number}",
                    filters=filters,
                    kernel=1,
                    stride=stride,
                    activation=None,
                    bn_epsilon=_BN_EPSILON,
                )
                blocks.append(shape)
            in_filters = filters
        blocks += [self._conv("head", _HEAD_FILTERS, kernel=1), PoolBlock()]
        blocks += [DenseBlock(name="classifier", units=self.classes or _CLASSES), SoftmaxBlock()]
        return NetworkSpec(name=architecture.id, input_shape=self.input_shape or (32, 32, 3), blocks=tuple(blocks))

    def _conv(self, name: str, filters: int, *, kernel: int) -> ConvBlock:
        return ConvBlock(name=name, filters=filters, kernel=kernel, activation="relu6", bn_epsilon=_BN_EPSILON)

    def _native_indices(self, text: str) -> tuple[int, ...] | None:
        written = len(text) == len(self.choices) and set(text) <= set("012")
        return tuple(map(int, text)) if written else None
