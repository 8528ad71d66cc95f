"""Puts a search together from its configuration: names become spaces, tasks, controllers, engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from nas.options import call_with_options
from searchspaces.errors import InputError, unknown_name

if TYPE_CHECKING:
    from nas.config import SearchConfig
    from nas.constraints import Constraint
    from nas.controllers.base import Controller
    from nas.costing import CostSource
    from nas.detection_task import DetectionTask
    from nas.engines.base import Engine
    from nas.evaluators.base import Evaluator
    from nas.held_out import HeldOut
    from nas.problem import Problem
    from nas.run_folder import RunFolder
    from nas.search import Search
    from nas.stopping import ParetoHalving
    from nas.store import EventLog
    from nas.task import Task
    from searchspaces.space import SearchSpace

    AnyTask: TypeAlias = Task | DetectionTask

_EVALUATORS = ("train", "table", "surrogate")
# What looks up or predicts its metrics, whose names need not be those of targets of ours.
_OF_TABLES = ("table", "surrogate")
_ENGINES = ("serial", "ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a configuration names, made."""

    space: SearchSpace
    task: AnyTask | None
    costs: CostSource
    evaluator: Evaluator | None
    held_out: Mapping[str, HeldOut] = field(default_factory=dict)


def make_parts(config: SearchConfig, *, with_evaluator: bool = True) -> Parts:
    """Space, task, costs and evaluator; every name and option is checked here, before anything runs."""
    from nas.costing import NetworkCosts, check_gates
    from nas.evaluators.train import prepared

    task = None if config.task is None else make_task(config)
    space = make_space(config, task)
    prepare: Callable[[Any], Any] = (lambda spec: spec) if task is None else (lambda spec: prepared(spec, task))
    precision: Any = config.precision
    targets = _targets(config)
    costs: CostSource = NetworkCosts(space, targets, precision, prepare)
    evaluator: Evaluator | None = None
    name, options = _split(config.evaluator)
    if name not in _EVALUATORS:
        raise unknown_name("evaluator", name, _EVALUATORS)
    held_out: Mapping[str, HeldOut] = {}
    if name in _OF_TABLES:
        from nas.evaluators.table import TableCosts, TableEvaluator

        if name == "table":
            table = call_with_options("evaluator table", TableEvaluator, options, space)
        else:
            from nas.evaluators.surrogate import SurrogateEvaluator

            table = call_with_options("evaluator surrogate", SurrogateEvaluator, options, space)
            held_out = table.errors
        evaluator, costs = table, TableCosts(table, costs)
        # A table's own columns may bear the name of a target of ours.
        targets = {name: each for name, each in targets.items() if f"latency_ms@{name}" not in table.metrics}
    elif with_evaluator and task is not None:
        from nas.evaluators.train import TrainEvaluator

        evaluator = call_with_options("evaluator train", TrainEvaluator, options, space, task)
    if config.derived:
        from nas.derived import DerivedCosts

        costs = DerivedCosts(config.derived, costs)
    _check_metrics(config, costs, task, evaluator)
    check_gates(_plain_constraints(config), targets)
    make_stopping(config)
    parts = Parts(space=space, task=task, costs=costs, evaluator=evaluator, held_out=held_out)
    make_controller(config, make_problem(config, parts))
    return parts


def make_task(config: SearchConfig, *, with_test: bool = False) -> AnyTask:
    """The task of a configuration; without its test rows unless they are asked for."""
    from benchmarks.tasks import create

    if config.task is None:
        raise InputError("task: expected one, got none; write for example task: {name: digits}.")
    name, options = _split(config.task)
    if "input" in config.space and "input_shape" not in options:
        options["input_shape"] = tuple(config.space["input"])
    task: Any = create(name, **{"seed": config.seed, **options})
    return task if with_test else task.without_test()  # type: ignore[no-any-return]


def make_space(config: SearchConfig, task: AnyTask | None) -> SearchSpace:
    """The space, with the input and classes of the configuration or else of the task."""
    from searchspaces.catalog import SPACES, create_space

    name, options = _split(config.space)
    given = options.pop("input", None)
    input_shape = tuple(given) if given is not None else None
    classes = options.pop("classes", None)
    if classes is not None and (isinstance(classes, bool) or not isinstance(classes, int)):
        raise InputError(f"space.classes: expected a whole number, got {classes!r}; count the labels of the data.")
    if task is not None:
        if input_shape is not None and input_shape != tuple(task.input_shape):
            raise InputError(
                f"space.input: task {task.name} has input {tuple(task.input_shape)}, got {input_shape}; leave it out."
            )
        if classes is not None and classes != len(task.class_names):
            raise InputError(
                f"space.classes: task {task.name} has {len(task.class_names)} classes, got {classes}; leave it out."
            )
        input_shape, classes = tuple(task.input_shape), len(task.class_names)
    choices = {choice.name for choice in SPACES[name].choices} if name in SPACES else options
    for option in options:
        if option not in choices:
            raise unknown_name(f"option of space {name}", option, ["input", "classes", *choices])
    return create_space(name, input_shape, classes, **options)


