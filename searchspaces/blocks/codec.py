"""Blocks to JSON-able data and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

from searchspaces.blocks.base import Block
from searchspaces.blocks.cells import CellBlock, NormBlock, ReductionBlock
from searchspaces.blocks.convolutions import ConvBlock, MBConv
from searchspaces.blocks.dense_bottlenecks import FusedMBConv, TuckerConv
from searchspaces.blocks.detection import Endpoints, ExtraMap, SSDLiteHead
from searchspaces.blocks.ends import DenseBlock, PoolBlock, RescaleBlock, SoftmaxBlock
from searchspaces.blocks.video import ClipPoolBlock, VideoMBConv
from searchspaces.errors import InputError, unknown_name

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        RescaleBlock,
        ConvBlock,
        MBConv,
        FusedMBConv,
        TuckerConv,
        VideoMBConv,
        CellBlock,
        ReductionBlock,
        NormBlock,
        PoolBlock,
        ClipPoolBlock,
        DenseBlock,
        SoftmaxBlock,
        ExtraMap,
        SSDLiteHead,
        Endpoints,
    )
}


def block_to_dict(block: Block) -> dict[str, Any]:
    """The block as JSON-able data, its class name under ``kind``."""
    return {"kind": type(block).__name__, **asdict(block)}


def block_from_dict(data: Mapping[str, Any]) -> Block:
    """The block that `block_to_dict` wrote down."""
    if not isinstance(data, Mapping):
        raise InputError(f"block: expected a mapping with its kind and numbers, got {data!r}; see a written network.")
    kind = data.get("kind")
    if kind not in KINDS:
        raise unknown_name("block kind", kind, KINDS)
    known = {field.name for field in fields(KINDS[kind])}
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items() if key != "kind"}
    if unknown := set(given) - known:
        raise InputError(f"block {kind}: expected fields {sorted(known)}, got {sorted(unknown)}; remove them.")
    needed = {field.name for field in fields(KINDS[kind]) if field.default is MISSING}
    if missing := needed - set(given):
        raise InputError(f"block {kind}: expected fields {sorted(missing)}, which are missing; add them.")
    block: Block = KINDS[kind](**given)
    return block
