"""pymoo (0.6) on our spaces: NSGA-II over mixed variables, constraints by feasibility first."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import RankAndCrowdingSurvival
from pymoo.config import Config
from pymoo.core.evaluator import Evaluator
from pymoo.core.mixed import MixedVariableGA
from pymoo.core.problem import Problem
from pymoo.core.variable import Choice as ChoiceVariable
from pymoo.core.variable import Integer
from pymoo.problems.static import StaticProblem

from nas.adapters.optuna_space import is_ordered, ordered_values
from nas.comparing.course import Course
from searchspaces.space import Choice, SearchSpace, Value

# A result that is missing: as bad as can be, and infeasible besides.
_WORST = 1e12


def nsga2(course: Course, seed: int, *, population: int = 50) -> None:
    """NSGA-II: rank and crowding survival; every choice a variable, those that reach no network too.

    Numbers are integers over their order, anything else categories. Its own duplicate elimination is on.

    Args:
        course: what is evaluated.
        seed: of everything it draws.
        population: of a generation.
    """
    Config.warnings["not_compiled"] = False
    space, objectives = course.problem.space, course.problem.objectives
    signs = np.array([-1.0 if objective.direction == "maximize" else 1.0 for objective in objectives])
    problem = Problem(vars=_variables(space), n_obj=len(objectives), n_ieq_constr=len(course.problem.constraints) + 1)
    algorithm = MixedVariableGA(pop_size=population, survival=RankAndCrowdingSurvival())
    algorithm.setup(problem, seed=seed, verbose=False, termination=("n_gen", 10**9))
    while True:
        individuals = algorithm.ask()
        answers = [course.evaluate(space.decide(_picker(individual.X))) for individual in individuals]
        values = np.array(
            [np.full(len(signs), _WORST) if each.values is None else signs * each.values for each in answers]
        )
        limits = np.array([each.violations for each in answers])
        Evaluator().eval(StaticProblem(problem, F=values, G=limits), individuals)
        algorithm.tell(infills=individuals)


def _variables(space: SearchSpace) -> dict[str, Any]:
    free = [choice for choice in space.choices if choice.name not in space.pins]
    return {
        choice.name: Integer(bounds=(0, len(choice.values) - 1))
        if is_ordered(choice)
        else ChoiceVariable(options=list(range(len(choice.values))))
        for choice in free
    }


def _picker(variables: Any) -> Any:
    def pick(choice: Choice) -> Value:
        return ordered_values(choice)[int(variables[choice.name])]

    return pick
