"""A search as a file: read, checked, completed and written back as `search.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from nas.constraints import Constraint
from nas.derived import DerivedMetric, plain_metrics
from nas.pareto import Objective
from searchspaces.errors import InputError, unknown_name

_SECTIONS = ("space", "task", "evaluator", "controller", "stopping", "budget", "engine")
_KEYS = (*_SECTIONS, "derived", "objectives", "constraints", "precision", "seed", "compare")
_PATH_KEYS = (("task", "path"), ("task", "images"), ("evaluator", "path"))
# What may change when a run is continued: how long and where, not what.
_CHANGEABLE = ("budget", "engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a search ends. `trials` counts trained ones: infeasible architectures cost nothing.

    wall_clock_s: for one call of search or resume.
    trial_s: for one trial, which fails when it takes longer.
    attempts: infeasible architectures in a row after which the search gives up.
    """

    trials: int = 64
    wall_clock_s: float | None = None
    trial_s: float | None = None
    attempts: int = 2000

    def __post_init__(self) -> None:
        for name in ("trials", "wall_clock_s", "trial_s", "attempts"):
            value = getattr(self, name)
            whole = name in ("trials", "attempts")
            if value is None and not whole:
                continue
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not value > 0:
                kind = "a whole number" if whole else "a number"
                raise InputError(f"budget.{name}: expected {kind} above 0, got {value!r}; write for example 64.")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """A checked configuration; sections keep their own options as plain data.

    `compare` says how controllers are compared on this search. It is no part of any one search, and of no `to_dict`.
    """

    space: Mapping[str, Any]
    task: Mapping[str, Any] | None
    evaluator: Mapping[str, Any]
    controller: Mapping[str, Any]
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    derived: tuple[DerivedMetric, ...] = ()
    stopping: Mapping[str, Any] | None = None
    budget: Budget = field(default_factory=Budget)
    engine: Mapping[str, Any] = field(default_factory=lambda: {"name": "serial"})
    precision: str = "float32"
    seed: int = 0
    compare: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `parse_config` reads back."""
        budget = {name: getattr(self.budget, name) for name in Budget.__dataclass_fields__}
        data: dict[str, Any] = {
            "space": dict(self.space),
            "task": None if self.task is None else dict(self.task),
            "evaluator": dict(self.evaluator),
            "controller": dict(self.controller),
            "stopping": None if self.stopping is None else dict(self.stopping),
            "objectives": [str(objective) for objective in self.objectives],
            "constraints": [str(constraint) for constraint in self.constraints],
            "derived": {each.name: each.to_dict() for each in self.derived} or None,
            "budget": {name: value for name, value in budget.items() if value is not None},
            "engine": dict(self.engine),
            "precision": self.precision,
            "seed": self.seed,
        }
        return {name: value for name, value in data.items() if value is not None}

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that an objective or a constraint names, and what derived ones are made of, each once."""
        named = [*(item.metric for item in self.constraints), *(item.metric for item in self.objectives)]
        return tuple(dict.fromkeys([*named, *plain_metrics(named, {each.name: each for each in self.derived})]))


def load_config(path: Path, overrides: Sequence[str] = ()) -> SearchConfig:
    """Read a YAML file and `key=value` overrides such as ``budget.trials=200``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a readable YAML file ({error}); check the path.") from error
    data = _parse_yaml(text, str(path))
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected a mapping with space, task, …, got {_short(data)}; see README.")
    for override in overrides:
        _apply(data, override)
    return parse_config(data, folder=path.resolve().parent)


def parse_config(data: Any, *, folder: Path | None = None) -> SearchConfig:
    """Check plain data and fill in what was left out; relative paths are looked up in `folder`, then here."""
    if not isinstance(data, dict):
        raise InputError(f"configuration: expected a mapping with space, task, …, got {_short(data)}; see README.")
    for key in data:
        if key not in _KEYS:
            raise unknown_name("configuration key", key, _KEYS)
    sections = {name: _section(name, data.get(name)) for name in _SECTIONS}
    space = sections["space"]
    if space is None:
        raise InputError("space: expected a search space, got none; write for example space: {name: bignas}.")
    if "input" in space:
        space["input"] = _input_shape(space["input"])
    for section, key in _PATH_KEYS:
        options = sections[section]
        if options is not None and key in options:
            options[key] = str(_located(options[key], folder, f"{section}.{key}"))
    evaluator = sections["evaluator"] or {"name": "train"}
    if isinstance(joined := evaluator.get("join"), list):
        evaluator["join"] = [_with_path(table, folder, number) for number, table in enumerate(joined, start=1)]
    if evaluator["name"] == "train" and sections["task"] is None:
        raise InputError("task: expected one to train on, got none; write for example task: {name: digits}.")
    budget = sections["budget"] or {}
    for key in budget:
        if key not in Budget.__dataclass_fields__:
            raise unknown_name("budget key", key, Budget.__dataclass_fields__)
    config = SearchConfig(
        space=space,
        task=sections["task"],
        evaluator=evaluator,
        controller=sections["controller"] or {"name": "random"},
        objectives=tuple(map(Objective.parse, _list("objectives", data.get("objectives", ["maximize accuracy"])))),
        constraints=tuple(map(Constraint.parse, _list("constraints", data.get("constraints") or []))),
        derived=_derived(data.get("derived") or {}),
        stopping=sections["stopping"],
        budget=Budget(**budget),
        engine=sections["engine"] or {"name": "serial"},
        precision=data.get("precision", "float32"),
        seed=data.get("seed", 0),
        compare=_plain_mapping("compare", data.get("compare")),
    )
    _check_rest(config)
    return config


def override(config: SearchConfig, overrides: Sequence[str]) -> SearchConfig:
    """The configuration with `key=value` changes."""
    data = config.to_dict()
    for text in overrides:
        _apply(data, text)
    return parse_config(data)


def continued(known: SearchConfig, given: SearchConfig) -> SearchConfig:
    """`given`, if it is the same search as `known` up to budget and engine; an `InputError` lists what differs."""
    same = replace(known, **{name: getattr(given, name) for name in _CHANGEABLE})
    different = list(differences(same.to_dict(), given.to_dict()))
    if different:
        raise InputError(
            f"run folder: it holds another search ({'; '.join(different)}); give another --out folder, or the "
            "configuration it was started with."
        )
    return given


def differences(known: Mapping[str, Any], given: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The keys in which two configurations differ, with both values, as a person reads them."""
    for key in dict.fromkeys([*known, *given]):
        old, new = known.get(key), given.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}: {old!r} there, {new!r} here"


