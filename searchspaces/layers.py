"""The primitive layers that blocks are made of: what a framework calls a layer, as plain data.

Shapes leave out the batch: ``(height, width, channels)`` for images, ``(features,)`` for vectors, ``(frames, height,
width, channels)`` for clips (see `time_layers`).
Each layer knows its output shape and the weights it holds; nothing here allocates them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Literal, NamedTuple, Protocol, TypeAlias

from searchspaces.errors import InputError

Shape: TypeAlias = tuple[int, ...]
ActivationName: TypeAlias = Literal["relu", "relu6", "silu", "hard_silu", "sigmoid", "hard_sigmoid", "softmax"]

BN_EPSILON = 1e-3


class Weight(NamedTuple):
    """One stored array of a layer; batch-norm statistics are stored but not trained."""

    name: str
    shape: Shape
    trainable: bool = True


class Layer(Protocol):
    """What every primitive layer answers."""

    def output_shape(self, *inputs: Shape) -> Shape:
        """The shape that comes out for these input shapes."""
        ...

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """The arrays stored for these input shapes, in Keras's order."""
        ...


class WithoutWeights:
    """A layer that stores nothing."""

    __slots__ = ()

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()


class _SameShape(WithoutWeights):
    """A layer that stores nothing and keeps the shape of its first input."""

    __slots__ = ()

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input(WithoutWeights):
    """Where the network is fed."""

    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        return self.shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescale(_SameShape):
    """``x * scale + offset``, one number for all channels or one for each."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv2D:
    """Square convolution with 'same' padding."""

    filters: int
    kernel: int
    stride: int = 1
    use_bias: bool = False

    def output_shape(self, *inputs: Shape) -> Shape:
        return (*_strided(inputs[0], self.stride), self.filters)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (self.kernel, self.kernel, inputs[0][-1], self.filters))
        return (kernel, Weight("bias", (self.filters,))) if self.use_bias else (kernel,)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv2D:
    """Square depthwise convolution with 'same' padding and one filter a channel."""

    kernel: int
    stride: int = 1
    use_bias: bool = False

    def output_shape(self, *inputs: Shape) -> Shape:
        return (*_strided(inputs[0], self.stride), inputs[0][-1])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        channels = inputs[0][-1]
        kernel = Weight("kernel", (self.kernel, self.kernel, channels, 1))
        return (kernel, Weight("bias", (channels,))) if self.use_bias else (kernel,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """Fully connected layer over the last axis of a vector."""

    units: int
    use_bias: bool = True

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 1:
            raise InputError(f"Dense: expected a vector (features,), got shape {inputs[0]}; pool it first.")
        return (self.units,)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (inputs[0][0], self.units))
        return (kernel, Weight("bias", (self.units,))) if self.use_bias else (kernel,)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm:
    """Batch normalisation over the last axis; `zero_gamma` starts a residual branch at zero."""

    epsilon: float = BN_EPSILON
    momentum: float = 0.99
    zero_gamma: bool = False

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return _norm_weights(inputs[0][-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation(_SameShape):
    """A pointwise function (softmax: over the last axis; hard_sigmoid: ``relu6(x + 3) / 6``)."""

    name: ActivationName


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalAveragePool(WithoutWeights):
    """Mean over height and width: ``(channels,)``, or ``(1, 1, channels)`` where dimensions are kept.

    Of a clip each frame has its own mean, and dimensions are kept; a single frame may do without them.
    """

    keep_dims: bool = False

    def output_shape(self, *inputs: Shape) -> Shape:
        *frames, channels = inputs[0][:-3] + inputs[0][-1:]
        if self.keep_dims:
            return (*frames, 1, 1, channels)
        if frames not in ([], [1]):
            raise InputError(f"GlobalAveragePool: expected one frame, got shape {inputs[0]}; keep its dimensions.")
        return (channels,)


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePool2D(WithoutWeights):
    """Mean over a square window with 'same' padding, which is not counted in."""

    kernel: int
    stride: int

    def output_shape(self, *inputs: Shape) -> Shape:
        return (*_strided(inputs[0], self.stride), inputs[0][-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout(_SameShape):
    """Dropout while training; `whole_example` drops a residual branch for an example at once."""

    rate: float
    whole_example: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(_SameShape):
    """Sum of two inputs of one shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat(WithoutWeights):
    """Inputs end to end along one axis of the example (-1: channels; 0: rows or lines), alike in all others."""

    axis: int = -1

    def output_shape(self, *inputs: Shape) -> Shape:
        axis = self.axis % len(inputs[0])
        if len({(*shape[:axis], *shape[axis + 1 :]) for shape in inputs}) != 1:
            raise InputError(f"Concat: expected shapes that differ in axis {axis} only, got {inputs}; mend the block.")
        return (*inputs[0][:axis], sum(shape[axis] for shape in inputs), *inputs[0][axis + 1 :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape(WithoutWeights):
    """The same values, in the same order, under another shape."""

    shape: Shape

    def output_shape(self, *inputs: Shape) -> Shape:
        if prod(inputs[0]) != prod(self.shape):
            raise InputError(
                f"Reshape: expected a shape of {prod(inputs[0])} values as {inputs[0]} has, got {self.shape}; "
                "mend the block."
            )
        return self.shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiply(_SameShape):
    """Product of a map and a gate that broadcasts over it."""


@cache
def _norm_weights(channels: int) -> tuple[Weight, ...]:
    """A network has hundreds of batch norms, and few of them differ."""
    shape = (channels,)
    return (
        Weight("gamma", shape),
        Weight("beta", shape),
        Weight("moving_mean", shape, trainable=False),
        Weight("moving_variance", shape, trainable=False),
    )


def _strided(shape: Shape, stride: int) -> Shape:
    """A map's sides after a stride; a clip keeps its frames."""
    if len(shape) not in (3, 4):
        raise InputError(
            f"convolution: expected an image (height, width, channels) or a clip (frames, height, width, channels), "
            f"got shape {shape}; give the network an input of three or four numbers."
        )
    *frames, height, width, _ = shape
    return (*frames, -(-height // stride), -(-width // stride))
