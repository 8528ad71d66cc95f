"""Figures that add up over the layers of a network, for many architectures at once, and an accuracy made of such.

A layer here is the choices of one place (`layer_2_3`, `kernel_2_3`, `expansion_2_3`), or one that stands alone. Where
a figure is a sum over layers, it is read off once, one layer changed at a time, and then looked up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from nas.controllers.reinforce.policy import Floats
from searchspaces.space import Architecture, Indices, SearchSpace, Value

_PLACE: Final = re.compile(r"[a-z]+_(\d+_\d+)")


class Layers:
    """The layers of a space with free choices, and a number for what an architecture has in each of them."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        places: dict[str, list[int]] = {}
        for column, choice in enumerate(space.choices):
            if space.drawable[column].sum() > 1:
                match = _PLACE.fullmatch(choice.name)
                places.setdefault(match[1] if match else choice.name, []).append(column)
        self._columns = tuple(places.values())
        # Indices of a layer's choices as the digits of one number, blanks as zero.
        base = space.drawable.shape[1] + 1
        self.codes = base ** max(map(len, self._columns))
        # In floats, which are exact here and multiply fast.
        self._digits = np.zeros((len(space.choices), len(self._columns)))
        for layer, columns in enumerate(self._columns):
            self._digits[columns, layer] = base ** np.arange(len(columns))

    def __len__(self) -> int:
        return len(self._columns)

    def chosen(self, values: Mapping[str, Value | None], layer: int, kind: str) -> Value | None:
        """The value of a layer's kernel, expansion, …; None where it has no such choice."""
        names = (self.space.choices[column].name for column in self._columns[layer])
        return next((values[name] for name in names if kind in name.split("_")), None)

    def numbers(self, rows: Indices) -> Indices:
        """What rows ``[..., choices]`` have in every layer ``[..., layers]``, below `codes`."""
        return np.asarray((rows + 1.0) @ self._digits, dtype=np.int64)

    def total(self, table: Floats, rows: Indices) -> Floats:
        """The sum over layers of tables ``[..., layers, codes]`` for each row ``[..., choices]``."""
        return np.asarray(table[..., np.arange(len(self)), self.numbers(rows)].sum(axis=-1))

    def options(self) -> Iterator[tuple[int, int, Architecture]]:
        """Everything a layer can be, the others at their first values: the layer, its number, the architecture."""
        first = np.where(self.space.drawable.any(axis=1), self.space.drawable.argmax(axis=1), -1)
        for layer, columns in enumerate(self._columns):
            seen = set()
            for indices in product(*(np.flatnonzero(self.space.drawable[column]) for column in columns)):
                row = first.copy()
                row[columns] = indices
                row = self.space.canonical_indices(row[None])
                number = int(self.numbers(row)[0, layer])
                if number not in seen:
                    seen.add(number)
                    yield layer, number, self.space.from_indices(row)[0]

    def read(self, figures: Callable[[Architecture], Sequence[float]]) -> Floats:
        """Tables ``[figures, layers, codes]`` of figures that add up over layers; NaN for what no layer can be."""
        found = [(layer, number, np.array(figures(architecture))) for layer, number, architecture in self.options()]
        # The first option of every layer is the same architecture: its figures are put into the first layer.
        start = found[0][2]
        table = np.full((len(start), len(self), self.codes), np.nan)
        for layer, number, values in found:
            table[:, layer, number] = values - start * (layer > 0)
        return table


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticAccuracy:
    """A known function of the choices: what layers bring adds up and saturates. No network was trained for it.

    Layers differ in how much they bring, a larger kernel or expansion brings more than the smallest, and a skipped
    layer brings nothing: ``most − (most − least)·exp(−sum)``.

    gains: of everything a layer can be ``[layers, codes]``.
    noise: standard deviation of what an evaluation adds.
    """

    layers: Layers
    gains: Floats
    least: float = 0.60
    most: float = 0.78
    noise: float = 0.003

    @classmethod
    def drawn(
        cls, layers: Layers, *, kernels: Mapping[int, float], expansions: Mapping[int, float], share: float, seed: int
    ) -> SyntheticAccuracy:
        """With sensitivities of the layers from a log-normal distribution, whose median is `share`."""
        sensitivity = share * np.random.default_rng(seed).lognormal(sigma=0.5, size=len(layers))
        gains = np.full((len(layers), layers.codes), np.nan)
        for layer, number, architecture in layers.options():
            values = layers.space.values(architecture)
            kernel, expansion = layers.chosen(values, layer, "kernel"), layers.chosen(values, layer, "expansion")
            skipped = layers.chosen(values, layer, "layer") == "skip"
            factor = kernels.get(int(kernel or 0), 1.0) * expansions.get(int(expansion or 0), 1.0)
            gains[layer, number] = 0.0 if skipped else sensitivity[layer] * factor
        return cls(layers=layers, gains=gains)

    def exact(self, rows: Indices) -> Floats:
        """Without noise ``[...]``."""
        gain = self.layers.total(self.gains, rows)
        return np.asarray(self.most - (self.most - self.least) * np.exp(-gain))

    def evaluated(self, rows: Indices, rng: np.random.Generator) -> Floats:
        """As an evaluation finds it ``[...]``."""
        exact = self.exact(rows)
        return np.asarray(exact + rng.normal(scale=self.noise, size=exact.shape))
