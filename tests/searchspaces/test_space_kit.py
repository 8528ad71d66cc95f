"""The kit over every space, over a made-up nested one, and over broken ones that it must catch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest

from hardware_profiles.lower import lower
from hardware_profiles.op_graph import difference
from hardware_profiles.read_tflite import read_tflite
from hardware_profiles.write_tflite import write_tflite
from searchspaces.blocks import DenseBlock
from searchspaces.catalog import SPACES, create_space
from searchspaces.space import Architecture, Choice, Reference, SearchSpace
from searchspaces.spec import NetworkSpec
from searchspaces.testing import check_space


def check_lowering(spec: NetworkSpec) -> None:
    """Networks lower to ops in both precisions, and written to a file they read back the same."""
    for precision in ("float32", "int8"):
        graph = lower(spec, precision=precision)
        found = difference(graph, read_tflite(write_tflite(graph)))
        if found is not None:
            raise AssertionError(f"{spec.name} in {precision}: {found}")


@pytest.mark.parametrize(
    ("name", "input_shape", "classes", "pins"),
    [
        ("accel-nasbench", None, None, {}),
        ("accel-nasbench", (33, 31, 1), 2, {"block0_se": True, "block5_l": 4}),
        ("bignas", None, None, {}),
        ("bignas", (32, 32, 3), 10, {}),
        ("bignas", (8, 8, 1), 2, {}),
        ("bignas", (33, 31, 1), 1, {"stem": 32, "depth_5": 3}),
        ("bignas", (224, 160, 3), 100, {"width": 0.5}),
        ("bignas", None, 7, {"resolution": 224, "kernel_3": 5}),
        ("mobiledet-ibn", None, None, {}),
        ("mobiledet-ibn", (33, 50, 1), 2, {"head": "none", "se_ratio": 0.0, "layer_3_2": "skip"}),
        ("mobiledet-fused", (64, 64, 3), 20, {}),
        ("mobiledet-tdb", (64, 64, 3), 3, {}),
        ("mobilenet-v3", (32, 32, 3), 10, {}),
        ("mobilenet-v3", (33, 31, 1), 1, {"width_4": 112, "separable": "skip"}),
        ("movinet", (5, 33, 40, 3), 7, {}),
        ("movinet", (4, 16, 16, 1), 3, {"form": "stream", "positional": "sinusoidal", "depth_5": 2}),
        ("multi-hardware", (40, 24, 3), 10, {}),
        ("multi-hardware", (8, 8, 1), 2, {"layer_2_3": "skip", "features_norm": "batch_norm"}),
        ("nasbench201", None, None, {}),
        ("nasbench201", (16, 20, 1), 2, {"edge_0_1": "nor_conv_3x3", "edge_2_3": "skip_connect"}),
        ("nasbench201-cells", (9, 8, 3), 100, {}),
        ("nasbench201-cells", None, None, {"edge_0_1": "none"}),
        ("nasbench-macro", None, None, {}),
        ("nasbench-macro", (9, 8, 1), 3, {"layer_3": "identity"}),
        ("proxylessnas", (32, 32, 3), 10, {}),
        ("proxylessnas", (96, 64, 3), 10, {"width": 0.5, "layer_4_2": "bottleneck"}),
        ("proxylessnas-enlarged", (32, 32, 3), 10, {}),
        ("proxylessnas-enlarged", (9, 9, 3), 5, {"activation": "relu6", "head": 512}),
        ("tabnas", (54,), 7, {}),
        ("tabnas", (1,), 1, {}),
        ("tabnas", (13,), 3, {"layers": 2}),
        ("tabnas", (13,), 3, {"layers": 3}),
        ("tabnas", (300,), 1000, {"layers": 4, "width_2": 512}),
    ],
)
def test_every_space_passes_the_kit(name, input_shape, classes, pins):
    check_space(create_space(name, input_shape, classes, **pins), check_network=check_lowering)


def test_every_space_of_the_catalogue_is_in_the_table_above():
    table = next(mark for mark in test_every_space_passes_the_kit.pytestmark if mark.name == "parametrize").args[1]
    assert {row[0] for row in table} == set(SPACES)


class Nested(SearchSpace):
    """Three levels: `deeper` hangs on `deep`, which hangs on `top`; two choices hang on one value."""

    name: ClassVar[str] = "nested"
    choices: ClassVar[tuple[Choice, ...]] = (
        Choice(name="top", values=("none", "one", "both")),
        Choice(name="deep", values=(1, 2, 3), parent="top", when=("one", "both")),
        Choice(name="side", values=(4, 5), parent="top", when=("both",)),
        Choice(name="deeper", values=(10, 20, 30, 40), parent="deep", when=(2, 3)),
        Choice(name="free", values=(0, 1)),
        Choice(name="single", values=("only",)),
    )
    references: ClassVar[dict[str, Reference]] = {
        "nested-small": Reference(values={"top": "none", "free": 0, "single": "only"}, input_shape=(3,), classes=2),
        "nested-large": Reference(
            values={"top": "both", "deep": 3, "side": 5, "deeper": 40, "free": 1, "single": "only"},
            input_shape=(3,),
            classes=2,
        ),
    }

    def network(self, architecture: Architecture) -> NetworkSpec:
        """One dense layer a choice, its units telling the value."""
        blocks = [
            DenseBlock(name=f"layer_{column}", units=index + 1, activation="relu")
            for column, index in enumerate(architecture.indices)
            if index >= 0
        ]
        blocks.append(DenseBlock(name="classifier", units=self.classes or 2))
        return NetworkSpec(name=architecture.id, input_shape=self.input_shape or (3,), blocks=tuple(blocks))


@pytest.mark.parametrize(
    ("pins", "size"),
    [
        # top none: 1; one: deep 1, or 2 and 3 with four deeper ones: 9; both: the same times two sides.
        ({}, 2 * (1 + 9 + 18)),
        ({"top": "none"}, 2),
        ({"top": "both", "deeper": 20}, 2 * 2 * 3),
        ({"top": "both", "deep": 3, "side": 4, "deeper": 10, "free": 1}, 1),
    ],
)
def test_a_nested_space_passes_the_kit(pins, size):
    space = Nested((3,), 2, **pins)
    assert space.size == size
    check_space(space, check_network=check_lowering)


def test_the_kit_names_the_network_check_that_fails():
    def refuse(spec: NetworkSpec) -> None:
        raise AssertionError(f"{spec.name} refused")

    with pytest.raises(AssertionError, match=r"nested:.* refused"):
        check_space(Nested((3,), 2), check_network=refuse)


class Skewed(Nested):
    """Sampling favours the first value of `free`: 60 to 40."""

    def sample_indices(self, rng: np.random.Generator, count: int) -> np.ndarray:
        rows = super().sample_indices(rng, count)
        rows[rng.random(count) < 0.2, 4] = 0
        return rows


class Unblanked(Nested):
    """An inactive choice keeps its index in samples."""

    def _canonical(self, rows: np.ndarray) -> np.ndarray:
        side = rows[:, 2].copy()
        super()._canonical(rows)[:, 2] = side
        return rows


class Unseeded(Nested):
    """Sampling ignores the generator."""

    def sample(self, rng: np.random.Generator, count: int) -> list[Architecture]:
        return super().sample(np.random.default_rng(), count)


class NoisyIds(Nested):
    """Noise in an inactive choice reaches the architecture: one network with two ids."""

    def parse(self, text: str) -> Architecture:
        found = super().parse(text)
        parts = text.partition(":")[2].split("-")
        return Architecture(self.name, tuple(-1 if part == "x" else int(part) for part in parts) or found.indices)


class Miscounted(Nested):
    """`size` ignores conditions."""

    @property
    def size(self) -> int:
        return 3 * 3 * 2 * 4 * 2


class Forgetful(Nested):
    """`enumerate` stops short of the last value."""

    def enumerate(self):
        return (each for each in super().enumerate() if each.indices[4] == 0)


class Jumpy(Nested):
    """Mutation changes two choices at times."""

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        return super().mutate(super().mutate(architecture, rng), rng)


class Lazy(Nested):
    """Mutation prefers the first free choice."""

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        first, second = (super(Lazy, self).mutate(architecture, rng) for _ in range(2))
        return first if first.indices[0] != architecture.indices[0] else second


class Unpinned(Nested):
    """Mutation moves pinned choices."""

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        return Nested(self.input_shape, self.classes).mutate(architecture, rng)


class Inventive(Nested):
    """Crossover makes up a value that no parent has."""

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        return self.mutate(super().crossover(first, second, rng), rng)


class Partial(Nested):
    """Crossover gives back the first parent."""

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        return first


class Timid(Nested):
    """What a mutation opens takes its first value."""

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        child = super().mutate(architecture, rng)
        pairs = zip(architecture.indices, child.indices, strict=True)
        return Architecture(self.name, tuple(min(new, 0) if old < 0 else new for old, new in pairs))


class Repetitive(Nested):
    """A neighbour comes twice."""

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        found = super().neighbours(architecture)
        return [*found, *found[:1]]


class OneWay(Nested):
    """Neighbours go up only, each as often as the full list."""

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        found = super().neighbours(architecture)
        return [each for each in found if each.indices[4] >= architecture.indices[4]]


class Hot(Nested):
    """A blank choice is written as its first value."""

    def one_hot(self, architectures: Sequence[Architecture]) -> np.ndarray:
        filled = [Architecture(self.name, tuple(max(0, index) for index in each.indices)) for each in architectures]
        return super().one_hot(filled)


class Ambiguous(Nested):
    """Two values of `free` build the same network."""

    def network(self, architecture: Architecture) -> NetworkSpec:
        indices = [0 if column == 4 else index for column, index in enumerate(architecture.indices)]
        return super().network(Architecture(architecture.space, tuple(indices)))


class Unbuildable(Nested):
    """A block that does not fit."""

    def network(self, architecture: Architecture) -> NetworkSpec:
        spec = super().network(architecture)
        return NetworkSpec(name=spec.name, input_shape=(4, 4, 1), blocks=spec.blocks)


class Elsewhere(Nested):
    """A reference that the choices do not hold."""

    references: ClassVar[dict[str, Reference]] = {
        "nested-lost": Reference(values={"top": "two", "free": 0}, input_shape=(3,), classes=2)
    }


class Untold(Nested):
    """A reference that leaves a choice out."""

    references: ClassVar[dict[str, Reference]] = {
        "nested-short": Reference(values={"top": "one", "free": 0, "single": "only"}, input_shape=(3,), classes=2)
    }


@pytest.mark.parametrize(
    ("space", "pins", "message"),
    [
        (Skewed, {}, r"choice free is not uniform .* sigmas off"),
        (Unblanked, {}, "choice side of .* does not reach the network, but is not blank"),
        (Unseeded, {}, "one seed gave two different samples"),
        (NoisyIds, {}, "only where no choice is active"),
        (Miscounted, {}, "size: 144, but enumerate yields 56"),
        (Forgetful, {}, "size: 56, but enumerate yields 28"),
        (Jumpy, {}, "mutation: .* changes .*, expected one choice"),
        (Lazy, {}, "are not picked evenly"),
        (Unpinned, {"free": 1}, "choice free of .* is pinned to 1, but became 0"),
        (Inventive, {}, "crossover: .* (comes from neither parent|with itself became)"),
        (Partial, {}, "crossover: choice .* is not taken evenly from both"),
        (Timid, {}, "mutation: (choice deep|.* opened from .* is not drawn evenly)"),
        (Repetitive, {}, "neighbours of .*: expected .* distinct ones"),
        (OneWay, {}, "neighbours: .* but not the other way round|expected .* distinct ones"),
        (Hot, {}, "one_hot: expected .* ones for"),
        (Ambiguous, {}, "stand for the same network"),
        (Unbuildable, {}, "does not build .*expected a vector"),
        (Elsewhere, {}, "reference nested-lost: is no point of the space"),
        (Untold, {}, "reference nested-short: is no point of the space .*expected a value for deep"),
    ],
)
def test_the_kit_catches_a_broken_space(space, pins, message):
    with pytest.raises(AssertionError, match=message):
        check_space(space((3,), 2, **pins))


def test_the_kit_asks_for_more_draws_where_a_choice_is_rarely_active():
    with pytest.raises(AssertionError, match=r"choice deeper was active only .*; raise count"):
        check_space(Nested((3,), 2), count=25)


def test_a_space_without_the_input_it_needs_is_told_so():
    with pytest.raises(AssertionError, match=r"does not build .*input and classes of space tabnas"):
        check_space(create_space("tabnas"))
