from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from nas.tables import RunTables
from reports.diagram import BOX_MAX, draw_network


def test_equal_neighbours_are_drawn_once(make_run: Callable[..., RunTables]) -> None:
    winner = make_run().winners[0]
    diagram = draw_network(winner)
    assert diagram is not None
    assert sum(box.repeats for box in diagram.boxes) == len(winner.blocks)
    (double,) = [box for box in diagram.boxes if box.repeats > 1]
    assert (double.label, double.shape, double.cost) == ("MBConv 6× k5 s1", "16×16×24", "22.4 k · 5.73 M")


def test_boxes_stay_within_their_column_and_apart(make_run: Callable[..., RunTables]) -> None:
    diagram = draw_network(make_run().winners[0])
    assert diagram is not None
    for box in diagram.boxes:
        assert box.x >= 0
        assert box.x + box.width <= BOX_MAX + 0.1
    tops = [box.y for box in diagram.boxes]
    assert all(below - above >= diagram.row for above, below in pairwise(tops))
    assert tops[-1] + diagram.row <= diagram.height


def test_blocks_may_lack_everything_but_their_kind(make_run: Callable[..., RunTables]) -> None:
    winner = make_run().winners[0]
    diagram = draw_network(replace(winner, blocks=({"kind": "Dense"},)))
    assert diagram is not None
    assert (diagram.boxes[0].label, diagram.boxes[0].shape, diagram.boxes[0].cost) == ("Dense", "", "")
    assert draw_network(replace(winner, blocks=())) is None
