"""Choices, architectures and moves: what the kit does not say, and what bad input is told."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchspaces.blocks import DenseBlock
from searchspaces.catalog import create_space
from searchspaces.errors import InputError
from searchspaces.space import Architecture, Choice, Reference, SearchSpace
from searchspaces.spec import NetworkSpec
from searchspaces.testing import check_space

BIGNAS = create_space("bignas", (32, 32, 3), 10)
TABNAS = create_space("tabnas", (13,), 3)
SPACES = st.sampled_from(
    [
        BIGNAS,
        TABNAS,
        create_space("bignas"),
        create_space("tabnas", (13,), 3, layers=3),
        create_space("mobilenet-v3", (32, 32, 3), 10),
    ]
)
SEEDS = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS)
def test_ids_read_back(space, seed):
    (architecture,) = space.sample(np.random.default_rng(seed), 1)
    assert space.parse(str(architecture)) == architecture
    assert hash(space.parse(architecture.id)) == hash(architecture)


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS)
def test_values_make_the_same_architecture(space, seed):
    (architecture,) = space.sample(np.random.default_rng(seed), 1)
    values = {name: value for name, value in space.values(architecture).items() if value is not None}
    assert space.architecture(**values) == architecture
    assert space.architecture(**{name: str(value) for name, value in values.items()}) == architecture


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS, steps=st.integers(1, 12))
def test_a_walk_of_moves_stays_in_the_space(space, seed, steps):
    rng = np.random.default_rng(seed)
    first, second = space.sample(rng, 2)
    for _ in range(steps):
        first, second = space.mutate(first, rng), space.crossover(first, second, rng)
    for architecture in (first, second):
        assert space.parse(architecture.id) == architecture
        for name, value in space.pins.items():
            assert space.values(architecture)[name] in (value, None)


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS, count=st.integers(0, 8))
def test_draws_depend_on_the_generator_alone(space, seed, count):
    first, second = (space.sample(np.random.default_rng(seed), count) for _ in range(2))
    assert first == second
    assert len(first) == count


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_is_an_id_or_refused(text):
    for space in (BIGNAS, TABNAS):
        for id_ in (text, f"{space.name}:{text}", f"{space.name}:" + "-".join(text)):
            try:
                assert space.parse(id_).space == space.name
            except InputError as error:
                assert str(error).startswith("architecture")


def test_samples_differ_between_seeds_and_come_as_rows_too():
    rows = TABNAS.sample_indices(np.random.default_rng(0), 50)
    assert rows.shape == (50, 5)
    assert TABNAS.from_indices(rows) == TABNAS.sample(np.random.default_rng(0), 50)
    assert TABNAS.sample(np.random.default_rng(1), 50) != TABNAS.sample(np.random.default_rng(0), 50)


def test_enumeration_is_in_order_and_complete():
    space = create_space("tabnas", (3,), 2, layers=3, width_1=8)
    every = list(space.enumerate())
    assert len(every) == space.size == 400
    assert [each.indices for each in every] == sorted(each.indices for each in every)


def test_one_hot_columns_are_the_values_in_order():
    space = create_space("tabnas", (3,), 2)
    architecture = space.architecture(layers=2, width_1=16, width_2=8)
    row = space.one_hot([architecture])[0]
    assert np.flatnonzero(row).tolist() == [0, 3 + 1, 3 + 20 + 0]
    assert space.one_hot([]).shape == (0, 83)


def test_neighbours_that_open_choices_take_the_first_value():
    space = create_space("tabnas", (3,), 2)
    start = space.architecture(layers=2, width_1=16, width_2=8)
    opened = [near for near in space.neighbours(start) if near.indices[0] != 0]
    assert [near.indices for near in opened] == [(1, 1, 0, 0, -1), (2, 1, 0, 0, 0)]
    assert len(space.neighbours(start)) == 2 + 19 + 19


def test_neighbours_that_open_pinned_choices_take_the_pin():
    space = create_space("tabnas", (3,), 2, width_3=512)
    start = space.architecture(layers=2, width_1=16, width_2=8)
    assert {near.indices[3] for near in space.neighbours(start) if near.indices[0] != 0} == {19}


def test_a_space_with_every_choice_pinned_has_one_architecture_and_no_moves():
    space = create_space("tabnas", (3,), 2, layers=2, width_1=8, width_2=16)
    (only,) = set(space.sample(np.random.default_rng(0), 20))
    assert space.size == 1
    assert list(space.enumerate()) == [only]
    assert space.mutate(only, np.random.default_rng(0)) == only
    assert space.neighbours(only) == []


def test_pins_may_be_written_as_text():
    assert create_space("tabnas", (3,), 2, layers="3").pins == {"layers": 3}


def test_numbers_that_are_equal_are_one_value():
    assert create_space("bignas", (32, 32, 3), 10, width=1).pins["width"] == 1.0


def test_a_child_before_its_parent_is_refused():
    class Backwards(SearchSpace):
        name = "backwards"
        choices = (Choice(name="late", values=(1, 2), parent="early", when=(1,)), Choice(name="early", values=(1, 2)))
        references = {}  # noqa: RUF012 (as spaces write it)

        def network(self, architecture: Architecture) -> NetworkSpec:
            raise AssertionError("not reached")

    with pytest.raises(InputError, match="choice late: expected its parent before it; reorder them"):
        Backwards().sample(np.random.default_rng(0), 1)


class Widened(SearchSpace):
    """`size` has two values that no search draws; `more` hangs on one of them, `fixed` has a single searched value."""

    name = "widened"
    choices = (
        Choice(name="size", values=(1, 2, 3), unsearched=(10, 20)),
        Choice(name="more", values=(4, 5), parent="size", when=(3, 20)),
        Choice(name="fixed", values=("plain",), unsearched=("fancy",)),
    )
    references = {  # noqa: RUF012 (as spaces write it)
        "widened-published": Reference(values={"size": 20, "more": 5, "fixed": "fancy"}, input_shape=(3,), classes=2)
    }

    def network(self, architecture: Architecture) -> NetworkSpec:
        values = self.values(architecture)
        units = [value for value in (values["size"], values["more"], len(values["fixed"])) if value is not None]
        blocks = tuple(DenseBlock(name=f"d{number}", units=each) for number, each in enumerate(units))
        return NetworkSpec(name=architecture.id, input_shape=self.input_shape or (3,), blocks=blocks)


@pytest.mark.parametrize(
    ("pins", "size", "count"),
    [({}, 4, 6), ({"size": 20}, 2, 2), ({"size": 10}, 1, 2), ({"fixed": "fancy"}, 4, 6), ({"more": 4}, 3, 3)],
)
def test_unsearched_values_are_pinned_but_not_drawn(pins, size, count):
    space = Widened((3,), 2, **pins)
    assert (space.size, space.index_count) == (size, count)
    check_space(space)
    drawn = {value for each in space.sample(np.random.default_rng(0), 200) for value in space.values(each).values()}
    assert drawn & {10, 20, "fancy"} == set(pins.values()) & {10, 20, "fancy"}


def test_a_published_network_is_a_point_beyond_the_searched_values_and_moves_into_them():
    space, rng = Widened((3,), 2), np.random.default_rng(0)
    published = space.reference("widened-published")
    assert published.id == "widened:4-1-1"
    assert space.parse(published.id) == published
    assert space.values(published) == {"size": 20, "more": 5, "fixed": "fancy"}
    near = {each.id for each in space.neighbours(published)}
    assert near == {"widened:0-x-1", "widened:1-x-1", "widened:2-1-1", "widened:4-0-1", "widened:4-1-0"}
    moved = {space.mutate(published, rng).id for _ in range(200)}
    assert moved == near
    assert space.one_hot([published]).tolist() == [[0, 0, 0, 0, 1, 0, 1, 0, 1]]
    plain = space.parse("widened:0-x-0")
    assert {each.id for each in (space.crossover(published, plain, rng) for _ in range(200))} >= {"widened:4-1-0"}


BAD_INPUTS = [
    (lambda: create_space("bigna"), "known names, got 'bigna'; did you mean 'bignas'?"),
    (lambda: create_space("zzz"), "known: accel-nasbench, bignas, "),
    (lambda: create_space("bignas", (32, 32)), "expected an image such as 32x32x3, got (32, 32)"),
    (lambda: create_space("multi-hardware", (54,)), "input of space multi-hardware: expected an image such as 32x32x3"),
    (lambda: create_space("mobilenet-v3", width=1.5), "choice width: expected one of [1.0, 0.5, 0.75], got 1.5"),
    (lambda: create_space("proxylessnas", layer_1_1="skip"), "did you mean 'layer_1_"),
    (lambda: create_space("proxylessnas", layer_1_2="skp"), "expected one of ['bottleneck', 'skip'], got 'skp'"),
    (lambda: create_space("bignas", (32, 0, 3)), "input: expected positive sides, got (32, 0, 3)"),
    (lambda: create_space("tabnas", (32, 32, 3)), "expected a number of features such as 54, got (32, 32, 3)"),
    (lambda: create_space("tabnas", ()), "expected a number of features such as 54, got ()"),
    (lambda: create_space("tabnas", (-3,)), "input: expected positive sides, got (-3,)"),
    (lambda: create_space("tabnas", (5,), 0), "classes: expected a number above 0, got 0"),
    (lambda: create_space("bignas", None, -1), "classes: expected a number above 0, got -1"),
    (lambda: create_space("tabnas", (5,), 2, layer=3), "option of space tabnas: expected one of 5 known names"),
    (lambda: create_space("tabnas", (5,), 2, layer=3), "did you mean 'layers'?"),
    (lambda: create_space("tabnas", (5,), 2, layers=5), "choice layers: expected one of [2, 3, 4], got 5"),
    (lambda: create_space("bignas", width=0.3), "choice width: expected one of [1.0, 0.5, 0.25], got 0.3"),
    (lambda: Choice(name="empty", values=()), "choice empty: expected distinct values, got ()"),
    (lambda: Choice(name="twice", values=(1, 2, 1)), "choice twice: expected distinct values, got (1, 2, 1)"),
    (lambda: Choice(name="again", values=(1,), unsearched=(2, 1)), "expected distinct values, got (1, 2, 1)"),
    (lambda: Choice(name="orphan", values=(1,), when=(2,)), "choice orphan: expected parent and when together"),
    (lambda: Choice(name="always", values=(1,), parent="x"), "choice always: expected parent and when together"),
    (lambda: TABNAS.parse(""), "architecture id: expected tabnas:…, got ''"),
    (lambda: TABNAS.parse("tabnas:"), "architecture id: expected tabnas:…, got 'tabnas:'"),
    (lambda: TABNAS.parse("bignas:0-1"), "architecture id: expected tabnas:…, got 'bignas:0-1'"),
    (lambda: TABNAS.parse("tabnas:0-1-2"), "expected 5 indices for space tabnas, got 3"),
    (lambda: TABNAS.parse("tabnas:0-1-2-x-x-x"), "expected 5 indices for space tabnas, got 6"),
    (lambda: TABNAS.parse("tabnas:3-1-2-x-x"), "expected x or 0 to 2 for layers, got '3'"),
    (lambda: TABNAS.parse("tabnas:0-20-2-x-x"), "expected x or 0 to 19 for width_1, got '20'"),
    (lambda: TABNAS.parse("tabnas:0-1--1-x"), "expected x or 0 to 19 for width_2, got ''"),
    (lambda: TABNAS.parse("tabnas:0-1-²-x-x"), "expected x or 0 to 19 for width_2, got '²'"),
    (lambda: TABNAS.parse("tabnas:0-1-1.0-x-x"), "expected x or 0 to 19 for width_2, got '1.0'"),
    (lambda: TABNAS.parse("tabnas:0-1-" + "9" * 5000 + "-x-x"), "expected x or 0 to 19 for width_2"),
    (lambda: TABNAS.parse("tabnas:1-1-2-x-x"), "expected a value for width_3, got none; pick one of [8, 16"),
    (lambda: TABNAS.parse("tabnas:x-1-2-x-x"), "expected a value for layers, got none"),
    (lambda: TABNAS.architecture(layers=2, width_1=8), "architecture 'values': expected a value for width_2, got none"),
    (lambda: TABNAS.architecture(layers=2, width1=8), "did you mean 'width_1'?"),
    (lambda: TABNAS.architecture(layers=2, width_1=9), "choice width_1: expected one of [8, 16"),
    (lambda: Widened().parse("widened:5-x-0"), "expected x or 0 to 4 for size, got '5'"),
    (lambda: Widened(size=7), "choice size: expected one of [1, 2, 3, 10, 20], got 7"),
    (lambda: TABNAS.reference("tabnas-crito"), "did you mean 'tabnas-criteo'?"),
    (lambda: TABNAS.values(Architecture("bignas", (0,) * 5)), "expected one of space tabnas with 5 choices"),
    (lambda: TABNAS.neighbours(Architecture("tabnas", (0,) * 4)), "expected one of space tabnas with 5 choices"),
    (
        lambda: TABNAS.crossover(Architecture("a", (0,)), Architecture("a", (0,)), np.random.default_rng(0)),
        "architecture 'a:0': expected one of space tabnas",
    ),
    (lambda: create_space("tabnas").network(TABNAS.parse("tabnas:0-1-2-x-x")), "input and classes of space tabnas"),
]


@pytest.mark.parametrize(("call", "message"), BAD_INPUTS, ids=range(len(BAD_INPUTS)))
def test_bad_input_is_refused_in_words(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()
