"""Parameters, multiply-adds and bytes of networks."""

from __future__ import annotations

from math import prod

from benchmarks.reproduce.networks import Networks, chosen_blocks
from hardware_profiles.op_graph import OpGraph
from searchspaces import layers
from searchspaces.errors import unknown_name

_FLOAT_BYTES = 4


def params(networks: Networks, network: str) -> int:
    """All stored values, batch-norm statistics too."""
    return networks.spec(network).params


def trainable_params(networks: Networks, network: str, *, blocks: str = "*") -> int:
    """The values that training changes, of all blocks or of those that match a pattern."""
    spec = networks.spec(network)
    chosen, graph = set(chosen_blocks(spec, blocks)), spec.graph
    weights = (
        weight
        for node in graph.nodes
        if node.block in chosen
        for weight in node.layer.weights(*graph.input_shapes(node))
    )
    return sum(prod(weight.shape) for weight in weights if weight.trainable)


def params_without_batch_norm(networks: Networks, network: str) -> int:
    """The values that training changes, batch norm's scales and offsets left out."""
    graph = networks.spec(network).graph
    nodes = (node for node in graph.nodes if not isinstance(node.layer, layers.BatchNorm))
    weights = (weight for node in nodes for weight in node.layer.weights(*graph.input_shapes(node)))
    return sum(prod(weight.shape) for weight in weights if weight.trainable)


def statistics(networks: Networks, network: str) -> int:
    """The values that are stored and not trained: batch norm's means and variances."""
    spec = networks.spec(network)
    return spec.params - spec.trainable_params


def stored_bytes(networks: Networks, network: str) -> int:
    """All stored values in float32."""
    return _FLOAT_BYTES * networks.spec(network).params


def weight_bytes(networks: Networks, network: str) -> int:
    """The constants of the float32 file."""
    return networks.graph(networks.spec(network).deployed).weight_bytes


def macs(networks: Networks, network: str, *, input: str = "", blocks: str = "*") -> int:
    """Multiply-adds of one run, of all blocks or of those that match a pattern."""
    spec = networks.spec(network, input)
    graph, chosen = networks.graph(spec), set(chosen_blocks(spec, blocks))
    return sum(graph.macs_of(op) for op in graph.ops if op.block in chosen)


def largest_op_values(networks: Networks, network: str, *, per: str = "run") -> float:
    """Values in and out of the convolution that has most of them; `per=frame` divides by the frames of a clip."""
    spec = networks.spec(network)
    graph = networks.graph(spec)
    if per not in ("run", "frame"):
        raise unknown_name("per", per, ("run", "frame"))
    sizes = (
        sum(prod(graph.tensors[index].shape) for index in (*op.inputs, *op.outputs) if _is_activation(graph, index))
        for op in graph.ops
        if graph.macs_of(op)
    )
    return max(sizes) / (spec.input_shape[0] if per == "frame" else 1)


def largest_op_bytes(networks: Networks, network: str) -> float:
    """The same in bytes of float32, for one run."""
    return _FLOAT_BYTES * largest_op_values(networks, network)


def _is_activation(graph: OpGraph, index: int) -> bool:
    return index >= 0 and not graph.tensors[index].constant
