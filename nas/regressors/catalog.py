"""Regressors by the name a configuration gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from nas.regressors.base import Regressor
from nas.regressors.gaussian_process import GaussianProcess
from nas.regressors.graph import GraphRegressor
from nas.regressors.trees import BoostedTrees
from searchspaces.errors import unknown_name


def _ensemble() -> Regressor:
    return BoostedTrees(members=8, trees=50)


def _graph_ensemble() -> Regressor:
    return GraphRegressor(members=5, width=48)


REGRESSORS: Final[Mapping[str, Callable[[], Regressor]]] = MappingProxyType(
    {
        "gaussian_process": GaussianProcess,
        "trees": BoostedTrees,
        "ensemble": _ensemble,
        "graph": GraphRegressor,
        "graph_ensemble": _graph_ensemble,
    }
)


def create_regressor(name: str) -> Regressor:
    """The regressor of that name."""
    if name not in REGRESSORS:
        raise unknown_name("regressor", name, REGRESSORS)
    return REGRESSORS[name]()
