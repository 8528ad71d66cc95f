"""Clips, and networks that see them frame by frame."""

from __future__ import annotations

from math import prod

from benchmarks.reproduce.networks import Networks, chosen_blocks
from searchspaces.errors import InputError


def clip_size(networks: Networks, network: str) -> str:
    """Frames and side of the clip a network is published for, as in `50x172`."""
    frames, height, *_ = networks.spec(network).input_shape
    return f"{frames}x{height}"


def frames_per_second(networks: Networks, network: str) -> float:
    """The rate at which a network is published to see frames."""
    rate = networks.named(network).space.references[network].frames_per_second
    if rate is None:
        raise InputError(f"network {network}: expected one for clips, got one for images; take a MoViNet.")
    return rate


def frame_macs(networks: Networks, network: str) -> int:
    """Multiply-adds of one frame of a stream."""
    return networks.graph(networks.spec(network).deployed).macs


def clip_macs(networks: Networks, network: str, *, once: str) -> int:
    """Multiply-adds of a clip as a stream; the blocks `once`, behind the average over the clip, run at its end."""
    spec = networks.spec(network)
    graph = networks.graph(spec.deployed)
    last = set(chosen_blocks(spec, once))
    at_the_end = sum(graph.macs_of(op) for op in graph.ops if op.block in last)
    return spec.input_shape[0] * (graph.macs - at_the_end) + at_the_end


def state_count(networks: Networks, network: str) -> int:
    """The states a stream carries from frame to frame."""
    return len(networks.spec(network).deployed.state_shapes)


def buffer_values(networks: Networks, network: str) -> int:
    """Values of the frames that a stream keeps for its kernels over time."""
    states = networks.spec(network).deployed.state_shapes
    return sum(prod(shape) for name, shape in states.items() if name.endswith("_buffer"))
