"""NAS-Bench-201: published counts, native strings, and which cells are one network."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hardware_profiles.lower import lower
from searchspaces.blocks import CellBlock
from searchspaces.blocks.cells import CELL_OPS, live_edges
from searchspaces.catalog import create_space
from searchspaces.errors import InputError
from searchspaces.graph import GraphBuilder
from searchspaces.nasbench201 import NASBench201, NASBench201Cells
from searchspaces.nasbench201_cell import (
    Cell,
    cell_of_code,
    cell_text,
    network_classes,
    network_key,
    parse_cell,
    published_key,
)
from searchspaces.testing import SIGMAS, _sigmas

CELLS = 15_625
# What the published key counts, and what there is of networks.
PUBLISHED, NETWORKS = 6_466, 5_260
ALL_CONVOLUTIONS = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
ONLY_A_SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
FIRST_ROW = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"


def every_cell() -> Iterator[Cell]:
    return map(cell_of_code, range(CELLS))


@pytest.mark.parametrize(
    ("text", "published_params", "published_macs"),
    [
        # The benchmark's figures for CIFAR-10: millions of trained values, and of multiply-adds with the last bias.
        (ALL_CONVOLUTIONS, 1.531546, 220.11969),
        (ONLY_A_SKIP, 0.073306, 7.78305),
        (FIRST_ROW, 0.129306, 15.64737),
    ],
)
def test_published_sizes(text, published_params, published_macs):
    for name in ("nasbench201", "nasbench201-cells"):
        space = create_space(name)
        spec = space.network(space.parse(text))
        assert spec.trainable_params == round(published_params * 1e6)
        assert lower(spec).macs + 10 == round(published_macs * 1e6)


def test_the_skeleton():
    space = NASBench201((32, 32, 3), 100)
    spec = space.network(space.parse(FIRST_ROW))
    kinds = Counter(type(block).__name__ for block in spec.blocks)
    assert kinds["CellBlock"] == 15
    assert kinds["ReductionBlock"] == 2
    shapes = [node.shape for node in spec.graph.nodes if node.name.endswith("_add")]
    assert {(32, 32, 16), (16, 16, 32), (8, 8, 64)} == set(shapes)
    assert spec.output_shape == (100,)


def test_native_strings_read_back_for_every_cell():
    space = NASBench201Cells()
    for architecture in space.sample(np.random.default_rng(0), 300):
        assert space.parse(space.native(architecture)) == architecture
    assert all(parse_cell(cell_text(cell)) == cell for cell in every_cell())


@pytest.mark.parametrize(
    "text",
    [
        "|none~0|",
        FIRST_ROW.replace("nor_conv_1x1", "conv_1x1"),
        FIRST_ROW.replace("~2", "~1"),
        FIRST_ROW + "+|none~0|none~1|none~2|none~3|",
        FIRST_ROW[:60],
        "|||",
        "|none|+|none|none|+|none|none|none|",
    ],
)
def test_strings_that_are_no_cell(text):
    with pytest.raises(InputError, match=r"cell: expected a string such as .*nor_conv_3x3"):
        create_space("nasbench201").parse(text)


def test_other_ids_are_refused_with_both_ways_of_writing():
    with pytest.raises(InputError, match=r"expected nasbench201:… or \|nor_conv"):
        create_space("nasbench201").parse("bignas:0-1")
    with pytest.raises(InputError, match="expected an image such as"):
        create_space("nasbench201", (54,), 7)


# -- equal networks ----------------------------------------------------------------------------------------------------


def test_how_many_there_are():
    assert len({published_key(cell) for cell in every_cell()}) == PUBLISHED
    assert len(set(network_classes().tolist())) == create_space("nasbench201").size == NETWORKS
    assert create_space("nasbench201-cells").size == create_space("nasbench201").index_count == CELLS


def test_the_published_key_is_that_of_the_published_column(shared_data: Path):
    with (shared_data / "nb201_accuracy" / "nats_bench.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == CELLS
    for row in rows:
        assert published_key(parse_cell(row["ArchitectureString"])) == row["UniqueString"]


@pytest.mark.parametrize(
    ("first", "second", "published_alike", "alike"),
    [
        # Two nodes change places: the published key sorts a node's terms, not those of a sum within.
        (
            "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|skip_connect~1|skip_connect~2|",
            "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|skip_connect~2|",
            False,
            True,
        ),
        # A dead convolution, and none: the published key counts the zeros that are added.
        (
            "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|",
            "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|none~2|",
            True,
            True,
        ),
        (
            "|skip_connect~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|",
            "|none~0|+|skip_connect~0|none~1|+|none~0|none~1|skip_connect~2|",
            False,
            True,
        ),
        # One convolution twice is not two convolutions, which have weights of their own.
        (
            "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|skip_connect~1|skip_connect~2|",
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|skip_connect~2|",
            True,
            False,
        ),
        # A mean has no weights: one of them twice is two of them.
        (
            "|avg_pool_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
            "|avg_pool_3x3~0|+|avg_pool_3x3~0|none~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
            True,
            True,
        ),
    ],
)
def test_what_is_one_network(first, second, published_alike, alike):
    space = NASBench201()
    assert (space.parse(first) == space.parse(second)) == alike
    assert (network_key(parse_cell(first)) == network_key(parse_cell(second))) == alike
    assert (published_key(parse_cell(first)) == published_key(parse_cell(second))) == published_alike


def test_the_published_key_joins_networks_of_unequal_size():
    """Why ids do not go by it: cells it takes for one hold other numbers of convolutions."""
    sizes: dict[str, set[int]] = {}
    for cell in every_cell():
        key = network_key(cell)
        convolutions = sum(str(row[0]).startswith("nor_conv") for row in key[:-1])
        sizes.setdefault(published_key(cell), set()).add(convolutions)
    assert sum(len(found) > 1 for found in sizes.values()) > 100


def test_labellings_of_one_network_build_the_same_layers():
    """Every cell of a class, expanded: the same convolutions and means over maps of the same making."""
    by_class: dict[int, set[tuple[str, ...]]] = {}
    for cell, number in zip(every_cell(), network_classes().tolist(), strict=True):
        by_class.setdefault(number, set()).add(_layers(cell))
    assert len(by_class) == NETWORKS
    assert all(len(found) == 1 for found in by_class.values())


def _layers(cell: Cell) -> tuple[str, ...]:
    """What a cell holds beside its sums, each written with all it is made of; sums may be bracketed otherwise."""
    if not live_edges(cell):
        return ()
    graph = GraphBuilder((4, 4, 2))
    graph.enter(0, "cell")
    graph.leave(CellBlock(name="cell", cell_ops=cell).expand(graph, 0))
    written: list[list[str]] = []
    for node in graph.build().nodes:
        given = [written[index] for index in node.inputs]
        if node.name.endswith("_add"):
            written.append(sorted(given[0] + given[1]))
        else:
            written.append(
                [
                    f"{type(node.layer).__name__}{getattr(node.layer, 'kernel', '')}({'+'.join(*given)})"
                    if given
                    else "x"
                ]
            )
    kept = [
        texts[0] for texts, node in zip(written, graph.build().nodes, strict=True) if not node.name.endswith("_add")
    ]
    return (*sorted(kept), "+".join(written[-1]))


def test_a_cell_that_passes_nothing_on_leaves_a_constant_network():
    space = NASBench201((16, 16, 3), 4)
    dead = space.parse("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|none~2|")
    assert dead == space.parse("nasbench201:0-0-0-0-0-0")
    assert len(space.labellings(dead)) == 341
    assert [op.kind for op in lower(space.network(dead)).ops] == ["MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    with pytest.raises(InputError, match="expected a way from node 0 to node 3"):
        CellBlock(name="dead", cell_ops=space.cell(dead))


def test_what_took_a_pixel_no_time_are_constant_networks(shared_data: Path):
    """183 rows of HELP's Pixel 3 lie under 0.05 ms: all of them cells through which nothing passes."""
    pd = pytest.importorskip("pandas")
    frame = pd.read_csv(shared_data / "help_latency" / "nasbench201_latency_ms.csv.gz")
    quick = frame["arch_str"][frame["pixel3"] < 0.05]
    assert len(quick) == 183
    assert not any(live_edges(parse_cell(text)) for text in quick)