class _Loader(yaml.SafeLoader):
    """YAML as people write numbers: 3e5 is one, too."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _parse_yaml(text: str, name: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # Beside its own errors the reader lets through those of dates that do not exist and of endless nesting.
        raise InputError(f"{name}: not YAML: {' '.join(str(error).split())}; mend that line.") from error


def _apply(data: dict[str, Any], text: str) -> None:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InputError(f"--set: expected key=value, got {text!r}; write for example --set budget.trials=100.")
    *path, last = key.strip().split(".")
    for name in path:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            raise InputError(f"--set: {key.strip()}: {name} holds a value, not a section; name the key itself.")
    data[last] = _parse_yaml(value, f"--set {key.strip()}")


def _section(name: str, value: Any) -> dict[str, Any] | None:
    """A section as a mapping; a bare word stands for its name."""
    if value is None:
        return None
    if isinstance(value, str) and name != "budget":
        value = {"name": value}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        example = "trials: 64" if name == "budget" else "name: …"
        raise InputError(f"{name}: expected a mapping such as {{{example}}}, got {value!r}; write its options as keys.")
    if name != "budget" and not isinstance(value.get("name"), str):
        raise InputError(f"{name}: expected a name, got {value.get('name')!r}; write {name}: {{name: …}}.")
    return dict(value)


def _plain_mapping(name: str, value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise InputError(f"{name}: expected a mapping, got {_short(value)}; write its options as keys.")
    return dict(value or {})


def _derived(value: Any) -> tuple[DerivedMetric, ...]:
    if not isinstance(value, dict):
        raise InputError(
            f"derived: expected a mapping such as {{slowest: {{case: worst, …}}}}, got {_short(value)}; see README."
        )
    return tuple(DerivedMetric.parse(name, options) for name, options in value.items())


def _short(value: Any) -> str:
    """What came, cut where someone gave a whole file of something else."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _list(name: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise InputError(f"{name}: expected a list of texts, got {value!r}; write one a line, each after a dash.")
    return value


def _input_shape(value: Any) -> list[int]:
    sides = value if isinstance(value, list) else [value]
    if not sides or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        raise InputError(
            f"space.input: expected sizes such as [32, 32, 3], [8, 64, 64, 3] for clips, or 54, got {value!r}; mend it."
        )
    return sides


def _located(value: Any, folder: Path | None, name: str) -> Path:
    if not isinstance(value, str):
        raise InputError(f"{name}: expected a path, got {value!r}; write it as text.")
    path = Path(value).expanduser()
    if not path.is_absolute():
        beside = (folder / path) if folder is not None else path
        path = beside if beside.exists() else path
    if not path.exists():
        raise InputError(f"{name}: no such file or folder: {value}; check the path.")
    return path.resolve()


def _with_path(table: Any, folder: Path | None, number: int) -> Any:
    """A joined table with its path found; what is no table is refused by the evaluator."""
    if not isinstance(table, dict) or "path" not in table:
        return table
    return {**table, "path": str(_located(table["path"], folder, f"evaluator.join {number}: path"))}


def _check_rest(config: SearchConfig) -> None:
    if not config.objectives:
        raise InputError("objectives: expected one or more, got none; write for example - maximize accuracy.")
    metrics = [objective.metric for objective in config.objectives]
    if len(set(metrics)) != len(metrics):
        raise InputError(f"objectives: expected distinct metrics, got {metrics}; drop the repeats.")
    if config.precision not in ("float32", "int8"):
        raise unknown_name("precision", config.precision, ("float32", "int8"))
    if isinstance(config.seed, bool) or not isinstance(config.seed, int) or config.seed < 0:
        raise InputError(f"seed: expected a whole number from 0, got {config.seed!r}; write for example seed: 1.")
