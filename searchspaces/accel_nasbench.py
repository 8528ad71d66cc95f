"""Accel-NASBench (Ahmad, Dong, Xia et al., 2024): seven groups of MBConv layers, in the manner of MnasNet.

The skeleton follows from the parameters and multiply-adds that the benchmark gives for 4,626 networks at 224x224, which
ours equal; its count adds 4 for every value that leaves a batch norm, and the sums of the means, to multiply-adds. They
do not tell the activation: ReLU6 is MobileNetV2's. Choices bear the names of the benchmark's columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from searchspaces.blocks import Block, ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.errors import InputError
from searchspaces.layers import Shape
from searchspaces.space import Architecture, Choice, Reference, SearchSpace, Value
from searchspaces.spec import NetworkSpec

# Filters and stride of the groups; the sixth has up to four layers in the benchmark's rows, the others up to three.
_GROUPS = ((16, 1), (24, 2), (40, 2), (80, 2), (112, 1), (192, 2), (320, 1))
_DEEPEST = 5
_STEM_FILTERS, _HEAD_FILTERS, _CLASSES = 32, 1280, 1000
_SE_DIVISOR = 4
_BN_EPSILON = 1e-5


def _choices() -> Iterator[Choice]:
    for group in range(len(_GROUPS)):
        yield Choice(name=f"block{group}_e", values=(1, 4, 6))
        yield Choice(name=f"block{group}_k", values=(3, 5))
        yield Choice(name=f"block{group}_l", values=(1, 2, 3, 4) if group == _DEEPEST else (1, 2, 3))
        yield Choice(name=f"block{group}_se", values=(False, True))


class AccelNASBench(SearchSpace):
    """Expansion, kernel, number of layers and squeeze-and-excite of each group; any image size and class count."""

    name: ClassVar[str] = "accel-nasbench"
    choices = tuple(_choices())
    references: ClassVar[Mapping[str, Reference]] = {}

    def __init__(self, input_shape: Shape | None = None, classes: int | None = None, **pins: Value) -> None:
        if input_shape is not None and len(input_shape) != 3:
            raise InputError(
                f"input of space {self.name}: expected an image such as 224x224x3, got {input_shape}; "
                "use space tabnas for tables."
            )
        super().__init__(input_shape, classes, **pins)

    def network(self, architecture: Architecture) -> NetworkSpec:
        """The hidden width of squeeze-and-excite is a quarter of each layer's input width."""
        values = {name: int(value) for name, value in self.values(architecture).items() if value is not None}
        blocks: list[Block] = [self._conv("stem", _STEM_FILTERS, kernel=3, stride=2)]
        in_filters = _STEM_FILTERS
        for group, (filters, stride) in enumerate(_GROUPS):
            expansion = values[f"block{group}_e"]
            for layer in range(values[f"block{group}_l"]):
                blocks.append(
                    MBConv(
                        name=f"block{group}_{layer + 1}",
                        filters=filters,
                        expanded_filters=expansion * in_filters if expansion > 1 else 0,
                        kernel=values[f"block{group}_k"],
                        stride=stride if layer == 0 else 1,
                        activation="relu6",
                        se_filters=in_filters // _SE_DIVISOR if values[f"block{group}_se"] else 0,
                        se_activation="relu",
                        bn_epsilon=_BN_EPSILON,
                    )
                )
                in_filters = filters
        blocks += [self._conv("head", _HEAD_FILTERS, kernel=1, stride=1), PoolBlock()]
        blocks += [DenseBlock(name="classifier", units=self.classes or _CLASSES), SoftmaxBlock()]
        return NetworkSpec(name=architecture.id, input_shape=self.input_shape or (224, 224, 3), blocks=tuple(blocks))

    def _conv(self, name: str, filters: int, *, kernel: int, stride: int) -> ConvBlock:
        return ConvBlock(
            name=name, filters=filters, kernel=kernel, stride=stride, activation="relu6", bn_epsilon=_BN_EPSILON
        )
