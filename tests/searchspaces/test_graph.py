"""Graphs with several outputs and with states: what blocks may ask of the builder."""

from __future__ import annotations

import re

import pytest

from searchspaces import layers
from searchspaces.errors import InputError
from searchspaces.graph import GraphBuilder, State


def started(**options):
    builder = GraphBuilder((4, 4, 3), **options)
    builder.enter(0, "stem")
    return builder


def test_what_the_last_block_ends_in_is_the_only_output():
    builder = started()
    x = builder.add("act", layers.Activation(name="relu"), 0)
    builder.add("aside", layers.Activation(name="sigmoid"), x)
    builder.leave(x)
    assert builder.build().outputs == (("output", x),)


def test_named_outputs_stand_in_their_order():
    builder = started()
    first = builder.add("a", layers.Activation(name="relu"), 0)
    second = builder.add("b", layers.Activation(name="relu"), 0)
    builder.output("scores", second)
    builder.output("boxes", first)
    builder.leave(second)
    assert builder.build().outputs == (("scores", second), ("boxes", first))


def test_a_block_reaches_back_to_the_end_of_an_earlier_one():
    builder = started()
    end = builder.add("act", layers.Activation(name="relu"), 0)
    builder.leave(end)
    builder.enter(1, "head")
    assert builder.output_of("stem") == end
    with pytest.raises(InputError, match=re.escape("input of block head: expected one of 1 known names, got 'sten'")):
        builder.output_of("sten")


def test_a_state_is_fed_at_one_node_and_renewed_at_another():
    builder = started(streaming=True)
    state = builder.state("sum", (4, 4, 3))
    new = builder.add("add", layers.Add(), 0, state)
    builder.update(state, new)
    builder.leave(new)
    graph = builder.build()
    assert graph.states == (State("state_stem_sum", state, new),)
    assert graph.results == (new, new)


def test_a_state_without_an_update_or_of_another_shape_is_refused():
    builder = started(streaming=True)
    state = builder.state("sum", (1, 1, 3))
    with pytest.raises(
        InputError, match=re.escape("state state_stem_sum: expected a new value of shape (1, 1, 3), got (4,")
    ):
        builder.update(state, 0)
    builder.leave(0)
    with pytest.raises(InputError, match=re.escape("states ['state_stem_sum']: expected an update of each")):
        builder.build()
