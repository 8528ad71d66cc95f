"""Parameters, multiply-adds and bytes of networks."""

from __future__ import annotations

from math import prod

from benchmarks.reproduce.networks import Networks, chosen_blocks
from searchspaces import layers


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


def macs(networks: Networks, network: str, *, input: str = "", blocks: str = "*") -> int:
    """Multiply-adds of one run, of all blocks or of those that match a pattern."""
    spec = networks.spec(network, input)
    graph, chosen = networks.graph(spec), set(chosen_blocks(spec, blocks))
    return sum(graph.macs_of(op) for op in graph.ops if op.block in chosen)
