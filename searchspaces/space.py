"""Search spaces: choices, the architectures they span, and how to move among them.

An architecture is a tuple of choice indices. A choice may hang on another one (`parent`, `when`): where it does not
reach the network its index is blank, so that one network has one id.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from searchspaces.errors import InputError, unknown_name
from searchspaces.layers import Shape
from searchspaces.spec import NetworkSpec

Value: TypeAlias = int | float | str
Indices: TypeAlias = NDArray[np.int64]

BLANK = -1
_BLANK_TEXT = "x"
_INDEX_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One decision: a name and its values; with a parent it exists only for the parent's values in `when`.

    `unsearched` values are never drawn, but may be pinned and stand in ids: published networks hold numbers that
    their paper's space does not offer. They are numbered after the others.
    """

    name: str
    values: tuple[Value, ...]
    unsearched: tuple[Value, ...] = ()
    parent: str | None = None
    when: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        if not self.values or len(set(self.every_value)) != len(self.every_value):
            raise InputError(f"choice {self.name}: expected distinct values, got {self.every_value}; drop the repeats.")
        if (self.parent is None) != (not self.when):
            raise InputError(f"choice {self.name}: expected parent and when together, got one; give both or none.")

    @property
    def every_value(self) -> tuple[Value, ...]:
        """The searched values, then the others: what indices count."""
        return self.values + self.unsearched

    def value(self, index: int) -> Value:
        """The value that `index` stands for."""
        return self.values[index] if index < len(self.values) else self.unsearched[index - len(self.values)]

    def index(self, value: object) -> int:
        """The position of `value`; an `InputError` lists the values where it is none of them."""
        for position, known in enumerate(self.every_value):
            if known == value or str(known) == str(value):
                return position
        known_values = list(self.every_value)
        raise InputError(f"choice {self.name}: expected one of {known_values}, got {value!r}; pick one of them.")


