"""Blocks, maps and outputs of networks; several numbers are written with dashes, as in `20-10-5`."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.reproduce.networks import Networks, chosen_blocks
from searchspaces import layers
from searchspaces.errors import InputError, unknown_name
from searchspaces.layers import Shape
from searchspaces.spec import NetworkSpec

_AXES = {"height": -3, "width": -2, "channels": -1}


def block_count(networks: Networks, network: str, blocks: str) -> int:
    """How many blocks match a pattern."""
    return len(chosen_blocks(networks.spec(network), blocks))


def sides(networks: Networks, network: str, *, blocks: str) -> str:
    """The height of the input and of the map after each group of blocks; a group shares its name up to `_`."""
    spec = networks.spec(network)
    heights = {
        spec.blocks[index].name.partition("_")[0]: _shape_after(spec, index)[-3]
        for index in chosen_blocks(spec, blocks)
    }
    return _dashed([spec.input_shape[-3], *heights.values()])


def map_after(networks: Networks, network: str, block: str) -> str:
    """Height, width and channels after a block, as in `7x7x192`."""
    spec = networks.spec(network)
    (index,) = chosen_blocks(spec, block)
    return "x".join(map(str, _shape_after(spec, index)))


def widths_divide_by(networks: Networks, divisor: str, network: str) -> str:
    """`yes` where the channels of every convolution are a multiple."""
    nodes = networks.spec(network).graph.nodes
    widths = [node.shape[-1] for node in nodes if isinstance(node.layer, layers.Conv2D | layers.DepthwiseConv2D)]
    return "yes" if all(width % int(divisor) == 0 for width in widths) else "no"


def output_sides(networks: Networks, network: str, *, axis: str) -> str:
    """The height, width or channels of every output."""
    if axis not in _AXES:
        raise unknown_name("axis", axis, _AXES)
    shapes = networks.spec(network).output_shapes
    for name, shape in shapes.items():
        if len(shape) < -_AXES[axis]:
            raise InputError(f"output {name} of {network}: expected outputs that have a {axis}, got shape {shape}.")
    return _dashed(shape[_AXES[axis]] for shape in shapes.values())


def _shape_after(spec: NetworkSpec, index: int) -> Shape:
    return [node.shape for node in spec.graph.nodes if node.block == index][-1]


def _dashed(numbers: Iterable[int]) -> str:
    return "-".join(map(str, numbers))
