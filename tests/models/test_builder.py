"""Keras models from networks: seeds, shapes, counts, and that they learn."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from models.builder import build
from searchspaces import layers
from searchspaces.blocks import ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.catalog import create_space
from searchspaces.detection import feature_maps
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec


def image_network(**options):
    block = {"name": "m", "filters": 4, "expanded_filters": 8, "kernel": 3, "se_filters": 1, **options}
    blocks = (
        ConvBlock(name="stem", filters=4, kernel=3, stride=2, activation="silu"),
        MBConv(**block),
        PoolBlock(),
        DenseBlock(name="classifier", units=3),
        SoftmaxBlock(),
    )
    return NetworkSpec(name="made-up:1-2", input_shape=(9, 7, 2), blocks=blocks)


def vector_network():
    space = create_space("tabnas", (6,), 3)
    return space.network(space.architecture(layers=2, width_1=16, width_2=8))


@pytest.mark.parametrize("spec", [image_network(), vector_network()], ids=["image", "vector"])
def test_the_seed_decides_the_weights(spec):
    same, again, other = build(spec, seed=1), build(spec, seed=1), build(spec, seed=2)
    assert all(np.array_equal(*pair) for pair in zip(same.get_weights(), again.get_weights(), strict=True))
    kernels = [
        (left, right) for left, right in zip(same.get_weights(), other.get_weights(), strict=True) if left.ndim > 1
    ]
    assert kernels
    assert not any(np.array_equal(*pair) for pair in kernels)


def test_the_global_generators_take_no_part():
    keras.utils.set_random_seed(1)
    first = build(vector_network()).get_weights()
    keras.utils.set_random_seed(2)
    assert all(np.array_equal(*pair) for pair in zip(first, build(vector_network()).get_weights(), strict=True))


def test_layers_of_one_shape_start_differently():
    blocks = tuple(DenseBlock(name=f"d{number}", units=6) for number in range(2))
    model = build(NetworkSpec(name="twins", input_shape=(6,), blocks=blocks))
    assert not np.array_equal(model.get_layer("d0_dense").kernel, model.get_layer("d1_dense").kernel)


@pytest.mark.parametrize("spec", [image_network(), vector_network()], ids=["image", "vector"])
def test_forward_gives_probabilities_for_every_example(spec):
    given = np.random.default_rng(0).random((5, *spec.input_shape), dtype=np.float32)
    found = np.asarray(build(spec)(given, training=False))
    assert found.shape == (5, 3)
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert not np.allclose(found[0], found[1])


def test_layer_names_are_those_of_the_network():
    spec = image_network()
    model = build(spec)
    assert {node.name for node in spec.graph.nodes} == {layer.name for layer in model.layers}
    assert model.name == "made_up_1_2"


@pytest.mark.parametrize("spec", [image_network(), vector_network()], ids=["image", "vector"])
def test_counts_are_those_of_the_network(spec):
    model = build(spec)
    assert model.count_params() == spec.params
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == spec.trainable_params


def test_without_softmax_gives_the_logits_of_the_same_network():
    spec = image_network()
    given = np.random.default_rng(0).random((4, *spec.input_shape), dtype=np.float32)
    logits = np.asarray(build(spec.without_softmax(), seed=3)(given, training=False))
    probabilities = np.asarray(build(spec, seed=3)(given, training=False))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert probabilities == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("spec", [image_network(drop_connect=0.1), vector_network()], ids=["image", "vector"])
def test_one_step_of_training_lowers_the_loss(spec):
    rng = np.random.default_rng(0)
    examples = rng.random((32, *spec.input_shape), dtype=np.float32)
    labels = rng.integers(0, 3, 32)
    model = build(spec.without_softmax(), seed=0)
    model.compile(
        optimizer=keras.optimizers.SGD(0.05), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    losses = [float(model.train_on_batch(examples, labels)) for _ in range(8)]
    assert losses[-1] < losses[0]


def test_rescale_computes_scale_and_offset():
    spec = NetworkSpec(name="scaled", input_shape=(4, 4, 2), blocks=(PoolBlock(),)).with_rescale(
        (2.0, 3.0), (-1.0, 0.5)
    )
    found = np.asarray(build(spec)(np.ones((1, 4, 4, 2), np.float32)))
    assert found.tolist() == [[1.0, 3.5]]


def test_zero_gamma_makes_a_residual_block_the_identity():
    block = MBConv(name="m", filters=2, expanded_filters=6, kernel=3, se_filters=1, zero_gamma=True)
    model = build(NetworkSpec(name="identity", input_shape=(5, 5, 2), blocks=(block,)))
    given = np.random.default_rng(0).random((2, 5, 5, 2), dtype=np.float32)
    assert np.asarray(model(given, training=False)) == pytest.approx(given)


def test_drop_connect_drops_whole_examples_in_training_only():
    block = MBConv(name="m", filters=2, expanded_filters=0, kernel=3, drop_connect=0.5)
    model = build(NetworkSpec(name="dropping", input_shape=(5, 5, 2), blocks=(block,)), seed=0)
    given = np.random.default_rng(0).random((64, 5, 5, 2), dtype=np.float32)
    kept = [not np.allclose(*pair) for pair in zip(np.asarray(model(given, training=True)), given, strict=True)]
    assert 16 < sum(kept) < 48
    assert not np.allclose(np.asarray(model(given, training=False)), given)


@dataclass(frozen=True)
class Made:
    """A block of one given layer."""

    name: str
    layer: object

    def expand(self, graph, x):
        return graph.add("layer", self.layer, x)


class Strange(layers._SameShape):
    """A layer that Keras has no counterpart for."""


def test_a_layer_without_a_maker_is_refused_by_name():
    spec = NetworkSpec(name="strange", input_shape=(3,), blocks=(Made("m", Strange()),))
    with pytest.raises(InputError, match="layer m_layer: no Keras layer for Strange; add one here"):
        build(spec)


def test_a_detector_lays_its_rows_out_by_map_line_place_and_anchor():
    space = create_space("mobiledet-tdb", (64, 96, 3), 2, width=0.25)
    spec = space.network(space.sample(np.random.default_rng(0), 1)[0])
    model = build(spec)
    maps = {name: model.get_layer(f"head_{name}_predict").output for name in ("boxes_1", "boxes_2", "scores_2")}
    image = np.random.default_rng(1).random((2, 64, 96, 3), dtype=np.float32)
    found = keras.Model(model.input, {**maps, **model(model.input)}).predict(image, verbose=0)
    assert {name: found[name].shape[1:] for name in spec.output_shapes} == spec.output_shapes
    (first_height, first_width), (_, width) = feature_maps(spec)[:2]
    place, anchor = (1, 2), 1
    row = (place[0] * first_width + place[1]) * 3 + anchor
    assert np.array_equal(found["boxes"][:, row], found["boxes_1"][:, *place, 4 * anchor : 4 * anchor + 4])
    row = first_height * first_width * 3 + (place[0] * width + place[1]) * 6 + anchor
    assert np.array_equal(found["boxes"][:, row], found["boxes_2"][:, *place, 4 * anchor : 4 * anchor + 4])
    assert np.array_equal(found["scores"][:, row], found["scores_2"][:, *place, 3 * anchor : 3 * anchor + 3])
