"""The direct writer: files load in LiteRT, run without NaN, and read back as the graph they were written from."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from hardware_profiles.lower import lower
from hardware_profiles.op_graph import OpGraphBuilder, difference
from hardware_profiles.read_tflite import read_tflite
from hardware_profiles.write_tflite import write_tflite
from searchspaces.blocks import ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.catalog import create_space, named_network
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec


def hand_made(input_shape=(33, 31, 1)):
    """Every activation the blocks know, residuals, and layers that vanish."""
    blocks = [ConvBlock(name="plain", filters=4, kernel=3, stride=2, activation=None)]
    for activation in ("relu", "relu6", "silu", "hard_silu", "hard_sigmoid"):
        blocks.append(ConvBlock(name=f"c_{activation}", filters=4, kernel=1, activation=activation))
        blocks.append(
            MBConv(
                name=f"m_{activation}",
                filters=4,
                expanded_filters=8,
                kernel=5,
                activation=activation,
                se_filters=2,
                drop_connect=0.1,
                zero_gamma=True,
            )
        )
    blocks += [PoolBlock(), DenseBlock(name="d", units=5, activation="relu", dropout=0.3)]
    blocks += [DenseBlock(name="classifier", units=3), SoftmaxBlock()]
    return NetworkSpec(name="hand-made", input_shape=input_shape, blocks=tuple(blocks)).with_rescale((0.5,), (-0.2,))


def random_spec(name, input_shape, classes, seed):
    space = create_space(name, input_shape, classes)
    return space.network(space.sample(np.random.default_rng(seed), 1)[0])


SPECS = [
    hand_made(),
    random_spec("bignas", (33, 31, 3), 10, 0),
    random_spec("bignas", (20, 8, 1), 2, 1),
    random_spec("tabnas", (13,), 1, 2),
    random_spec("tabnas", (54,), 7, 3),
]


def run(data: bytes, seed: int = 0) -> list[np.ndarray]:
    """Every activation of one run on random input, the last one being the network's output."""
    interpreter = Interpreter(
        model_content=data,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    (details,) = interpreter.get_input_details()
    rng = np.random.default_rng(seed)
    given = (
        rng.uniform(-1, 1, details["shape"])
        if details["dtype"] == np.float32
        else rng.integers(-60, 60, details["shape"])
    )
    interpreter.set_tensor(details["index"], given.astype(details["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(op.outputs[0]) for op in read_tflite(data).ops]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name[:20])
def test_files_run_and_every_activation_is_a_number(spec, precision):
    values = run(write_tflite(lower(spec, precision=precision)))
    assert all(np.isfinite(value).all() for value in values)
    assert values[-1].shape == (1, *spec.output_shape)
    if precision == "float32" and spec.output_shape != (1,):
        assert values[-1].sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name[:20])
def test_files_read_back_as_their_graph(spec, precision):
    graph = lower(spec, precision=precision)
    again = read_tflite(write_tflite(graph))
    assert difference(graph, again) is None
    assert (again.macs, again.params, again.weight_bytes) == (graph.macs, graph.params, graph.weight_bytes)
    assert (again.inputs, again.outputs, again.precision) == (graph.inputs, graph.outputs, precision)


def test_a_batch_above_one_runs():
    spec = hand_made()
    for precision in ("float32", "int8"):
        assert run(write_tflite(lower(spec, precision=precision, batch=3)))[-1].shape == (3, 3)


def test_activations_of_a_deep_network_neither_fade_nor_grow():
    # Values near the smallest floats (1e-38) would slow every kernel down; large ones would end as infinity.
    values = run(write_tflite(lower(named_network("bignas-max", (32, 32, 3), 10).spec)))
    sizes = [float(np.abs(value).max()) for value in values]
    assert min(sizes) > 1e-3
    assert max(sizes) < 1e3


def test_the_first_int8_maps_use_their_range():
    values = run(write_tflite(lower(random_spec("bignas", (33, 31, 3), 10, 0), precision="int8")))
    assert all(len(np.unique(value)) > 50 for value in values[:3])


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_seed_alone_decides_the_bytes(precision):
    graph = lower(hand_made(), precision=precision)
    assert write_tflite(graph, seed=3) == write_tflite(graph, seed=3)
    assert write_tflite(graph, seed=3) != write_tflite(graph, seed=4)
    assert len(write_tflite(graph, seed=3)) == len(write_tflite(graph, seed=4))


def test_int8_files_are_about_a_quarter_of_float_files():
    spec = named_network("bignas-min", (64, 64, 3), 10).spec
    float32, int8 = (len(write_tflite(lower(spec, precision=precision))) for precision in ("float32", "int8"))
    assert 3.0 < float32 / int8 < 4.0


@pytest.mark.parametrize("kind", ["RESIZE_BILINEAR", "CUSTOM:Mine", "NO_SUCH_OP"])
def test_unknown_ops_are_refused_by_name(kind):
    out = OpGraphBuilder()
    x, y = out.tensor((1, 4), "float32"), out.tensor((1, 4), "float32")
    out.op(kind, [x], [y])
    with pytest.raises(InputError, match=re.escape(f"op {kind}: expected one of ['ADD', 'AVERAGE_POOL_2D'")):
        write_tflite(out.build([x], [y]))
