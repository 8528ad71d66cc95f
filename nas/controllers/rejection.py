"""Rejection before a trial is spent: what keeps the limits that are cheap to check, and was never looked at."""

from __future__ import annotations

from collections.abc import Callable, Container

import numpy as np

from nas.problem import Problem
from searchspaces.space import Architecture

# Draws beyond those asked for, before a controller settles for what it has: all in all, and of known ones alone.
_SPARE = 512
_REPEATS = 32


def accepted(
    problem: Problem,
    count: int,
    draw: Callable[[int], list[Architecture]],
    known: Container[Architecture],
) -> list[Architecture]:
    """`count` architectures from `draw`: distinct, feasible and not `known`, as far as a bounded number of draws goes.

    What is missing then is filled up with draws that were turned down; the proposer sorts those out.

    Args:
        problem: says what is feasible; a limit that takes a measurement turns nothing down here.
        count: how many are wanted.
        draw: gives as many as it is asked for.
        known: what was looked at before.
    """
    good: dict[Architecture, None] = {}
    spare: list[Architecture] = []
    asked, most, repeats = count, count + _SPARE, count + _REPEATS
    while len(good) < count and most > 0 and repeats > 0:
        drawn = draw(min(asked, most))
        most -= len(drawn)
        new = [each for each in dict.fromkeys(drawn) if each not in known and each not in good]
        repeats -= len(drawn) - len(new)
        asked = min(2 * asked, repeats)
        kept = problem.feasible(new)
        good.update(dict.fromkeys(each for each, keeps in zip(new, kept, strict=True) if keeps))
        spare = [each for each in drawn if each not in good] or spare
    filled = list(good)[:count]
    while len(filled) < count:
        filled += spare[: count - len(filled)] or draw(count - len(filled))
    return filled


def draw_feasible(
    problem: Problem, count: int, rng: np.random.Generator, known: Container[Architecture]
) -> list[Architecture]:
    """`count` uniform draws under rejection."""
    return accepted(problem, count, lambda number: problem.space.sample(rng, number), known)