def make_problem(config: SearchConfig, parts: Parts) -> Problem:
    """What the controller is asked."""
    from nas.problem import Problem

    return Problem(
        space=parts.space,
        objectives=config.objectives,
        constraints=config.constraints,
        costs=parts.costs,
        cost_metrics=cost_metrics(config, parts.evaluator),
    )


def make_controller(config: SearchConfig, problem: Problem) -> Controller:
    """A fresh controller."""
    from nas.controllers.catalog import create_controller

    name, options = _split(config.controller)
    return create_controller(name, problem, options)


def make_stopping(config: SearchConfig) -> ParetoHalving | None:
    """What ends trainings early, if anything."""
    if config.stopping is None:
        return None
    from nas.stopping import ParetoHalving

    name, options = _split(config.stopping)
    if name != "asha":
        raise unknown_name("stopping", name, ("asha",))
    if config.evaluator["name"] != "train":
        raise InputError("stopping: expected an evaluator that trains, got a table; a look-up has no epochs to save.")
    if config.engine.get("scheduler"):
        raise InputError("stopping: expected it or engine.scheduler, got both; drop one of them.")
    stopping: ParetoHalving = call_with_options("stopping asha", ParetoHalving, options, config.objectives)
    return stopping


def make_search(config: SearchConfig, folder: RunFolder, parts: Parts) -> Search:
    """The search in a run folder, brought to where its log ends."""
    return search_over(config, folder.store, parts)


def search_over(config: SearchConfig, store: EventLog, parts: Parts) -> Search:
    """The search that a log holds, brought to where the log ends."""
    from nas.proposing import Proposer
    from nas.search import Search

    problem = make_problem(config, parts)
    controller = make_controller(config, problem)
    return Search(
        store=store,
        controller=controller,
        proposer=Proposer(problem, controller, seed=config.seed),
        objectives=config.objectives,
        budget=config.budget,
        seed=config.seed,
        stopping=make_stopping(config),
    )


def make_engine(config: SearchConfig) -> Engine:
    """The engine with its options."""
    name, options = _split(config.engine)
    if name == "serial":
        from nas.engines.serial import SerialEngine

        engine: Engine = call_with_options("engine serial", SerialEngine, options)
        return engine
    if name == "ray":
        from nas.engines.ray_tune import RayEngine

        engine = call_with_options("engine ray", RayEngine, options)
        return engine
    raise unknown_name("engine", name, _ENGINES)


def cost_metrics(config: SearchConfig, evaluator: Evaluator | None) -> tuple[str, ...]:
    """What is found for every proposal: all metrics named but those an evaluation finds, and the size of what trains.

    Of an evaluator's own metrics (a table holds both kinds) those of a target, in a constraint or in a derived metric
    are costs.
    """
    from nas.costing import STATIC_METRICS

    parts = {metric for each in config.derived for metric in each.reference}
    results = set(() if evaluator is None else evaluator.metrics) - {each.metric for each in config.constraints} - parts
    named = [metric for metric in config.metrics if metric not in results or "@" in metric or metric in STATIC_METRICS]
    if evaluator is not None and not evaluator.cheap:
        named = ["params", "macs", *named]
    return tuple(dict.fromkeys(named))


def _check_metrics(config: SearchConfig, costs: CostSource, task: AnyTask | None, evaluator: Evaluator | None) -> None:
    from nas.costing import STATIC_METRICS
    from nas.metrics import TRAINED, trained_metrics

    found = trained_metrics(task) if task is not None and config.evaluator["name"] == "train" else ()
    for constraint in config.constraints:
        if constraint.metric in found:
            raise InputError(
                f"constraint {constraint}: {constraint.metric} is known only after training, so it cannot be checked "
                "before; make it an objective."
            )
    for each in config.derived:
        for metric in each.reference:
            if metric in found:
                raise InputError(
                    f"derived.{each.name}: {metric} is known only after training and is no cost; make it an objective."
                )
        if each.name in (*TRAINED, *STATIC_METRICS, *(() if evaluator is None else evaluator.metrics)):
            raise InputError(f"derived.{each.name}: a metric of that name exists already; choose another name.")
    for metric in config.metrics:
        if task is not None and found and metric in TRAINED and metric not in found:
            raise InputError(
                f"{metric}: training on task {task.name} finds {' and '.join(found)}; write for example maximize "
                f"{found[0]}."
            )
    costs.check_names([metric for metric in config.metrics if metric not in found])


def _plain_constraints(config: SearchConfig) -> list[Constraint]:
    """The constraints, those on derived metrics once for each cost they are made of."""
    from nas.derived import plain_metrics

    derived = {each.name: each for each in config.derived}
    return [
        replace(constraint, metric=metric)
        for constraint in config.constraints
        for metric in plain_metrics([constraint.metric], derived)
    ]


def _targets(config: SearchConfig) -> dict[str, Any]:
    from hardware_profiles.target import list_targets, load_target

    names = {metric.partition("@")[2] for metric in config.metrics if "@" in metric}
    if config.evaluator["name"] in _OF_TABLES:
        # A table's columns may be named after devices we know nothing of.
        names &= set(list_targets())
    return {name: load_target(name) for name in sorted(names)}


def _split(section: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    options = dict(section)
    return options.pop("name"), options
