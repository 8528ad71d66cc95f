"""Compound scaling: a found network made larger or smaller in width, depth, resolution and frame rate at once.

MoViNet's A0 to A5 come from one found network this way, with coefficients drawn at random and kept where they meet the
work aimed at (Kondratyuk et al., CVPR 2021, as second-hand notes have it; the rounding is EfficientNet's).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from searchspaces.blocks import Block
from searchspaces.errors import InputError, NoResultError
from searchspaces.spec import NetworkSpec
from searchspaces.widths import make_divisible

_WIDTHS = ("filters", "expanded_filters", "se_filters")
_LAYER_OF_STAGE = re.compile(r"(.+?)_\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompoundScaling:
    """Factors on channel counts, layers of a stage, sides of a frame, and frames of a clip of the same duration."""

    width: float = 1.0
    depth: float = 1.0
    resolution: float = 1.0
    frame_rate: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            factor = getattr(self, field.name)
            if not (math.isfinite(factor) and factor > 0):
                raise InputError(f"{field.name}: expected a factor above 0, got {factor!r}; 1 leaves it as it is.")

    def apply(self, spec: NetworkSpec) -> NetworkSpec:
        """The scaled network. A stage's added layers repeat those after its first in turn; dropped ones are its last.

        Raises:
            InputError: a frame rate for a network that sees no clips.
        """
        *frames, height, width, channels = spec.input_shape if len(spec.input_shape) > 1 else (0, 0, 0, 0, 0)
        if len(spec.input_shape) < 3 or (self.frame_rate != 1 and not frames):
            raise InputError(
                f"network {spec.name}: expected one for {'clips' if len(spec.input_shape) > 1 else 'images or clips'} "
                f"to scale, got input {spec.input_shape}; leave that factor at 1."
            )
        sides = (max(1, round(height * self.resolution)), max(1, round(width * self.resolution)))
        clip = [max(1, round(count * self.frame_rate)) for count in frames]
        blocks = [self._widened(block) for stage in _stages(spec.blocks) for block in self._deepened(stage)]
        return replace(spec, input_shape=(*clip, *sides, channels), blocks=tuple(blocks))

    def _deepened(self, stage: Sequence[Block]) -> list[Block]:
        if _LAYER_OF_STAGE.match(stage[0].name) is None:
            return list(stage)
        name = stage[0].name.rpartition("_")[0]
        # Repeating the only layer of a stage would repeat its stride.
        repeated = stage[1:] or [_unstrided(stage[0])]
        depth = math.ceil(len(stage) * self.depth - 1e-9)
        made = [*stage, *(repeated[number % len(repeated)] for number in range(max(0, depth - len(stage))))][:depth]
        return [_changed(block, name=f"{name}_{number}") for number, block in enumerate(made, start=1)]

    def _widened(self, block: Block) -> Block:
        if self.width == 1:
            return block
        widths = {name: getattr(block, name, 0) for name in _WIDTHS}
        return _changed(block, **{name: make_divisible(old * self.width) for name, old in widths.items() if old})


def random_scalings(
    spec: NetworkSpec,
    work: Callable[[NetworkSpec], float],
    target: float,
    rng: np.random.Generator,
    *,
    count: int = 10,
    tolerance: float = 0.05,
    spread: float = 2.0,
    attempts: int = 2000,
) -> list[tuple[CompoundScaling, NetworkSpec]]:
    """Scalings of `spec` drawn at random whose work meets a target: candidates to be trained and compared.

    Args:
        work: of a network, such as its multiply-adds.
        target: of that work.
        count: how many to find.
        tolerance: share of the target by which they may miss it.
        spread: depth, resolution and frame rate are drawn from 1/spread to spread, alike on a logarithmic scale; the
            width follows from the target, as if work were its square.
        attempts: draws before giving up.

    Raises:
        NoResultError: none was found.
    """
    found: list[tuple[CompoundScaling, NetworkSpec]] = []
    base = work(spec)
    for scaling in _draws(target / base, spread, rng, attempts, clips=len(spec.input_shape) == 4):
        scaled = scaling.apply(spec)
        if abs(work(scaled) / target - 1) <= tolerance:
            found.append((scaling, scaled))
            if len(found) == count:
                break
    if not found:
        raise NoResultError(
            f"scaling of {spec.name}: none of {attempts} draws came within {tolerance:.0%} of {target:g}, from "
            f"{base:g}; loosen the tolerance or the spread."
        )
    return found


def _draws(
    growth: float, spread: float, rng: np.random.Generator, attempts: int, *, clips: bool
) -> Iterator[CompoundScaling]:
    for _ in range(attempts):
        depth, resolution, frame_rate = spread ** rng.uniform(-1, 1, 3)
        frame_rate = frame_rate if clips else 1.0
        width = math.sqrt(growth / (depth * resolution**2 * frame_rate))
        if 1 / spread <= width <= spread:
            yield CompoundScaling(
                width=float(width), depth=float(depth), resolution=float(resolution), frame_rate=float(frame_rate)
            )


def _stages(blocks: Sequence[Block]) -> list[list[Block]]:
    """Blocks in runs of one stage: ``block3_1``, ``block3_2``, … belong together, all others stand alone."""
    stages: list[list[Block]] = []
    last = None
    for block in blocks:
        match = _LAYER_OF_STAGE.match(block.name)
        stage = match.group(1) if match else None
        if stage is not None and stage == last:
            stages[-1].append(block)
        else:
            stages.append([block])
        last = stage
    return stages


def _unstrided(block: Block) -> Block:
    return _changed(block, stride=1) if hasattr(block, "stride") else block


def _changed(block: Any, **numbers: Any) -> Block:
    made: Block = replace(block, **numbers)
    return made
