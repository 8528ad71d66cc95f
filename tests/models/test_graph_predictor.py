"""The neural predictor: its size, what must not change its answer, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from models.graph_predictor import GraphNetwork, GraphPredictor, both_ways
from models.graph_predictor_config import GraphPredictorConfig, graph_width
from searchspaces.architecture_graph import ArchitectureGraphs, architecture_graphs, choice_chains
from searchspaces.errors import InputError
from searchspaces.nasbench201 import NASBench201Cells
from searchspaces.tabnas import TabNAS

CELLS = NASBench201Cells()
SMALL = GraphPredictorConfig(width=16, layers=2, dense=(8,), epochs=40, batch_size=16, learning_rate=5e-3)


def random_graphs(count: int, nodes: int, features: int, seed: int = 0) -> ArchitectureGraphs:
    """Graphs of all their nodes, with edges from earlier to later ones."""
    rng = np.random.default_rng(seed)
    one_hot = np.eye(features, dtype=np.float32)[rng.integers(features, size=(count, nodes))]
    edges = np.triu(rng.integers(2, size=(count, nodes, nodes)), 1).astype(np.float32)
    return ArchitectureGraphs(nodes=one_hot, adjacency=edges)


def answer(network: GraphNetwork, graphs: ArchitectureGraphs) -> np.ndarray:
    return np.asarray(network((graphs.nodes, graphs.adjacency)))[:, 0]


@pytest.fixture(scope="module")
def network() -> GraphNetwork:
    made = GraphNetwork(SMALL, head="linear", seed=1)
    graphs = random_graphs(2, 7, 5)
    made((graphs.nodes, graphs.adjacency))
    return made


@pytest.mark.parametrize(
    ("width", "layers", "dense", "nodes", "features", "params"),
    [
        (144, 3, (128,), 7, 5, 103_073),
        (48, 3, (128,), 7, 5, 16_097),
        (72, 3, (128,), 7, 5, 30_929),
        (96, 3, (128,), 7, 5, 50_369),
        (210, 3, (128,), 7, 5, 205_637),
        (320, 3, (128,), 7, 5, 454_017),
        (96, 18, (512, 128), 22, 7, 430_145),
    ],
)
def test_parameters_are_those_of_the_paper(width, layers, dense, nodes, features, params):
    config = GraphPredictorConfig(width=width, layers=layers, dense=dense)
    made = GraphNetwork(config, head="linear")
    graphs = random_graphs(1, nodes, features)
    made((graphs.nodes, graphs.adjacency))
    assert config.params(features) == params
    # What dropout draws from is state, not a parameter.
    assert sum(int(np.prod(each.shape)) for each in made.trainable_variables) == params


@pytest.mark.parametrize(("examples", "width"), [(1, 48), (43, 48), (100, 72), (172, 144), (860, 320), (9000, 320)])
def test_width_grows_with_the_examples(examples, width):
    assert graph_width(examples) == width


def test_rows_are_normalised_each_way_and_padding_has_no_loop():
    nodes = np.array([[[1, 0], [0, 1], [0, 0]]], np.float32)
    adjacency = np.zeros((1, 3, 3), np.float32)
    adjacency[0, 0, 1] = 1
    present, forward, backward = map(np.asarray, both_ways(nodes, adjacency))
    assert present[0, :, 0].tolist() == [1, 1, 0]
    assert forward[0].tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]]
    assert backward[0].tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 0]]


def test_padding_changes_nothing(network):
    graphs = random_graphs(4, 5, 5)
    padded = ArchitectureGraphs(
        nodes=np.pad(graphs.nodes, ((0, 0), (0, 2), (0, 0))),
        adjacency=np.pad(graphs.adjacency, ((0, 0), (0, 2), (0, 2))),
    )
    assert answer(network, padded) == pytest.approx(answer(network, graphs), abs=1e-5)


def test_the_order_of_nodes_changes_nothing(network):
    graphs = random_graphs(4, 7, 5)
    order = np.random.default_rng(3).permutation(7)
    turned = ArchitectureGraphs(nodes=graphs.nodes[:, order], adjacency=graphs.adjacency[:, order][:, :, order])
    assert answer(network, turned) == pytest.approx(answer(network, graphs), abs=1e-5)


def test_edges_turned_round_change_nothing_if_the_weights_are_exchanged(network):
    graphs = random_graphs(4, 7, 5)
    turned = ArchitectureGraphs(nodes=graphs.nodes, adjacency=graphs.adjacency.transpose(0, 2, 1))
    expected = answer(network, graphs)
    assert np.abs(answer(network, turned) - expected).max() > 1e-3, "direction counts"
    for layer in network.convolutions:
        forward, backward = ops.convert_to_numpy(layer.forward_kernel), ops.convert_to_numpy(layer.backward_kernel)
        layer.forward_kernel.assign(backward)
        layer.backward_kernel.assign(forward)
    assert answer(network, turned) == pytest.approx(expected, abs=1e-5)


def test_one_layer_is_the_formula():
    graphs = random_graphs(1, 4, 3)
    network = GraphNetwork(GraphPredictorConfig(width=6, layers=1, dense=(5,)), head="linear")
    found = answer(network, graphs)
    (layer,) = network.convolutions
    ahead, behind = ops.convert_to_numpy(layer.forward_kernel), ops.convert_to_numpy(layer.backward_kernel)
    loops = graphs.adjacency[0] + np.eye(4)
    forward, backward = (each / each.sum(axis=1, keepdims=True) for each in (loops, loops.T))
    hidden = (
        np.maximum(forward @ graphs.nodes[0] @ ahead, 0) / 2 + np.maximum(backward @ graphs.nodes[0] @ behind, 0) / 2
    )
    (dense,) = network.dense
    weights, bias, last, end = map(ops.convert_to_numpy, (*dense.weights, *network.answer.weights))
    pooled = np.maximum(hidden.mean(axis=0) @ weights + bias, 0)
    assert found[0] == pytest.approx((pooled @ last + end)[0], abs=1e-5)


@pytest.fixture(scope="module")
def examples() -> tuple[ArchitectureGraphs, np.ndarray]:
    """Cells, and the number of their live 3x3 convolutions in per cent-like units."""
    graphs = architecture_graphs(CELLS, CELLS.sample(np.random.default_rng(0), 260))
    return graphs, 60 + 5 * graphs.nodes[:, :, 2 + 3].sum(axis=1).astype(np.float64)


def test_it_learns_repeats_itself_and_keeps_what_it_learned(examples):
    graphs, targets = examples
    predictor = GraphPredictor(SMALL)
    predictor.fit(graphs[:60], targets[:60], seed=1)
    found, state = predictor.predict(graphs), predictor.state()
    assert np.corrcoef(found[60:], targets[60:])[0, 1] > 0.9
    assert found.mean() == pytest.approx(targets.mean(), abs=2)
    predictor.fit(graphs[:30], -targets[:30], seed=2)
    assert np.corrcoef(predictor.predict(graphs), targets)[0, 1] < 0
    predictor.restore(state)
    assert (predictor.predict(graphs) == found).all()
    predictor.fit(graphs[:60], targets[:60], seed=1)
    assert predictor.predict(graphs) == pytest.approx(found, abs=1e-4)


def test_labels_give_probabilities(examples):
    graphs, targets = examples
    labels = (targets > 70).astype(np.float64)
    predictor = GraphPredictor(SMALL, labels=True)
    predictor.fit(graphs[:120], labels[:120], seed=1)
    found = predictor.predict(graphs[120:])
    assert 0 <= found.min() <= found.max() <= 1
    assert ((found > 0.5) == (labels[120:] > 0.5)).mean() > 0.85


def test_a_sigmoid_stays_within_its_range(examples):
    graphs, targets = examples
    predictor = GraphPredictor(
        GraphPredictorConfig(width=16, layers=2, dense=(8,), epochs=2, head="sigmoid", low=10, high=100)
    )
    predictor.fit(graphs[:20], targets[:20], seed=1)
    found = predictor.predict(graphs)
    assert 10 < found.min() < found.max() < 100


def test_no_graphs_give_no_answers_and_other_shapes_are_compiled_anew(examples):
    graphs, _ = examples
    predictor = GraphPredictor(GraphPredictorConfig(width=8, layers=1, dense=(8,), epochs=1))
    with pytest.raises(InputError, match="call fit first"):
        predictor.predict(graphs)
    with pytest.raises(InputError, match="a finite target for each of 3 graphs"):
        predictor.fit(graphs[:3], np.array([1.0, np.nan, 2.0]), seed=0)
    space = TabNAS((4,), 3)
    chains = choice_chains(space, space.sample(np.random.default_rng(0), 9))
    for each in (graphs[:9], chains):
        predictor.fit(each, np.arange(9.0), seed=0)
        assert predictor.predict(each).shape == (9,)
        assert predictor.predict(each[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "sizes of 1 or more"),
        ({"dropout": 1.0}, "rates in their range"),
        ({"head": "softmax"}, "expected head linear or sigmoid"),
        ({"low": 5.0, "high": 5.0}, "low below high"),
    ],
)
def test_it_refuses(options, message):
    with pytest.raises(InputError, match=message):
        GraphPredictorConfig(**options)
