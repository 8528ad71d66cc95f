"""The conformance kit of search spaces: a new space is done when `check_space` passes.

Every check raises `AssertionError` in words that name the choice or architecture. Statistical bounds are five sigmas:
a right space fails one of them about once in three million checks, and the seed is fixed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import product
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError
from searchspaces.space import BLANK, Architecture, SearchSpace
from searchspaces.spec import NetworkSpec

SIGMAS = 5.0
_SMALL_SPACE = 20_000
_LEAST_EXPECTED = 5
_MOST_ASKED = 50


def check_space(
    space: SearchSpace,
    *,
    seed: int = 0,
    count: int = 4000,
    check_network: Callable[[NetworkSpec], None] | None = None,
) -> None:
    """Raise AssertionError where a space breaks what every search relies on.

    Args:
        space: with the input and classes that its networks need.
        seed: of everything that is drawn.
        count: architectures drawn for the statistics of sampling; the costlier checks take a few of them.
        check_network: a further check of the networks, such as that they lower to ops and survive a round trip
            through a file; it raises AssertionError itself.
    """
    rng = np.random.default_rng(seed)
    sample = space.sample(rng, count)
    _Checks(space, sample, rng).run()
    few = _unique([*sample[:20], *space.neighbours(sample[0])])
    _check_networks(space, few)
    _check_references(space)
    if check_network is not None:
        for architecture in few[:4]:
            check_network(space.network(architecture))


class _Checks:
    """What holds for choices and architectures alone."""

    def __init__(self, space: SearchSpace, sample: Sequence[Architecture], rng: np.random.Generator) -> None:
        self.space, self.sample, self.rng = space, sample, rng
        self.position = {choice.name: column for column, choice in enumerate(space.choices)}
        self.sizes = [len(choice.values) for choice in space.choices]
        self.rows = np.array([each.indices for each in sample], dtype=np.int64)
        # An instance may take a choice out of play, as a given input does with a resolution.
        self.absent = frozenset(np.flatnonzero((self.rows == BLANK).all(axis=0)).tolist())
        self.folded = space.folds
        self.pinned = {self.position[name] for name in space.pins}
        self.few = _unique(sample)[:100]

    def run(self) -> None:
        _require(len(self.position) == len(self.sizes), f"space {self.space.name}: two choices share a name")
        self.sampling()
        self.ids()
        self.size()
        self.mutation()
        self.crossover()
        self.neighbours()
        self.one_hot()

    def sampling(self) -> None:
        """Members of the space, the same ones for the same seed, every choice uniform where it is active."""
        for architecture in _unique(self.sample):
            self.require_member(architecture, "sampling")
        again = [self.space.sample(np.random.default_rng(7), 20) for _ in range(2)]
        _require(again[0] == again[1], "sampling: one seed gave two different samples")
        for column, choice in enumerate(self.space.choices):
            active = self.rows[:, column][self.rows[:, column] != BLANK]
            if column in self.pinned or self.sizes[column] == 1 or not len(active) or self.folded:
                continue
            _require(
                len(active) >= _LEAST_EXPECTED * self.sizes[column],
                f"sampling: choice {choice.name} was active only {len(active)} times; raise count",
            )
            counts = np.bincount(active, minlength=self.sizes[column])
            sigmas = _uniformity_sigmas(counts)
            _require(
                sigmas < SIGMAS,
                f"sampling: choice {choice.name} is not uniform over {list(choice.values)}: drawn {counts.tolist()} "
                f"times, {sigmas:.1f} sigmas off",
            )
        if self.folded:
            self.sampling_of_folded()

    def sampling_of_folded(self) -> None:
        """Where equal networks share an id, each is drawn as often as it has labellings."""
        every = list(self.space.enumerate())
        weights = np.array([len(self.space.labellings(each)) for each in every], dtype=np.int64)
        place = {architecture: number for number, architecture in enumerate(every)}
        counts = np.bincount([place[each] for each in self.sample], minlength=len(every))
        common = weights * len(self.sample) >= _LEAST_EXPECTED * weights.sum()
        # The rare ones are counted as one.
        pooled = np.append(counts[common], counts[~common].sum())
        expected = np.append(weights[common], weights[~common].sum()) * len(self.sample) / weights.sum()
        sigmas = _sigmas(pooled[expected > 0], expected[expected > 0])
        _require(sigmas < SIGMAS, f"sampling: networks are not drawn by their labellings, {sigmas:.1f} sigmas off")

    def ids(self) -> None:
        """An id reads back as its architecture, also with noise in the choices that do not reach the network."""
        for architecture in self.few:
            _require(
                self.space.parse(architecture.id) == architecture, f"id {architecture.id} reads back as another one"
            )
            noisy = [
                int(self.rng.integers(size)) if index == BLANK else index
                for index, size in zip(architecture.indices, self.sizes, strict=True)
            ]
            text = f"{self.space.name}:" + "-".join(map(str, noisy))
            found = self.space.parse(text)
            _require(
                found == architecture,
                f"id {text} differs from {architecture.id} only where no choice is active, yet reads as {found.id}",
            )
            for twin in self.space.labellings(architecture):
                found = self.space.parse(twin.id)
                _require(found == architecture, f"id {twin.id} labels {architecture.id}, yet reads as {found.id}")
            values = {name: value for name, value in self.space.values(architecture).items() if value is not None}
            _require(
                self.space.architecture(**values) == architecture,
                f"architecture {architecture.id}: its values {values} make another one",
            )

    def size(self) -> None:
        """`size` counts what `enumerate` yields, where that is small; sampling stays inside."""
        size = self.space.size
        _require(
            size >= len(set(self.sample)), f"size: {size}, but sampling drew {len(set(self.sample))} distinct ones"
        )
        if size > _SMALL_SPACE:
            return
        every = list(self.space.enumerate())
        _require(len(set(every)) == len(every), "enumerate: yields an architecture twice")
        _require(size == len(every), f"size: {size}, but enumerate yields {len(every)} architectures")
        outside = set(self.sample) - set(every)
        _require(not outside, f"enumerate: leaves out {sorted(each.id for each in outside)[:1]}, which sampling draws")

    def mutation(self) -> None:
        """One free choice changes and what hangs on it opens or closes; every free choice gets its turn."""
        for architecture in self.few:
            child = self.space.mutate(architecture, self.rng)
            self.require_member(child, f"mutation of {architecture.id}")
            if self.movable(architecture):
                self.require_one_move(architecture, child, "mutation")
            else:
                _require(
                    child == architecture, f"mutation: {architecture.id} has no free choice, yet became {child.id}"
                )
        self.spread_of_mutation(max(self.few, key=lambda each: (each.indices.count(BLANK), each.indices)))

    def spread_of_mutation(self, start: Architecture) -> None:
        """Every free choice is picked as often as the others, and what opens is drawn evenly."""
        movable = self.movable(start)
        children = [self.space.mutate(start, self.rng) for _ in range(100 * len(movable))]
        if len(movable) > 1 and not self.folded:
            roots = [self.moved(start, child)[0] for child in children]
            counts = np.array([roots.count(column) for column in movable])
            sigmas = _uniformity_sigmas(counts)
            names = [self.space.choices[column].name for column in movable]
            _require(
                sigmas < SIGMAS,
                f"mutation: choices {names} of {start.id} are not picked evenly: {counts.tolist()}, "
                f"{sigmas:.1f} sigmas off",
            )

        for column in (column for column, index in enumerate(start.indices) if index == BLANK):
            opened = np.array([child.indices[column] for child in children if child.indices[column] != BLANK], np.int64)
            counts = np.bincount(opened, minlength=self.sizes[column])
            if column in self.pinned or self.sizes[column] == 1 or len(opened) < _LEAST_EXPECTED * self.sizes[column]:
                continue
            sigmas = _uniformity_sigmas(counts)
            _require(
                sigmas < SIGMAS,
                f"mutation: choice {self.space.choices[column].name}, opened from {start.id}, is not drawn evenly: "
                f"{counts.tolist()}, {sigmas:.1f} sigmas off",
            )

    def crossover(self) -> None:
        """Every choice of the child is a parent's; of one parent with itself comes that parent."""
        for first, second in zip(self.few, reversed(self.few), strict=True):
            child = self.space.crossover(first, second, self.rng)
            self.require_member(child, f"crossover of {first.id} and {second.id}")
            if self.folded:
                mixed = any(
                    all(index in pair for index, *pair in zip(each.indices, first.indices, second.indices, strict=True))
                    for each in self.space.labellings(child)
                )
                _require(mixed, f"crossover: no labelling of {child.id} is a mix of {first.id} and {second.id}")
                continue
            for column, index in enumerate(child.indices):
                _require(
                    index == BLANK or index in (first.indices[column], second.indices[column]),
                    f"crossover: choice {self.space.choices[column].name} of {child.id} comes from neither parent "
                    f"({first.id}, {second.id})",
                )
        for first in self.few:
            alone = self.space.crossover(first, first, self.rng)
            _require(alone == first, f"crossover: {first.id} with itself became {alone.id}")
        if not self.folded:
            self.spread_of_crossover(self.few[0], self.few[-1])

    def spread_of_crossover(self, first: Architecture, second: Architecture) -> None:
        """Where the parents differ, either one's value comes as often as the other's."""
        children = [self.space.crossover(first, second, self.rng) for _ in range(200)]
        for column in self.moved(first, second):
            values = [child.indices[column] for child in children if child.indices[column] != BLANK]
            counts = np.array([values.count(parent.indices[column]) for parent in (first, second)])
            sigmas = _uniformity_sigmas(counts) if values else 0.0
            _require(
                sigmas < SIGMAS,
                f"crossover: choice {self.space.choices[column].name} of {first.id} and {second.id} is not taken "
                f"evenly from both: {counts.tolist()}, {sigmas:.1f} sigmas off",
            )

    def neighbours(self) -> None:
        """All single moves, each once; and back again where a move opens or closes no other choice."""
        for architecture in self.few[:5]:
            found = self.space.neighbours(architecture)
            expected = self.count_neighbours(architecture)
            _require(
                len(found) == len(set(found)) == expected,
                f"neighbours of {architecture.id}: expected {expected} distinct ones, got {len(found)}, of which "
                f"{len(set(found))} distinct",
            )
            for number, near in enumerate(found):
                self.require_member(near, f"neighbours of {architecture.id}")
                self.require_one_move(architecture, near, "neighbours")
                # Of many neighbours some are asked for theirs: all would be their square.
                asked = number % (len(found) // _MOST_ASKED + 1) == 0
                if asked and _blanks(near) == _blanks(architecture):
                    _require(
                        architecture in self.space.neighbours(near),
                        f"neighbours: {near.id} is one of {architecture.id}, but not the other way round",
                    )

    def one_hot(self) -> None:
        """One column for each value; as many ones in a row as choices are active."""
        features = self.space.one_hot(self.few)
        width = sum(len(choice.every_value) for choice in self.space.choices)
        _require(
            features.shape == (len(self.few), width),
            f"one_hot: expected shape {(len(self.few), width)}, got {features.shape}",
        )
        for architecture, row in zip(self.few, features, strict=True):
            active = sum(index != BLANK for index in architecture.indices)
            _require(
                bool(np.isin(row, (0, 1)).all()) and row.sum() == active,
                f"one_hot: expected {active} ones for {architecture.id}, got {row.sum():g}",
            )
        _require(len(np.unique(features, axis=0)) == len(self.few), "one_hot: two architectures share their features")

    # -- what the checks share ---------------------------------------------------------------------------------

    def is_active(self, column: int, indices: Sequence[int]) -> bool:
        """Whether a choice reaches the network, from its declaration alone."""
        choice = self.space.choices[column]
        if column in self.absent:
            return False
        if choice.parent is None:
            return True
        parent = self.position[choice.parent]
        return indices[parent] != BLANK and self.space.choices[parent].every_value[indices[parent]] in choice.when

    def require_member(self, architecture: Architecture, what: str) -> None:
        """Every index in range, blank exactly where the choice is not active, pins held."""
        fault = self.fault(architecture)
        if fault is not None:
            raise AssertionError(f"{what}: {fault}")

    def fault(self, architecture: Architecture) -> str | None:
        """What makes an architecture no member of the space, in words; None where it is one."""
        pins = self.space.pins if self.pinned else {}
        for column, (choice, index) in enumerate(zip(self.space.choices, architecture.indices, strict=True)):
            if not self.is_active(column, architecture.indices):
                if index != BLANK:
                    return f"choice {choice.name} of {architecture.id} does not reach the network, but is not blank"
            elif not 0 <= index < (len(choice.every_value) if column in self.pinned else self.sizes[column]):
                return f"choice {choice.name} of {architecture.id} is active, but has index {index}"
            elif column in self.pinned and choice.every_value[index] != pins[choice.name]:
                return (
                    f"choice {choice.name} of {architecture.id} is pinned to {pins[choice.name]}, "
                    f"but became {choice.every_value[index]}"
                )
        return None

    def movable(self, architecture: Architecture) -> list[int]:
        """Columns that a move may change."""
        return [
            column
            for column, index in enumerate(architecture.indices)
            if index != BLANK and column not in self.pinned and self.sizes[column] > 1
        ]

    def count_neighbours(self, architecture: Architecture) -> int:
        """How many architectures are one move away; of folded ones those one move from any labelling."""
        if not self.folded:
            return sum(self.sizes[column] - 1 for column in self.movable(architecture))
        near = {
            self.space.parse(
                Architecture(self.space.name, (*each.indices[:column], index, *each.indices[column + 1 :])).id
            )
            for each in self.space.labellings(architecture)
            for column in self.movable(architecture)
            for index in range(self.sizes[column])
        }
        return len(near - {architecture})

    def moved(self, before: Architecture, after: Architecture) -> list[int]:
        """Columns active in both whose value differs."""
        pairs = enumerate(zip(before.indices, after.indices, strict=True))
        return [column for column, (old, new) in pairs if old != new and BLANK not in (old, new)]

    def require_one_move(self, before: Architecture, after: Architecture, what: str) -> None:
        if self.folded:
            twins = product(self.space.labellings(before), self.space.labellings(after))
            near = any(len(self.moved(left, right)) == 1 for left, right in twins)
            _require(near, f"{what}: no labelling of {after.id} is one choice away from one of {before.id}")
            return
        moved = self.moved(before, after)
        names = [self.space.choices[column].name for column in moved]
        _require(len(moved) == 1, f"{what}: {before.id} to {after.id} changes {names}, expected one choice")
        for column, (old, new) in enumerate(zip(before.indices, after.indices, strict=True)):
            _require(
                old == new or column == moved[0] or moved[0] in self.ancestors(column),
                f"{what}: {before.id} to {after.id} also changes {self.space.choices[column].name}, "
                f"which does not hang on {names[0]}",
            )

    def ancestors(self, column: int) -> list[int]:
        """The choices a choice hangs on, nearest first."""
        found = []
        parent = self.space.choices[column].parent
        while parent is not None:
            found.append(self.position[parent])
            parent = self.space.choices[found[-1]].parent
        return found


def _check_networks(space: SearchSpace, architectures: Sequence[Architecture]) -> None:
    """Networks build, survive JSON, and differ where their ids do."""
    seen: dict[str, Architecture] = {}
    for architecture in architectures:
        spec = _network(space, architecture)
        _require(spec.params >= spec.trainable_params > 0, f"network of {architecture.id}: has nothing to train")
        data = json.loads(json.dumps(spec.to_dict()))
        _require(
            NetworkSpec.from_dict(data) == spec, f"network of {architecture.id}: comes back from JSON as another one"
        )
        # The name is the id, so it takes no part.
        other = seen.setdefault(json.dumps({**data, "name": ""}), architecture)
        alike = space.network_key(other) == space.network_key(architecture)
        _require(alike, f"ids {other.id} and {architecture.id} stand for the same network")


def _check_references(space: SearchSpace) -> None:
    """Published networks are points of the space, and build for the input and classes they were published for."""
    for name, reference in space.references.items():
        published = type(space)(reference.input_shape, reference.classes)
        try:
            architecture = published.reference(name)
        except InputError as error:
            raise AssertionError(f"reference {name}: is no point of the space ({error})") from error
        _require(published.parse(architecture.id) == architecture, f"reference {name}: its id reads as another one")
        spec = _network(published, architecture)
        _require(
            spec.input_shape == reference.input_shape,
            f"reference {name}: expected input {reference.input_shape}, its network takes {spec.input_shape}",
        )


def _network(space: SearchSpace, architecture: Architecture) -> NetworkSpec:
    try:
        spec = space.network(architecture)
        spec.output_shapes  # noqa: B018 (expands the blocks)
    except InputError as error:
        raise AssertionError(f"network of {architecture.id}: does not build ({error})") from error
    return spec


def _uniformity_sigmas(counts: NDArray[np.int64]) -> float:
    """How far counts lie from even ones."""
    return _sigmas(counts, np.full(len(counts), counts.sum() / len(counts)))


def _sigmas(counts: NDArray[np.int64], expected: NDArray[np.float64]) -> float:
    """How far counts lie from those expected: chi-square as a normal deviate (Wilson and Hilferty 1931)."""
    freedom = len(counts) - 1
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    spread = 2 / (9 * freedom)
    return float(((chi_square / freedom) ** (1 / 3) - (1 - spread)) / sqrt(spread))


def _blanks(architecture: Architecture) -> tuple[bool, ...]:
    return tuple(index == BLANK for index in architecture.indices)


def _unique(architectures: Sequence[Architecture]) -> list[Architecture]:
    return list(dict.fromkeys(architectures))


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise AssertionError(text)
