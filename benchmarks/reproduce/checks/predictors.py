"""The neural predictor: how large it is."""

from __future__ import annotations

from benchmarks.reproduce.networks import Networks
from models.graph_predictor_config import GraphPredictorConfig, graph_width


def predictor_params(networks: Networks, width: str, *, features: str, layers: str, dense: str) -> int:
    """Weights and biases, with dense layers of widths such as 512-128 after the graph layers."""
    widths = tuple(int(each) for each in dense.split("-"))
    return GraphPredictorConfig(width=int(width), layers=int(layers), dense=widths).params(int(features))


def predictor_width(networks: Networks, examples: str) -> int:
    """The width of the graph layers for so many examples."""
    return graph_width(int(examples))
