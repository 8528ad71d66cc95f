"""Controllers by the name a configuration gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nas.adapters.searcher_controller import RaySearcher
from nas.controllers.base import Controller
from nas.controllers.ehvi import EHVI
from nas.controllers.evolution import Evolution
from nas.controllers.local import LocalSearch
from nas.controllers.nsga2 import NSGA2
from nas.controllers.optuna import OptunaSampler
from nas.controllers.predictor import Predictor
from nas.controllers.random import RandomSearch
from nas.controllers.reinforce import Reinforce
from nas.options import call_with_options
from nas.problem import Problem
from searchspaces.errors import unknown_name

CONTROLLERS: dict[str, Callable[..., Controller]] = {
    "random": RandomSearch,
    "evolution": Evolution,
    "optuna": OptunaSampler,
    "ray-searcher": RaySearcher,
    "local": LocalSearch,
    "nsga2": NSGA2,
    "reinforce": Reinforce,
    "predictor": Predictor,
    "ehvi": EHVI,
}


def create_controller(name: str, problem: Problem, options: Mapping[str, Any]) -> Controller:
    """The controller of that name with its options, for a problem."""
    if name not in CONTROLLERS:
        raise unknown_name("controller", name, CONTROLLERS)
    controller: Controller = call_with_options(f"controller {name}", CONTROLLERS[name], options, problem)
    return controller
