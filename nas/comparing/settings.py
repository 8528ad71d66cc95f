"""How a comparison is made: who takes part, over how many seeds, and by which columns it is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.comparing.entrant import Entrant, read_entrants
from nas.pareto import Objective
from searchspaces.errors import InputError, unknown_name

REPEATS = 20
_KEYS = ("controllers", "repeats", "judge", "target")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A checked comparison.

    Attributes:
        entrants: who takes part, random search among them.
        repeats: seeds of each.
        judge: the metric that judges each objective; by default the objective itself.
        target: regret to reach, or with several objectives the share of the hypervolume; None takes the default.
    """

    entrants: tuple[Entrant, ...]
    repeats: int
    judge: Mapping[str, str]
    target: float | None

    def judged_by(self, objectives: Sequence[Objective]) -> tuple[str, ...]:
        """The judging metric of every objective, in order."""
        return tuple(self.judge.get(objective.metric, objective.metric) for objective in objectives)


def read_settings(
    section: Mapping[str, Any],
    objectives: Sequence[Objective],
    known: Sequence[str],
    *,
    controllers: str | None = None,
    repeats: int | None = None,
    judge: Sequence[str] = (),
    target: float | None = None,
) -> Settings:
    """The section `compare` of a search file, and what a command line says over it.

    Args:
        section: `controllers` (label to name or mapping), `repeats`, `judge` (objective to column), `target`.
        objectives: of the search.
        known: names of controllers and peers.
        controllers: labels, names, or names with options, separated by commas.
        repeats: seeds of each.
        judge: ``OBJECTIVE=COLUMN`` texts.
        target: regret, or share of the hypervolume.

    Raises:
        InputError: an unknown key, name or objective, or a value of another kind.
    """
    for key in section:
        if key not in _KEYS:
            raise unknown_name("key of compare", key, _KEYS)
    described = section.get("controllers") or {}
    if isinstance(described, list):
        described = {text: text for text in described if isinstance(text, str) and ":" not in text}
        controllers = controllers or ",".join(map(str, section["controllers"]))
    if not isinstance(described, Mapping):
        raise InputError(
            f"compare.controllers: expected a list of names or a mapping of labels, got {described!r}; "
            "write for example {evolution-16: {name: evolution, population: 16}}."
        )
    count = _whole("repeats", section.get("repeats", REPEATS) if repeats is None else repeats)
    judges = {str(key): str(value) for key, value in dict(section.get("judge") or {}).items()} | _pairs(judge)
    for metric in judges:
        if metric not in [objective.metric for objective in objectives]:
            raise unknown_name("compare.judge: objective", metric, [objective.metric for objective in objectives])
    aim = section.get("target") if target is None else target
    if aim is not None and (isinstance(aim, bool) or not isinstance(aim, int | float) or not aim >= 0):
        raise InputError(
            f"compare.target: expected a regret from 0, or a share of the hypervolume, got {aim!r}; write 0.01."
        )
    entrants = read_entrants(controllers.split(",") if controllers else (), described, known)
    return Settings(entrants=entrants, repeats=count, judge=judges, target=None if aim is None else float(aim))


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(
            f"compare.{name}: expected a whole number above 0, got {value!r}; write for example {REPEATS}."
        )
    return value


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        metric, equals, column = text.partition("=")
        if not equals or not metric or not column:
            raise InputError(
                f"--judge: expected OBJECTIVE=COLUMN, got {text!r}; write for example accuracy=test_accuracy."
            )
        pairs[metric] = column
    return pairs