# -- drawing and moving ------------------------------------------------------------------------------------------------


def test_labelled_cells_are_drawn_evenly_and_networks_by_their_labellings():
    """Chi-square over all 15,625 cells, and over all networks, within five sigmas."""
    draws = 40 * CELLS
    for space in (NASBench201Cells(), NASBench201()):
        rows = space.sample_indices(np.random.default_rng(3), draws)
        counts = np.bincount(rows @ 5 ** np.arange(5, -1, -1), minlength=CELLS)
        expected = np.full(CELLS, draws / CELLS)
        if space.folds:
            _, first, labellings = np.unique(network_classes(), return_index=True, return_counts=True)
            assert counts[first].sum() == draws
            counts, expected = counts[first], labellings * draws / CELLS
        assert abs(_sigmas(counts, expected)) < SIGMAS


def test_mutation_is_uniform_over_the_changes_that_make_another_network():
    space = NASBench201()
    start = space.parse(FIRST_ROW)
    rng = np.random.default_rng(1)
    children = Counter(space.mutate(start, rng).id for _ in range(6000))
    changes = Counter(
        space.parse(
            f"nasbench201:{'-'.join(map(str, (*each.indices[:column], index, *each.indices[column + 1 :])))}"
        ).id
        for each in space.labellings(start)
        for column in range(6)
        for index in range(len(CELL_OPS))
    )
    del changes[start.id]
    assert children.keys() == changes.keys() == {each.id for each in space.neighbours(start)}
    total = sum(changes.values())
    sigmas = _sigmas(
        np.array([children[key] for key in changes]), np.array([changes[key] * 6000 / total for key in changes])
    )
    assert sigmas < SIGMAS


def test_pins_hold_where_a_labelling_allows_it():
    space = NASBench201(edge_0_1="nor_conv_3x3", edge_0_3="none")
    sample = space.sample(np.random.default_rng(0), 500)
    assert all(space.values(each)["edge_0_1"] == "nor_conv_3x3" for each in sample)
    assert len(list(space.enumerate())) == space.size < 625
    assert all(space.values(near)["edge_0_3"] == "none" for near in space.neighbours(sample[0]))


def test_a_space_pinned_to_one_cell_stays_there():
    pins = {choice.name: "skip_connect" for choice in NASBench201.choices}
    space = NASBench201(**pins)
    only = space.architecture()
    assert space.size == 1
    assert space.mutate(only, np.random.default_rng(0)) == only
    assert space.neighbours(only) == []
