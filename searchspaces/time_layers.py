"""The primitive layers of networks that see clips: what looks along time, and what a stream carries on.

Maps of a clip have the shape ``(frames, height, width, channels)``; frameworks hold them with the frames in the batch
axis, ``[N*frames, height, width, channels]``, so that every layer for images works on clips as it is. What looks along
time sees ``(frames, positions, channels)``: an image whose rows are frames, whose columns are the positions of a map.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from searchspaces.errors import InputError
from searchspaces.layers import Shape, Weight, WithoutWeights, _SameShape, _strided


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldFrames(_SameShape):
    """A clip ``[N, frames, …]`` as the frameworks' layers for images take it: ``[N*frames, …]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv3D:
    """Depthwise convolution over `frames` x `kernel` x `kernel`, 'same' padding in time and space."""

    frames: int
    kernel: int
    stride: int = 1

    def output_shape(self, *inputs: Shape) -> Shape:
        if self.frames % 2 == 0:
            raise InputError(f"DepthwiseConv3D: expected an odd number of frames, got {self.frames}; take 3 or 5.")
        return (*_strided(_clip(inputs[0]), self.stride), inputs[0][-1])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("kernel", (self.frames, self.kernel, self.kernel, inputs[0][-1])),)


@dataclass(frozen=True, slots=True, kw_only=True)
class PadFrames(WithoutWeights):
    """Zeros for the `count` frames before the first: a clip's maps as ``(count + frames, positions, channels)``."""

    count: int

    def output_shape(self, *inputs: Shape) -> Shape:
        frames, height, width, channels = _clip(inputs[0])
        return (self.count + frames, height * width, channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinFrames(WithoutWeights):
    """The frames kept from earlier calls, then this call's map: ``(kept + 1, positions, channels)``."""

    def output_shape(self, *inputs: Shape) -> Shape:
        kept, (frames, height, width, channels) = inputs[0], _clip(inputs[1])
        if kept[1:] != (height * width, channels):
            raise InputError(f"JoinFrames: expected maps of one size, got {inputs[1]} after {kept}; mend the block.")
        return (kept[0] + frames, height * width, channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastFrames(WithoutWeights):
    """The last `count` frames of ``(frames, positions, channels)``."""

    count: int

    def output_shape(self, *inputs: Shape) -> Shape:
        return (self.count, *inputs[0][1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalDepthwiseConv:
    """Depthwise convolution over `kernel` frames of ``(frames, positions, channels)``, without padding.

    What comes out are maps of `height` rows again: ``(frames - kernel + 1, height, width, channels)``.
    """

    kernel: int
    height: int

    def output_shape(self, *inputs: Shape) -> Shape:
        frames, positions, channels = inputs[0]
        if frames < self.kernel or positions % self.height:
            raise InputError(
                f"TemporalDepthwiseConv: expected {self.kernel} or more frames of maps {self.height} high, got shape "
                f"{inputs[0]}; give longer clips."
            )
        return (frames - self.kernel + 1, self.height, positions // self.height, channels)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("kernel", (self.kernel, 1, inputs[0][-1], 1)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipAveragePool(WithoutWeights):
    """Mean over time, height and width: ``(channels,)``, or ``(1, 1, 1, channels)`` where dimensions are kept."""

    keep_dims: bool = False

    def output_shape(self, *inputs: Shape) -> Shape:
        channels = _clip(inputs[0])[-1]
        return (1, 1, 1, channels) if self.keep_dims else (channels,)


@dataclass(frozen=True, slots=True, kw_only=True)
class CumulativeAverage(WithoutWeights):
    """Mean of all frames up to and with each, of maps of one position: ``(frames, 1, 1, channels)``."""

    def output_shape(self, *inputs: Shape) -> Shape:
        frames, *_, channels = _clip(inputs[0])
        if prod(inputs[0]) != frames * channels:
            raise InputError(f"CumulativeAverage: expected maps of one position, got {inputs[0]}; pool them first.")
        return inputs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFrame(_SameShape):
    """One more than the number of frames seen before: ``(1, 1, 1, 1)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSum(_SameShape):
    """This frame, and what earlier ones summed to. The sum of a long stream is no 8-bit number: it stays float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningMean(_SameShape):
    """A running sum over the number of frames it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameEncoding:
    """Adds the sinusoidal encoding of the frame's number, times one learnt factor that starts at zero.

    Its first half are the sines, its second the cosines, of ``number / 10000^(2 i / channels)``. Fed with a clip it
    numbers the frames itself; in a stream its second input is the number of frames seen, this one counted.
    """

    def output_shape(self, *inputs: Shape) -> Shape:
        return _clip(inputs[0])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("factor", ()),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Product with one learnt factor that starts at zero (ReZero)."""

    def output_shape(self, *inputs: Shape) -> Shape:
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("factor", ()),)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateClip(_SameShape):
    """Product of a clip's maps and one gate ``(1, 1, 1, channels)`` for all frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropClip(_SameShape):
    """Drops a residual branch for all frames of an example at once while training."""

    rate: float


def _clip(shape: Shape) -> Shape:
    if len(shape) != 4:
        raise InputError(
            f"layer over time: expected a clip (frames, height, width, channels), got shape {shape}; give the network "
            "an input of four numbers, such as 50x172x172x3."
        )
    return shape
