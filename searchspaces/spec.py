"""`NetworkSpec`: a network as plain data, from which cost, Keras and TFLite all follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from searchspaces.blocks import Block, RescaleBlock, SoftmaxBlock, block_from_dict, block_to_dict
from searchspaces.errors import InputError
from searchspaces.graph import GraphBuilder, LayerGraph
from searchspaces.layers import Shape
from searchspaces.time_layers import FoldFrames


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """Blocks in running order, for one input shape (without the batch).

    A network for clips ``(frames, height, width, channels)`` whose blocks are causal has a second form, `streaming`:
    it is fed a frame a call and carries its states. `deployed` is the form a device runs.
    """

    name: str
    input_shape: Shape
    blocks: tuple[Block, ...]
    streaming: bool = False

    def __post_init__(self) -> None:
        if len(self.input_shape) not in (1, 3, 4) or any(side < 1 for side in self.input_shape):
            raise InputError(
                f"input_shape of {self.name}: expected (height, width, channels), (frames, height, width, channels) or "
                f"(features,) of positive numbers, got {self.input_shape}; write for example 32x32x3, 8x64x64x3 or 54."
            )
        if self.streaming and (len(self.input_shape) != 4 or self.input_shape[0] != 1):
            raise InputError(
                f"input_shape of {self.name}: expected one frame (1, height, width, channels) in a stream, got "
                f"{self.input_shape}; use the `deployed` form of a clip's network."
            )
        if not self.blocks:
            raise InputError(f"blocks of {self.name}: expected at least one, got none; add a classifier.")
        names = [block.name for block in self.blocks]
        if len(set(names)) != len(names):
            raise InputError(f"blocks of {self.name}: expected distinct names, got {names}; number them.")

    @cached_property
    def graph(self) -> LayerGraph:
        """The primitive layers of all blocks."""
        builder, x = GraphBuilder(self.input_shape, streaming=self.streaming), 0
        if len(self.input_shape) == 4:
            builder.enter(-1, "clip")
            x = builder.add("frames", FoldFrames(), x)
        for index, block in enumerate(self.blocks):
            builder.enter(index, block.name)
            x = block.expand(builder, x)
            builder.leave(x)
        return builder.build()

    @property
    def output_shapes(self) -> dict[str, Shape]:
        """The shapes that come out, by name, without the batch."""
        return {name: self.graph.nodes[node].shape for name, node in self.graph.outputs}

    @property
    def output_shape(self) -> Shape:
        """The shape that comes out of a network with one output, without the batch."""
        shapes = self.output_shapes
        if len(shapes) != 1:
            raise InputError(f"network {self.name}: expected one output, got {', '.join(shapes)}; read output_shapes.")
        return next(iter(shapes.values()))

    @property
    def params(self) -> int:
        """All stored values, batch-norm statistics too."""
        return self._param_counts[0]

    @property
    def trainable_params(self) -> int:
        """The values that training changes."""
        return self._param_counts[1]

    @cached_property
    def _param_counts(self) -> tuple[int, int]:
        return self.graph.count_params()

    @property
    def is_causal(self) -> bool:
        """Whether it can run as a stream: no block looks at frames to come."""
        looks = [block for block in self.blocks if hasattr(block, "causal")]
        return bool(looks) and all(block.causal for block in looks)

    @property
    def deployed(self) -> NetworkSpec:
        """The form that a device runs: causal networks a frame at a time, all others as they are."""
        if self.streaming or not self.is_causal:
            return self
        return replace(self, input_shape=(1, *self.input_shape[1:]), streaming=True)

    @property
    def state_shapes(self) -> dict[str, Shape]:
        """The shapes of the states it carries from call to call, by name, without the batch."""
        return {state.name: self.graph.nodes[state.source].shape for state in self.graph.states}

    def without_softmax(self) -> NetworkSpec:
        """The same network ending in logits, as training wants it."""
        if isinstance(self.blocks[-1], SoftmaxBlock):
            return replace(self, blocks=self.blocks[:-1])
        return self

    def with_rescale(self, scale: tuple[float, ...], offset: tuple[float, ...]) -> NetworkSpec:
        """The same network that takes raw input and rescales it first, per channel or for all at once."""
        for name, values in (("scale", scale), ("offset", offset)):
            if len(values) not in (1, self.input_shape[-1]):
                raise InputError(
                    f"{name}: expected 1 or {self.input_shape[-1]} numbers for input {self.input_shape}, "
                    f"got {len(values)}; give one for each channel."
                )
        return replace(self, blocks=(RescaleBlock(scale=scale, offset=offset), *self.blocks))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; `from_dict` reads it back."""
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "blocks": [block_to_dict(block) for block in self.blocks],
            **({"streaming": True} if self.streaming else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NetworkSpec:
        """The network that `to_dict` wrote down."""
        missing = {"name", "input_shape", "blocks"} - set(data)
        if missing:
            raise InputError(
                f"network: expected keys name, input_shape and blocks, {sorted(missing)} missing; add them."
            )
        shape, blocks = data["input_shape"], data["blocks"]
        if not isinstance(shape, (list, tuple)) or not all(type(side) is int for side in shape):
            raise InputError(
                f"network: expected input_shape as a list of whole numbers, got {shape!r}; write [32, 32, 3]."
            )
        if not isinstance(blocks, (list, tuple)):
            raise InputError(f"network: expected blocks as a list of mappings, got {blocks!r}; see a written network.")
        return cls(
            name=str(data["name"]),
            input_shape=tuple(shape),
            blocks=tuple(map(block_from_dict, blocks)),
            streaming=bool(data.get("streaming", False)),
        )
