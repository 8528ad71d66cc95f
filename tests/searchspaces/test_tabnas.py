"""TabNAS: parameter counts and feasible counts of the paper's limits (NeurIPS 2022, §2 and its experiments)."""

from __future__ import annotations

import numpy as np
import pytest

from searchspaces.blocks import DenseBlock
from searchspaces.catalog import create_space, named_network
from searchspaces.spec import NetworkSpec
from searchspaces.tabnas import WIDTHS


def count_params(features: int, outputs: int, widths: np.ndarray) -> np.ndarray:
    """Weights and biases of dense nets, `widths` being ``[nets, layers]``."""
    ends = [np.full((len(widths), 1), size) for size in (features, outputs)]
    sizes = np.concatenate([ends[0], widths, ends[1]], axis=1)
    return (sizes[:, :-1] * sizes[:, 1:] + sizes[:, 1:]).sum(axis=1)


@pytest.mark.parametrize(
    ("name", "widths", "params"),
    [
        ("tabnas-criteo", (32, 144, 24), 41_153),
        ("tabnas-volkert", (48, 160, 32, 144), 27_882),
        ("tabnas-aloi", (64, 192, 48, 32), 64_568),
        ("tabnas-higgs", (16, 144, 16), 5_265),
    ],
)
def test_parameters_of_the_references(name, widths, params):
    network = named_network(name)
    values = network.space.values(network.architecture)
    assert tuple(values[f"width_{number}"] for number in range(1, len(widths) + 1)) == widths
    assert network.spec.params == network.spec.trainable_params == params


@pytest.mark.parametrize(("features", "outputs"), [(1027, 1), (180, 10), (3, 2)])
def test_the_vectorised_count_is_that_of_the_networks(features, outputs):
    space = create_space("tabnas", (features,), outputs)
    for architecture in space.sample(np.random.default_rng(2), 60):
        values = space.values(architecture)
        widths = [values[f"width_{number}"] for number in range(1, int(values["layers"]) + 1)]
        assert space.network(architecture).params == count_params(features, outputs, np.array([widths]))[0]


@pytest.mark.parametrize(
    ("name", "layers", "limit", "feasible"),
    [
        ("tabnas-criteo", 3, 41_153, 856),
        ("tabnas-volkert", 4, 27_882, 16_886),
        ("tabnas-aloi", 4, 64_568, 13_124),
    ],
)
def test_feasible_counts_under_the_limit_of_the_reference(name, layers, limit, feasible):
    reference = named_network(name)
    (features,), outputs = reference.spec.input_shape, reference.space.classes
    space = create_space("tabnas", (features,), outputs, layers=layers)
    grid = np.stack(np.meshgrid(*[np.array(WIDTHS)] * layers), axis=-1).reshape(-1, layers)
    assert space.size == len(grid) == 20**layers
    assert int((count_params(features, outputs, grid) <= limit).sum()) == feasible


@pytest.mark.parametrize(("layers", "size"), [(2, 400), (3, 8_000), (4, 160_000)])
def test_sizes_of_the_fixed_depths(layers, size):
    assert create_space("tabnas", (54,), 7, layers=layers).size == size


def test_size_of_the_whole_space():
    assert create_space("tabnas").size == 400 + 8_000 + 160_000


@pytest.mark.parametrize(
    ("widths", "params"),
    [
        ((2, 2), 15),
        ((2, 3), 19),
        ((2, 4), 23),
        ((3, 2), 20),
        ((3, 3), 25),
        ((3, 4), 30),
        ((4, 2), 25),
        ((4, 3), 31),
        ((4, 4), 37),
    ],
)
def test_parameters_of_the_toy_example(widths, params):
    blocks = [DenseBlock(name=f"hidden_{number}", units=width) for number, width in enumerate(widths)]
    spec = NetworkSpec(name="toy", input_shape=(2,), blocks=(*blocks, DenseBlock(name="out", units=1)))
    assert spec.params == params


def test_one_output_ends_in_a_sigmoid_and_more_in_a_softmax():
    for outputs, last in ((1, "sigmoid"), (2, "softmax")):
        space = create_space("tabnas", (5,), outputs)
        spec = space.network(space.architecture(layers=2, width_1=8, width_2=16))
        assert spec.graph.nodes[-1].layer.name == last
        assert spec.output_shape == (outputs,)


def test_widths_beyond_the_depth_do_not_count():
    space = create_space("tabnas", (5,), 2)
    with_noise = space.architecture(layers=2, width_1=8, width_2=16, width_3=512, width_4=8)
    assert with_noise == space.architecture(layers=2, width_1=8, width_2=16)
    assert with_noise.id == "tabnas:0-0-1-x-x"