@dataclass(frozen=True, slots=True)
class Architecture:
    """A point of a named space; `str` gives its id, such as ``bignas:2-0-x-1``."""

    space: str
    indices: tuple[int, ...]

    @property
    def id(self) -> str:
        """The printable, parseable name."""
        return self.space + ":" + "-".join([_BLANK_TEXT if index < 0 else str(index) for index in self.indices])

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A published network as a point of its space, with the input and classes it was published for."""

    values: Mapping[str, Value]
    input_shape: Shape
    classes: int
    frames_per_second: float | None = None


class SearchSpace(ABC):
    """Base of all spaces. A space names its choices and says which network an architecture stands for.

    Args:
        input_shape: shape of one example; None leaves it to the space (its resolution choice or published default).
        classes: number of outputs; None takes the published number.
        pins: choices held at one value, by name; sampling and moves leave them alone.
    """

    name: ClassVar[str]
    choices: ClassVar[tuple[Choice, ...]]
    references: ClassVar[Mapping[str, Reference]]
    # How the literature writes an architecture, where it does; `parse` takes that, too.
    native_example: ClassVar[str | None] = None
    # Whether rows of indices that build one network are folded into one id, beyond what blanks do (see `labellings`).
    folds: ClassVar[bool] = False

    def __init__(self, input_shape: Shape | None = None, classes: int | None = None, **pins: Value) -> None:
        if classes is not None and classes < 1:
            raise InputError(f"classes: expected a number above 0, got {classes}; count the labels of the data.")
        if input_shape is not None and (not input_shape or any(side < 1 for side in input_shape)):
            raise InputError(f"input: expected positive sides, got {input_shape}; write for example 32x32x3.")
        self.input_shape, self.classes = input_shape, classes
        position = {choice.name: index for index, choice in enumerate(self.choices)}
        self._pins: dict[int, int] = {}
        for name, value in pins.items():
            if name not in position:
                raise unknown_name(f"option of space {self.name}", name, position)
            self._pins[position[name]] = self.choices[position[name]].index(value)

    @property
    def pins(self) -> dict[str, Value]:
        """The choices held at one value, and that value."""
        pinned = ((self.choices[column], index) for column, index in self._pins.items())
        return {choice.name: choice.value(index) for choice, index in pinned}

    @abstractmethod
    def network(self, architecture: Architecture) -> NetworkSpec:
        """The network an architecture stands for."""

    # -- reading and writing architectures ---------------------------------------------------------------

    def architecture(self, **values: Value) -> Architecture:
        """The canonical architecture with these values; pinned and unreachable choices may be left out."""
        names = {choice.name for choice in self.choices}
        for name in values:
            if name not in names:
                raise unknown_name(f"choice of space {self.name}", name, names)
        row = np.full((1, len(self.choices)), BLANK, dtype=np.int64)
        for column, choice in enumerate(self.choices):
            if choice.name in values:
                row[0, column] = choice.index(values[choice.name])
            elif column in self._pins:
                row[0, column] = self._pins[column]
        return self._checked(tuple(self._canonical(row)[0].tolist()), "values")

    def decide(self, pick: Callable[[Choice], Value]) -> Architecture:
        """An architecture made choice by choice: `pick` gives the value of each free one that is open."""
        indices: list[int] = []
        for column, choice in enumerate(self.choices):
            if not self._is_active(column, indices):
                indices.append(BLANK)
            else:
                indices.append(self._pins[column] if column in self._pins else choice.index(pick(choice)))
        return self.from_indices(self._canonical(np.array([indices], dtype=np.int64)))[0]

    def values(self, architecture: Architecture) -> dict[str, Value | None]:
        """The chosen value of every choice, None where it does not reach the network."""
        self._check_space(architecture)
        return {
            choice.name: None if index < 0 else choice.value(index)
            for choice, index in zip(self.choices, architecture.indices, strict=True)
        }

    def parse(self, text: str) -> Architecture:
        """The canonical architecture of an id such as ``bignas:2-0-x-1``, or of the space's native string."""
        space, _, body = text.partition(":")
        if space != self.name or not body:
            native = self._native_indices(text)
            if native is not None:
                return Architecture(self.name, tuple(self._canonical(np.array([native]))[0].tolist()))
            known = f"{self.name}:…" if self.native_example is None else f"{self.name}:… or {self.native_example}"
            raise InputError(f"architecture id: expected {known}, got {text!r}; see `nas sample {self.name}`.")
        parts = body.split("-")
        if len(parts) != len(self.choices):
            raise InputError(
                f"architecture id {text!r}: expected {len(self.choices)} indices for space {self.name}, "
                f"got {len(parts)}; see `nas sample {self.name}`."
            )
        row = np.array([[self._parse_index(text, *pair) for pair in zip(self.choices, parts, strict=True)]])
        return self._checked(tuple(self._canonical(row)[0].tolist()), text)

    def reference(self, name: str) -> Architecture:
        """The architecture of a published network."""
        if name not in self.references:
            raise unknown_name(f"reference network of {self.name}", name, self.references)
        return self.architecture(**self.references[name].values)

    def labellings(self, architecture: Architecture) -> list[Architecture]:
        """All index rows that stand for an architecture; more than itself only where the space folds equal networks."""
        return [architecture]

    def network_key(self, architecture: Architecture) -> Hashable:
        """The same for architectures that stand for one network; most spaces have no two of them."""
        return architecture

    # -- counting and drawing ------------------------------------------------------------------------------

    @cached_property
    def size(self) -> int:
        """How many distinct architectures sampling can reach."""

        def count(column: int) -> int:
            total = 0
            for index in self._reachable(column):
                branch = 1
                for child in self._children[column]:
                    if index in self._when[child]:
                        branch *= count(child)
                total += branch
            return total

        size = 1
        for column, choice in enumerate(self.choices):
            if choice.parent is None and not self._is_blanked(column):
                size *= count(column)
        return size

    @property
    def index_count(self) -> int:
        """The number that papers give as a size: all combinations of values, those that reach no network too."""
        columns = (column for column in range(len(self.choices)) if not self._is_blanked(column))
        return prod(len(self._reachable(column)) for column in columns)

    def sample(self, rng: np.random.Generator, count: int) -> list[Architecture]:
        """`count` independent architectures, every choice uniform over its values where it exists."""
        return self.from_indices(self.sample_indices(rng, count))

    def sample_indices(self, rng: np.random.Generator, count: int) -> Indices:
        """The same as an array ``[count, choices]``, blanks as -1."""
        rows = rng.integers(0, self._sizes, size=(count, len(self.choices)), dtype=np.int64)
        for column, index in self._pins.items():
            rows[:, column] = index
        return self._canonical(rows)

    def canonical_indices(self, rows: Indices) -> Indices:
        """Drawn rows ``[..., choices]`` as their architectures have them: blank what does not reach the network."""
        flat = np.array(rows, dtype=np.int64).reshape(-1, len(self.choices))
        return self._canonical(flat).reshape(np.shape(rows))

    @cached_property
    def drawable(self) -> NDArray[np.bool_]:
        """Which values sampling can give every choice where it exists, pins kept: ``[choices, most values]``."""
        mask = np.zeros((len(self.choices), max(len(choice.every_value) for choice in self.choices)), dtype=np.bool_)
        for column in range(len(self.choices)):
            if not self._is_blanked(column):
                mask[column, list(self._reachable(column))] = True
        return mask

    def from_indices(self, rows: Indices) -> list[Architecture]:
        """Architectures of canonical rows."""
        return [Architecture(self.name, tuple(row)) for row in rows.tolist()]

    def enumerate(self) -> Iterator[Architecture]:
        """Every architecture once, in the order of its indices."""

        def extend(prefix: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            column = len(prefix)
            if column == len(self.choices):
                yield prefix
            elif not self._is_active(column, prefix):
                yield from extend((*prefix, BLANK))
            else:
                for index in self._reachable(column):
                    yield from extend((*prefix, index))

        for indices in extend(()):
            yield Architecture(self.name, indices)

    # -- moves -------------------------------------------------------------------------------------------------

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One free choice, picked uniformly, changed to another value; choices it opens are drawn afresh."""
        free = self._movable(architecture)
        if not free:
            return architecture
        column = free[int(rng.integers(len(free)))]
        indices, size = list(architecture.indices), self._counts[column]
        if indices[column] < size:
            indices[column] = (indices[column] + int(rng.integers(1, size))) % size
        else:
            indices[column] = int(rng.integers(size))
        # Where nothing hangs on the choice, nothing opens or closes.
        return self._completed(indices, rng) if self._children[column] else Architecture(self.name, tuple(indices))

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        """Every choice from one parent or the other with equal odds."""
        self._check_space(first)
        self._check_space(second)
        pick = rng.random(len(self.choices)) < 0.5
        indices = []
        for left, right, from_left in zip(first.indices, second.indices, pick, strict=True):
            chosen, other = (left, right) if from_left else (right, left)
            indices.append(chosen if chosen >= 0 else other)
        return self._completed(indices, rng)

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        """All architectures one changed choice away; choices such a change opens take their first value."""
        found = []
        for column in self._movable(architecture):
            for index in range(self._counts[column]):
                if index != architecture.indices[column]:
                    indices = list(architecture.indices)
                    indices[column] = index
                    opens = bool(self._children[column])
                    found.append(self._completed(indices, None) if opens else Architecture(self.name, tuple(indices)))
        return found

    def one_hot(self, architectures: Sequence[Architecture]) -> NDArray[np.float32]:
        """Features ``[count, sum of values]``, unsearched values too; a blank choice is all zeros."""
        rows = np.array([architecture.indices for architecture in architectures], dtype=np.int64)
        rows = rows.reshape(len(architectures), len(self.choices))
        sizes = [len(choice.every_value) for choice in self.choices]
        columns = [rows[:, [column]] == np.arange(size) for column, size in enumerate(sizes)]
        return np.concatenate(columns, axis=1).astype(np.float32)

    def representatives(self, architectures: Sequence[Architecture]) -> list[Architecture]:
        """For each the one that stands for its network: itself, unless the space holds equal networks apart."""
        return list(architectures)

    # -- what the methods above share ------------------------------------------------------------------------------

    @cached_property
    def _sizes(self) -> Indices:
        return np.array([len(choice.values) for choice in self.choices], dtype=np.int64)

    @cached_property
    def _counts(self) -> tuple[int, ...]:
        return tuple(len(choice.values) for choice in self.choices)

    @cached_property
    def _parents(self) -> tuple[int | None, ...]:
        position = {choice.name: index for index, choice in enumerate(self.choices)}
        parents = tuple(None if choice.parent is None else position[choice.parent] for choice in self.choices)
        for column, parent in enumerate(parents):
            if parent is not None and parent >= column:
                raise InputError(f"choice {self.choices[column].name}: expected its parent before it; reorder them.")
        return parents

    @cached_property
    def _children(self) -> tuple[tuple[int, ...], ...]:
        every = range(len(self.choices))
        return tuple(tuple(child for child in every if self._parents[child] == column) for column in every)

    @cached_property
    def _when(self) -> tuple[frozenset[int], ...]:
        return tuple(
            frozenset() if parent is None else frozenset(self.choices[parent].index(value) for value in choice.when)
            for choice, parent in zip(self.choices, self._parents, strict=True)
        )

    @cached_property
    def _closed_by(self) -> tuple[NDArray[np.bool_], ...]:
        """For every choice, whether it is closed by its parent's index; the last entry stands for a blank parent."""
        tables = []
        for column, parent in enumerate(self._parents):
            table = np.full(1 if parent is None else len(self.choices[parent].every_value) + 1, parent is not None)
            table[list(self._when[column])] = False
            tables.append(table)
        return tuple(tables)

    def _native_indices(self, text: str) -> tuple[int, ...] | None:
        """The indices that a native string names, None where it is not written as one; spaces override it."""
        return None

    def _is_blanked(self, column: int) -> bool:
        """Whether this instance takes a choice out of play; spaces override it (a given input fixes a resolution)."""
        return False

    def _is_active(self, column: int, indices: Sequence[int]) -> bool:
        parent = self._parents[column]
        return not self._is_blanked(column) and (parent is None or indices[parent] in self._when[column])

    def _reachable(self, column: int) -> Sequence[int]:
        return (self._pins[column],) if column in self._pins else range(self._counts[column])

    def _movable(self, architecture: Architecture) -> list[int]:
        self._check_space(architecture)
        pins, counts = self._pins, self._counts
        return [
            column
            for column, index in enumerate(architecture.indices)
            if index >= 0 and column not in pins and (counts[column] > 1 or index >= counts[column])
        ]

    def _canonical(self, rows: Indices) -> Indices:
        """Blank, in place, what does not reach the network; parents come before their children."""
        for column, parent in enumerate(self._parents):
            if self._is_blanked(column):
                rows[:, column] = BLANK
            elif parent is not None:
                rows[self._closed_by[column][rows[:, parent]], column] = BLANK
        return rows

    def _completed(self, indices: list[int], rng: np.random.Generator | None) -> Architecture:
        """Blank what is closed, fill what is open: drawn from `rng`, or the first value."""
        for column in range(len(indices)):
            if not self._is_active(column, indices):
                indices[column] = BLANK
            elif indices[column] < 0:
                if column in self._pins or rng is None:
                    indices[column] = self._reachable(column)[0]
                else:
                    indices[column] = int(rng.integers(self._counts[column]))
        return Architecture(self.name, tuple(indices))

    def _checked(self, indices: tuple[int, ...], given: Any) -> Architecture:
        for column, (choice, index) in enumerate(zip(self.choices, indices, strict=True)):
            if index < 0 and self._is_active(column, indices):
                raise InputError(
                    f"architecture {given!r}: expected a value for {choice.name}, got none; "
                    f"pick one of {list(choice.every_value)}."
                )
        return Architecture(self.name, indices)

    def _parse_index(self, text: str, choice: Choice, part: str) -> int:
        if part == _BLANK_TEXT:
            return BLANK
        # Longer numbers are out of range anyway, and Python refuses to read very long ones.
        count = len(choice.every_value)
        if not part.isascii() or not part.isdigit() or len(part) > _INDEX_DIGITS or int(part) >= count:
            raise InputError(
                f"architecture id {text!r}: expected {_BLANK_TEXT} or 0 to {count - 1} for "
                f"{choice.name}, got {part[:20]!r}; see `nas sample {self.name}`."
            )
        return int(part)

    def _check_space(self, architecture: Architecture) -> None:
        if architecture.space != self.name or len(architecture.indices) != len(self.choices):
            raise InputError(
                f"architecture {architecture.id!r}: expected one of space {self.name} with {len(self.choices)} "
                f"choices; it belongs to another space."
            )
