"""Keras layers for networks that see clips, on any backend.

Maps of clips come as ``[N*frames, height, width, channels]``. Where one example is run (N = 1, as on a device) the
layers leave out the reshapes that several need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from searchspaces import time_layers
from searchspaces.layers import Shape


@keras.saving.register_keras_serializable("paretonas")
class Reshaped(keras.layers.Layer):
    """The same values as ``[-1, *shape]``: frames into the batch axis, or out of it."""

    def __init__(self, shape: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.target = tuple(shape)

    def call(self, x: Any) -> Any:
        return ops.reshape(x, (-1, *self.target))


class DepthwiseConv3D(keras.layers.Layer):
    """A sum of one two-dimensional depthwise convolution for each frame of the kernel; ``kernel [frames, k, k, C]``."""

    def __init__(self, layer: time_layers.DepthwiseConv3D, clip: Shape, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.spec, self.clip, self.seed = layer, clip, seed

    def build(self, shape: Any) -> None:
        window = (self.spec.frames, self.spec.kernel, self.spec.kernel)
        # He initialisation over the taps of one channel.
        init = keras.initializers.RandomNormal(stddev=(2.0 / np.prod(window)) ** 0.5, seed=self.seed)
        self.kernel = self.add_weight(shape=(*window, shape[-1]), initializer=init, name="kernel")

    def call(self, x: Any) -> Any:
        frames, reach = self.clip[0], self.spec.frames // 2
        one = x.shape[0] == frames
        axis = 0 if one else 1
        if not one:
            x = ops.reshape(x, (-1, *self.clip))
        pads = [(0, 0)] * len(x.shape)
        pads[axis] = (reach, reach)
        x = ops.pad(x, pads)
        total = None
        for tap in range(self.spec.frames):
            part = x[tap : tap + frames] if one else ops.reshape(x[:, tap : tap + frames], (-1, *self.clip[1:]))
            found = ops.depthwise_conv(
                part, ops.expand_dims(self.kernel[tap], -1), strides=self.spec.stride, padding="same"
            )
            total = found if total is None else total + found
        return total


class TemporalDepthwiseConv(keras.layers.DepthwiseConv2D):
    """A depthwise convolution down the frames of ``[N, frames, positions, C]``; gives maps ``[N*frames, H, W, C]``."""

    def __init__(self, layer: time_layers.TemporalDepthwiseConv, map_shape: Shape, seed: int, **options: Any) -> None:
        init = keras.initializers.RandomNormal(stddev=(2.0 / layer.kernel) ** 0.5, seed=seed)
        super().__init__((layer.kernel, 1), use_bias=False, depthwise_initializer=init, **options)
        self.map_shape = map_shape

    def call(self, x: Any) -> Any:
        return ops.reshape(super().call(x), (-1, *self.map_shape))

    def compute_output_shape(self, shape: Any) -> tuple[int | None, ...]:
        return (None, *self.map_shape)


class PadFrames(keras.layers.Layer):
    """Zeros before the first frame: ``[N*frames, H, W, C]`` to ``[N, count + frames, H*W, C]``."""

    def __init__(self, count: int, clip: Shape, **options: Any) -> None:
        super().__init__(**options)
        self.count, self.clip = count, clip

    def call(self, x: Any) -> Any:
        frames, height, width, channels = self.clip
        x = ops.reshape(x, (-1, frames, height * width, channels))
        return ops.pad(x, ((0, 0), (self.count, 0), (0, 0), (0, 0)))


class JoinFrames(keras.layers.Layer):
    """Kept frames ``[N, kept, H*W, C]`` and a new map ``[N, H, W, C]`` in one."""

    def call(self, inputs: Sequence[Any]) -> Any:
        kept, x = inputs
        new = ops.reshape(x, (-1, 1, *kept.shape[2:]))
        return ops.concatenate([kept, new], axis=1)


class LastFrames(keras.layers.Layer):
    """The last frames of ``[N, frames, H*W, C]``."""

    def __init__(self, count: int, **options: Any) -> None:
        super().__init__(**options)
        self.count = count

    def call(self, x: Any) -> Any:
        return x[:, -self.count :]


class ClipAveragePool(keras.layers.Layer):
    """Mean over time and space: ``[N, C]``, or ``[N, 1, 1, C]`` where dimensions are kept."""

    def __init__(self, keep_dims: bool, clip: Shape, **options: Any) -> None:
        super().__init__(**options)
        self.keep_dims, self.clip = keep_dims, clip

    def call(self, x: Any) -> Any:
        frames, height, width, channels = self.clip
        x = ops.reshape(x, (-1, frames, height * width, channels))
        return ops.mean(x, axis=(1, 2), keepdims=self.keep_dims)


class CumulativeAverage(keras.layers.Layer):
    """Mean of all frames up to and with each: ``[N*frames, 1, 1, C]``."""

    def __init__(self, frames: int, **options: Any) -> None:
        super().__init__(**options)
        self.frames = frames

    def call(self, x: Any) -> Any:
        channels = x.shape[-1]
        total = ops.cumsum(ops.reshape(x, (-1, self.frames, channels)), axis=1)
        share = (1.0 / np.arange(1, self.frames + 1, dtype=np.float32))[:, None]
        return ops.reshape(total * share, (-1, 1, 1, channels))


class CountFrame(keras.layers.Layer):
    """One more."""

    def call(self, count: Any) -> Any:
        return count + 1.0


class RunningSum(keras.layers.Add):
    """This frame, and what earlier ones summed to."""


class RunningMean(keras.layers.Layer):
    """A running sum over the number of frames it holds, ``[N, 1, 1, 1]``."""

    def call(self, inputs: Sequence[Any]) -> Any:
        total, count = inputs
        return total / (count if len(total.shape) == 4 else ops.reshape(count, (-1, 1)))


class FrameEncoding(keras.layers.Layer):
    """Adds the learnt factor times ``sin(number * rate + phase)``: sines, then cosines as sines a quarter turn on."""

    def __init__(self, frames: int, **options: Any) -> None:
        super().__init__(**options)
        self.frames = frames

    def build(self, shape: Any) -> None:
        first = shape[0] if isinstance(shape[0], (tuple, list)) else shape
        self.rate, self.phase = encoding_angles(int(first[-1]))
        self.factor = self.add_weight(shape=(), initializer="zeros", name="factor")

    def call(self, inputs: Any) -> Any:
        if isinstance(inputs, (tuple, list)):
            x, count = inputs
            # The first frame has number 0, and counts as 1.
            return x + ops.sin(count * self.rate + (self.phase - self.rate)) * self.factor
        numbers = np.arange(self.frames, dtype=np.float32)[:, None]
        table = np.sin(numbers * self.rate + self.phase)[:, None, None, :]
        if inputs.shape[0] == self.frames:
            return inputs + self.factor * table
        x = ops.reshape(inputs, (-1, *table.shape))
        return ops.reshape(x + self.factor * table, (-1, *table.shape[1:]))


def encoding_angles(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Rate and phase for each channel of the sinusoidal encoding (Vaswani et al. 2017, §3.5), sines first."""
    even = np.arange(0, channels, 2)
    odd = np.arange(1, channels, 2)
    power = 2 * (np.concatenate([even, odd]) // 2) / channels
    phase = np.concatenate([np.zeros(len(even)), np.full(len(odd), np.pi / 2)])
    return (1 / 10_000**power).astype(np.float32), phase.astype(np.float32)


class Scale(keras.layers.Layer):
    """Product with one learnt factor that starts at zero."""

    def build(self, shape: Any) -> None:
        self.factor = self.add_weight(shape=(), initializer="zeros", name="factor")

    def call(self, x: Any) -> Any:
        return x * self.factor


class GateClip(keras.layers.Layer):
    """Maps ``[N*frames, H, W, C]`` times one gate ``[N, 1, 1, C]`` for all frames of an example."""

    def __init__(self, clip: Shape, **options: Any) -> None:
        super().__init__(**options)
        self.clip = clip

    def call(self, inputs: Sequence[Any]) -> Any:
        x, gate = inputs
        frames, height, width, channels = self.clip
        if gate.shape[0] == 1:
            return x * gate
        wide = ops.reshape(x, (-1, frames, height * width, channels)) * gate
        return ops.reshape(wide, (-1, height, width, channels))


class DropClip(keras.layers.Layer):
    """Drops a branch for all frames of an example at once while training."""

    def __init__(self, rate: float, clip: Shape, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.clip = clip
        self.dropout = keras.layers.Dropout(rate, noise_shape=(None, 1, 1, 1), seed=seed)

    def call(self, x: Any, training: bool | None = None) -> Any:
        if not training:
            return x
        frames, height, width, channels = self.clip
        wide = ops.reshape(x, (-1, frames, height * width, channels))
        return ops.reshape(self.dropout(wide, training=True), (-1, height, width, channels))


# What adds up over the frames of a stream: eight bits do not hold it.
KEPT_IN_FLOAT = (CountFrame, RunningSum, RunningMean, FrameEncoding)

Maker = Callable[[Any, tuple[Shape, ...], str, int], keras.layers.Layer]

# Layer of the spec, shapes that come in, name, seed.
MAKERS: dict[type, Maker] = {
    time_layers.ClipAveragePool: lambda layer, shapes, name, seed: ClipAveragePool(
        layer.keep_dims, shapes[0], name=name
    ),
    time_layers.CountFrame: lambda layer, shapes, name, seed: CountFrame(name=name),
    time_layers.CumulativeAverage: lambda layer, shapes, name, seed: CumulativeAverage(shapes[0][0], name=name),
    time_layers.DepthwiseConv3D: lambda layer, shapes, name, seed: DepthwiseConv3D(layer, shapes[0], seed, name=name),
    time_layers.DropClip: lambda layer, shapes, name, seed: DropClip(layer.rate, shapes[0], seed, name=name),
    time_layers.FoldFrames: lambda layer, shapes, name, seed: Reshaped(shapes[0][1:], name=name),
    time_layers.FrameEncoding: lambda layer, shapes, name, seed: FrameEncoding(shapes[0][0], name=name),
    time_layers.GateClip: lambda layer, shapes, name, seed: GateClip(shapes[0], name=name),
    time_layers.JoinFrames: lambda layer, shapes, name, seed: JoinFrames(name=name),
    time_layers.LastFrames: lambda layer, shapes, name, seed: LastFrames(layer.count, name=name),
    time_layers.PadFrames: lambda layer, shapes, name, seed: PadFrames(layer.count, shapes[0], name=name),
    time_layers.RunningMean: lambda layer, shapes, name, seed: RunningMean(name=name),
    time_layers.RunningSum: lambda layer, shapes, name, seed: RunningSum(name=name),
    time_layers.Scale: lambda layer, shapes, name, seed: Scale(name=name),
    time_layers.TemporalDepthwiseConv: lambda layer, shapes, name, seed: TemporalDepthwiseConv(
        layer, layer.output_shape(*shapes)[1:], seed, name=name
    ),
}
