"""Controllers by the name a configuration gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nas.controllers.base import Controller
from nas.controllers.evolution import Evolution
from nas.controllers.random import RandomSearch
from nas.options import call_with_options
from nas.pareto import Objective
from searchspaces.errors import unknown_name
from searchspaces.space import SearchSpace

CONTROLLERS: dict[str, Callable[..., Controller]] = {"random": RandomSearch, "evolution": Evolution}


def create_controller(
    name: str, space: SearchSpace, objectives: Sequence[Objective], options: Mapping[str, Any]
) -> Controller:
    """The controller of that name with its options."""
    if name not in CONTROLLERS:
        raise unknown_name("controller", name, CONTROLLERS)
    controller: Controller = call_with_options(f"controller {name}", CONTROLLERS[name], options, space, objectives)
    return controller
