"""A network as a column of boxes: the layout that the page draws as SVG.

The drawing is narrow, so that its text stays readable on a telephone. A box is as wide as its number of channels
asks for (by the square root, so that the stem stays visible), and coloured by kind. Equal blocks in a row are drawn
once, with their count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from nas.tables import Winner
from reports.palette import series_colour
from reports.words import format_value, shorten

WIDTH, ROW, GAP, TOP = 346, 30, 9, 6
BOX_MIN, BOX_MAX = 128, 230


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One block, or a run of equal ones, in drawing units."""

    x: float
    y: float
    width: float
    label: str
    shape: str
    cost: str
    detail: str
    colour: str
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """Boxes from input to output, and the legend of kinds."""

    width: int
    height: int
    row: int
    gap: int
    middle: float
    boxes: tuple[Box, ...]
    kinds: tuple[tuple[str, str], ...]


def draw_network(winner: Winner) -> Diagram | None:
    """The diagram of a winner's blocks; None where they are not known."""
    if not winner.blocks:
        return None
    kinds = list(dict.fromkeys(str(block["kind"]) for block in winner.blocks))
    colours = {kind: series_colour(index) for index, kind in enumerate(kinds)}
    widest = max(map(_channels, winner.blocks))
    boxes: list[Box] = []
    for _, equal in groupby(winner.blocks, key=_face):
        blocks = list(equal)
        width = BOX_MIN + (BOX_MAX - BOX_MIN) * math.sqrt(_channels(blocks[0]) / widest)
        boxes.append(
            Box(
                x=round(BOX_MAX / 2 - width / 2, 1),
                y=TOP + len(boxes) * (ROW + GAP),
                width=round(width, 1),
                label=shorten(blocks[0].get("label") or blocks[0]["kind"], int(width / 6.6)),
                shape=_shape(blocks[0]),
                cost=_cost(blocks),
                detail=_detail(blocks),
                colour=colours[str(blocks[0]["kind"])],
                repeats=len(blocks),
            )
        )
    return Diagram(
        width=WIDTH,
        height=TOP + len(boxes) * (ROW + GAP),
        row=ROW,
        gap=GAP,
        middle=BOX_MAX / 2,
        boxes=tuple(boxes),
        kinds=tuple(colours.items()),
    )


def _face(block: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(block["kind"]), str(block.get("label")), _shape(block)


def _channels(block: Mapping[str, Any]) -> float:
    shape = block.get("shape") or [1]
    return max(float(shape[-1] or 1), 1.0)


def _shape(block: Mapping[str, Any]) -> str:
    return "×".join(str(size) for size in block.get("shape") or [])


def _cost(blocks: Sequence[Mapping[str, Any]]) -> str:
    """Parameters and multiply-adds, `1.2 k · 5.6 M`; nothing for blocks without either."""
    sums = [(name, sum(float(block.get(name) or 0) for block in blocks)) for name in ("params", "macs")]
    return " · ".join(format_value(name, total) for name, total in sums) if any(t for _, t in sums) else ""


def _detail(blocks: Sequence[Mapping[str, Any]]) -> str:
    """What a pointer over the box tells, for all of its blocks together."""
    params = sum(int(block.get("params") or 0) for block in blocks)
    macs = sum(int(block.get("macs") or 0) for block in blocks)
    name = str(blocks[0].get("label") or blocks[0]["kind"])
    return f"{name}: {params:,} parameters, {macs:,} multiply-adds"
