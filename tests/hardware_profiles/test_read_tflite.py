"""Reading .tflite files: damage of every kind ends in an InputError or a graph whose costs can be counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from hardware_profiles.lower import lower
from hardware_profiles.memory import plan_arena
from hardware_profiles.op_graph import OpGraph, difference
from hardware_profiles.read_tflite import read_tflite
from hardware_profiles.write_tflite import write_tflite
from searchspaces.catalog import create_space
from searchspaces.errors import InputError


@pytest.fixture(scope="module")
def graph() -> OpGraph:
    space = create_space("bignas", (16, 16, 3), 3)
    return lower(space.network(space.sample(np.random.default_rng(0), 1)[0]), precision="int8")


@pytest.fixture(scope="module")
def data(graph) -> bytes:
    return write_tflite(graph)


@pytest.fixture(scope="module")
def small() -> bytes:
    """A file in which most bytes are structure: three dense layers of few weights."""
    space = create_space("tabnas", (2,), 2)
    return write_tflite(lower(space.network(space.architecture(layers=2, width_1=8, width_2=8))))


def changed(data: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after `change` of its unpacked model."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(data), 0)
    change(model)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def count_costs(graph: OpGraph) -> None:
    """Everything that is derived from a graph; none of it may fail on a graph that was read."""
    assert graph.macs >= 0
    assert graph.params >= 0
    assert graph.weight_bytes >= 0
    assert graph.precision in ("float32", "int8")
    assert len(graph.signature) == len(graph.ops)
    assert plan_arena(graph).size_bytes >= 0


def test_a_file_and_its_bytes_read_the_same(tmp_path, data, graph):
    path = tmp_path / "network.tflite"
    path.write_bytes(data)
    assert read_tflite(path) == read_tflite(data)
    assert difference(read_tflite(path), graph) is None
    assert read_tflite(data).weight_bytes == graph.weight_bytes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "expected a TFLite file .* got 0 bytes"),
        (b"TFL3", "got 4 bytes"),
        (b"not a model, but text", "beginning b'not a mo'; give a .tflite file"),
        (b"\x00" * 64, "expected a TFLite file"),
        (b"PK\x03\x04" + bytes(60), "expected a TFLite file"),
        (b"\x1c\x00\x00\x00TFL3", "the file is damaged .*; export it again"),
        (b"\xff\xff\xff\xffTFL3" + bytes(60), "the file is damaged .*; export it again"),
    ],
)
def test_what_is_no_model_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        read_tflite(given)


def test_a_missing_file_and_a_folder_are_refused_with_their_path(tmp_path):
    with pytest.raises(InputError, match=r"none\.tflite: expected a readable \.tflite file .*; check the path"):
        read_tflite(tmp_path / "none.tflite")
    with pytest.raises(InputError, match=r"expected a readable \.tflite file"):
        read_tflite(tmp_path)


def test_every_length_is_refused_that_cuts_the_file(small):
    for length in range(0, len(small) - 8, 7):
        with pytest.raises(InputError, match="the model: "):
            read_tflite(small[:length])


@pytest.mark.parametrize("seed", range(200))
def test_a_changed_byte_gives_a_graph_or_an_input_error(seed, small, data):
    rng = np.random.default_rng(seed)
    # Most bytes of the larger file are weights; its structure lies at both ends.
    for source, reach in ((small, len(small)), (data, 4000), (data, -40_000)):
        broken = bytearray(source)
        position = int(rng.integers(8, reach)) if reach > 0 else int(rng.integers(reach, 0))
        broken[position] ^= int(rng.integers(1, 256))
        try:
            count_costs(read_tflite(bytes(broken)))
        except InputError as error:
            assert str(error).startswith("the model: ")


def test_several_subgraphs_are_refused(small):
    def double(model):
        model.subgraphs = model.subgraphs * 2

    with pytest.raises(InputError, match=r"expected one subgraph, got 2 .*export one signature alone"):
        read_tflite(changed(small, double))


def test_no_subgraph_is_refused(small):
    def remove(model):
        model.subgraphs = []

    with pytest.raises(InputError, match="expected one subgraph, got 0"):
        read_tflite(changed(small, remove))


def test_dynamic_shapes_are_refused_by_the_name_of_the_tensor(small):
    def open_batch(model):
        model.subgraphs[0].tensors[0].shapeSignature = np.array([-1, 2], np.int32)

    with pytest.raises(InputError, match=r"tensor t0 has a dynamic shape \(-1, 2\); export with a fixed input shape"):
        read_tflite(changed(small, open_batch))


def test_a_fixed_signature_is_no_dynamic_shape(small):
    def repeat(model):
        model.subgraphs[0].tensors[0].shapeSignature = np.array([1, 2], np.int32)

    assert read_tflite(changed(small, repeat)) == read_tflite(small)


def test_custom_ops_are_read_with_their_name(small):
    def make_custom(model):
        code = model.operatorCodes[-1]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = b"TFLite_Detection_PostProcess"

    graph = read_tflite(changed(small, make_custom))
    assert "CUSTOM:TFLite_Detection_PostProcess" in graph.op_counts
    count_costs(graph)


def test_codes_of_old_files_are_read_from_the_deprecated_field(small):
    def make_old(model):
        for code in model.operatorCodes:
            code.builtinCode = 0

    assert read_tflite(changed(small, make_old)) == read_tflite(small)


def test_unequal_strides_and_dilation_are_told_apart(data):
    def stretch(model):
        options = model.subgraphs[0].operators[0].builtinOptions
        options.strideW, options.dilationHFactor, options.dilationWFactor = 3, 2, 2

    op = read_tflite(changed(data, stretch)).ops[0]
    assert (op.attribute("stride"), op.attribute("stride_h"), op.attribute("stride_w")) == (None, 1, 3)
    assert op.attribute("dilation") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda graph: graph.operators[0].inputs.__setitem__(0, 999), "op 0 refers to tensor 999 of"),
        (lambda graph: graph.operators[0].inputs.__setitem__(0, -2), "op 0 refers to tensor -2 of"),
        (lambda graph: graph.operators[0].inputs.__setitem__(1, -1), "op 0 .FULLY_CONNECTED. with inputs"),
        (lambda graph: graph.operators[0].outputs.__setitem__(0, -1), "op 0 refers to tensor -1 of"),
        (lambda graph: graph.outputs.__setitem__(0, -1), "the graph refers to tensor -1 of"),
        (lambda graph: graph.inputs.__setitem__(0, 77), "the graph refers to tensor 77 of"),
        (lambda graph: setattr(graph.operators[0], "outputs", []), "FULLY_CONNECTED. with inputs .* and 0 outputs"),
        (lambda graph: setattr(graph.operators[0], "inputs", [0]), "FULLY_CONNECTED. with 1 inputs"),
        (lambda graph: setattr(graph.tensors[1], "shape", []), "the file is damaged"),
        (lambda graph: setattr(graph.tensors[1], "shape", [-8, 2]), r"a tensor of shape \(-8, 2\)"),
        (lambda graph: setattr(graph.tensors[1], "shape", [2] * 9), "a tensor of rank 9"),
        (lambda graph: setattr(graph.tensors[1], "type", 99), "the file is damaged"),
        (lambda graph: setattr(graph.tensors[1], "buffer", 999_999), "the file is damaged"),
        (lambda graph: setattr(graph.operators[0], "opcodeIndex", 999_999), "the file is damaged"),
    ],
)
def test_numbers_that_lead_nowhere_are_refused(small, change, message):
    with pytest.raises(InputError, match=message):
        read_tflite(changed(small, lambda model: change(model.subgraphs[0])))


def test_ops_without_outputs_are_read(small):
    def stop(model):
        softmax = model.subgraphs[0].operators[-1]
        softmax.outputs = []
        model.subgraphs[0].outputs = softmax.inputs

    count_costs(read_tflite(changed(small, stop)))
