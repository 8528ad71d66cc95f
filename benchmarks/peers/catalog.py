"""Peers by the name that `nas compare` gives them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from nas.comparing.course import Peer
from nas.comparing.entrant import Entrant
from nas.options import check_options
from searchspaces.errors import MissingError


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerModule:
    """Where a peer's loop is, and the package it needs."""

    module: str
    function: str
    package: str


PEERS: Final[Mapping[str, PeerModule]] = MappingProxyType(
    {
        "optuna-tpe": PeerModule(module="benchmarks.peers.optuna", function="tpe", package="optuna"),
        "optuna-nsga2": PeerModule(module="benchmarks.peers.optuna", function="nsga2", package="optuna"),
        "pymoo-nsga2": PeerModule(module="benchmarks.peers.pymoo", function="nsga2", package="pymoo"),
    }
)


def find_peer(entrant: Entrant) -> Peer:
    """The loop of a peer with its options.

    Raises:
        MissingError: its package is not installed.
        InputError: an option it does not have.
    """
    peer = PEERS[entrant.name]
    if importlib.util.find_spec(peer.package) is None:
        raise MissingError(
            f"{entrant.name}: expected the package {peer.package}, which is not installed; "
            "pip install 'paretonas[peers]', or leave it out of --controllers."
        )
    loop: Peer = getattr(importlib.import_module(peer.module), peer.function)
    check_options(entrant.name, loop, entrant.options)
    return partial(loop, **entrant.options)
