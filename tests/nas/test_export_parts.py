"""The parts of an export that need no TensorFlow: figures, gate, calibration rows, labels, metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware_profiles.litert import open_interpreter
from hardware_profiles.lower import lower
from hardware_profiles.read_tflite import read_tflite
from hardware_profiles.write_tflite import write_tflite
from nas.export.calibration import representative_rows
from nas.export.card import labels_text, versions
from nas.export.metadata import ENTRY, MAX_METADATA_BYTES, embed_metadata, read_metadata
from nas.export.parity import DEFAULT_BOUNDS, Bounds, Parity, compare, gate
from nas.export.predict import predict_keras, predict_litert, top_class
from nas.export.publish import check_out, publish, staging_folder, write_staged
from nas.intervals import share_with_interval, wilson_interval
from nas.quantization import dequantize, quantize
from searchspaces.errors import InputError, NoResultError
from searchspaces.tabnas import TabNAS


@pytest.fixture(scope="module")
def table_file() -> bytes:
    """A TabNAS network of 5 features and 3 classes with random weights."""
    space = TabNAS((5,), 3)
    return write_tflite(lower(space.network(space.parse("tabnas:0-1-2-x-x"))))


def make_parity(**changes: Any) -> Parity:
    good = {"precision": "int8", "examples": 1000, "top1_agreement": 0.99, "max_abs_error": 0.05}
    return Parity(**{**good, "accuracy_keras": 0.9, "accuracy_litert": 0.9, **changes})


# -- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "examples", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (Wilson without continuity correction).
        (81 / 263, 263, 0.2553, 0.3662),
        (15 / 148, 148, 0.0624, 0.1605),
        (0 / 20, 20, 0.0000, 0.1611),
        (1 / 29, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_gives_published_figures(share: float, examples: int, low: float, high: float) -> None:
    assert wilson_interval(share, examples) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000), st.data())
def test_intervals_hold_their_share(examples: int, data: st.DataObject) -> None:
    share = data.draw(st.integers(0, examples)) / examples
    found = share_with_interval(share, examples)
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    assert found["low"] < found["high"]


def test_compare_counts_agreement_error_and_accuracy() -> None:
    keras = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], np.float32)
    litert = np.array([[0.8, 0.2], [0.2, 0.8], [0.45, 0.55], [0.3, 0.7]], np.float32)
    found = compare(keras, litert, np.array([0, 1, 0, 0]), precision="dynamic")
    assert (found.examples, found.top1_agreement) == (4, 0.75)
    assert (found.accuracy_keras, found.accuracy_litert) == (0.75, 0.5)
    assert found.max_abs_error == pytest.approx(0.15, abs=1e-6)
    assert json.loads(json.dumps(found.to_dict()))["top1_agreement"]["value"] == 0.75


def test_compare_refuses_other_shapes() -> None:
    with pytest.raises(InputError, match=r"Keras \(2, 3\), LiteRT \(2, 4\) and 2 labels"):
        compare(np.zeros((2, 3)), np.zeros((2, 4)), np.array([0, 1]), precision="float32")


def test_single_output_is_the_second_class() -> None:
    assert top_class(np.array([[0.2], [0.5], [0.9]], np.float32)).tolist() == [0, 1, 1]


# -- the gate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top1_agreement": 0.949}, r"int8: expected top-1 agreement >= 0.95 on 1000 .* got 0.949.*train longer"),
        ({"accuracy_litert": 0.87}, r"int8: expected accuracy drop <= 0.02 .* got 0.03"),
        ({"precision": "float32"}, r"float32: expected top-1 agreement >= 0.999 .* got 0.99"),
        ({"precision": "float32", "top1_agreement": 1.0}, r"maximum error of a probability <= 0.001 .* got 0.05"),
        ({"precision": "float16", "top1_agreement": 0.97}, r"agreement >= 0.98 .*try precision float32"),
        ({"precision": "dynamic", "top1_agreement": 0.97}, r"agreement >= 0.98 .*try precision float16"),
        ({"max_abs_error": float("nan")}, "expected finite probabilities .* got NaN"),
    ],
)
def test_gate_refuses_below_each_bound(changes: dict[str, Any], message: str) -> None:
    parity = make_parity(**changes)
    with pytest.raises(NoResultError, match=message):
        gate(parity, DEFAULT_BOUNDS[parity.precision])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"top1_agreement": 0.95, "accuracy_litert": 0.88},
        {"accuracy_litert": 0.95},
        {"precision": "float32", "top1_agreement": 0.999, "max_abs_error": 1e-3},
        {"precision": "float16", "top1_agreement": 0.98, "max_abs_error": 0.9, "accuracy_litert": 0.5},
    ],
)
def test_gate_passes_at_its_bounds(changes: dict[str, Any]) -> None:
    parity = make_parity(**changes)
    gate(parity, DEFAULT_BOUNDS[parity.precision])


def test_gate_allows_one_example_but_not_two() -> None:
    one = {"examples": 24, "top1_agreement": 23 / 24, "accuracy_keras": 1.0}
    gate(make_parity(**one, accuracy_litert=23 / 24), DEFAULT_BOUNDS["int8"])
    with pytest.raises(NoResultError, match="accuracy drop"):
        gate(make_parity(**one, accuracy_litert=22 / 24), DEFAULT_BOUNDS["int8"])


def test_bounds_can_be_overridden_and_are_checked() -> None:
    gate(make_parity(top1_agreement=0.5), Bounds(min_agreement=0.4))
    with pytest.raises(InputError, match=r"min_agreement: expected a share from 0 to 1, got 95"):
        Bounds(min_agreement=95)


# -- quantisation and running ----------------------------------------------------------------------------------------


def test_quantize_rounds_shifts_and_clips() -> None:
    details = {"quantization": (0.5, -3), "dtype": np.int8}
    levels = quantize(np.array([0.0, 0.74, -1.0, 1e6, -1e6]), details)
    assert (levels.dtype, levels.tolist()) == (np.dtype(np.int8), [-3, -2, -5, 127, -128])
    assert dequantize(levels[:3], details).tolist() == [0.0, 0.5, -1.0]


def test_quantize_leaves_float_tensors_alone() -> None:
    details = {"quantization": (0.0, 0), "dtype": np.float32}
    assert quantize(np.array([7], np.uint8), details).tolist() == [7.0]
    assert dequantize(np.array([0.25], np.float32), details).tolist() == [0.25]


def test_predict_litert_runs_example_by_example(table_file: bytes) -> None:
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    found = predict_litert(table_file, x)
    assert found.shape == (4, 3)
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(found[2:], predict_litert(table_file, x[2:]))
    with pytest.raises(InputError, match=r"expected an input of shape \(1, 6\).*got \(1, 5\)"):
        predict_litert(table_file, np.zeros((2, 6), np.float32))


@pytest.mark.parametrize(
    ("outputs", "error", "message"),
    [
        ([[np.nan, 1.0]], NoResultError, "expected finite probabilities, got NaN"),
        ([[-3.0, 4.0]], InputError, "expected it to end in class probabilities"),
        ([[0.9, 0.9]], InputError, "expected it to end in class probabilities"),
    ],
)
def test_predict_keras_refuses_what_are_no_probabilities(
    outputs: list[list[float]], error: type[Exception], message: str
) -> None:
    class Fake:
        input_shape = (None, 2)

        def predict_on_batch(self, x: Any) -> Any:
            return np.array(outputs, np.float32)

    with pytest.raises(error, match=message):
        predict_keras(Fake(), np.zeros((1, 2), np.float32))
    with pytest.raises(InputError, match=r"expected an input of shape \(3,\)"):
        predict_keras(Fake(), np.zeros((1, 3), np.float32))


# -- calibration rows ------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(1, 100), st.integers(0, 9))
def test_calibration_rows_are_balanced(labels: list[int], count: int, seed: int) -> None:
    y = np.array(labels)
    rows = representative_rows(y, count, np.random.default_rng(seed))
    assert len(rows) == len(set(rows.tolist())) == min(count, len(y))
    taken = np.bincount(y[rows], minlength=5)
    most = taken.max()
    # A class gives fewer than the others (by more than the remainder) only where it has no more rows.
    assert all(taken[label] >= most - 1 or taken[label] == (y == label).sum() for label in range(5))


def test_calibration_rows_follow_the_seed() -> None:
    y = np.arange(100) % 3
    first, again, other = (representative_rows(y, 10, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_calibration_count_is_checked(count: Any) -> None:
    with pytest.raises(InputError, match="calibration_examples: expected a whole number, 1 or more"):
        representative_rows(np.array([0]), count, np.random.default_rng(0))


# -- labels and metadata ---------------------------------------------------------------------------------------------


def test_labels_hold_one_class_a_line() -> None:
    names = ["Äpfel", "two\nlines", "cr\rlf", "sep\u2028arator", "猫", "", "broken \udc80"]
    lines = labels_text(names).decode("utf-8").splitlines()
    assert lines == ["Äpfel", "two\\nlines", "cr\\rlf", "sep\\u2028arator", "猫", "", "broken \\udc80"]


def test_versions_name_every_package() -> None:
    assert set(versions()) == {"python", "paretonas", "tensorflow", "keras", "ai-edge-litert"}


def test_metadata_round_trip_leaves_the_network_as_it_is(table_file: bytes, tmp_path: Path) -> None:
    payload = {"class_names": ["a\nb", "猫", "\udc80"], "preprocessing": {"scale": [0.5], "nested": {"x": None}}}
    path = tmp_path / "m.tflite"
    path.write_bytes(embed_metadata(table_file, payload))
    assert read_metadata(path) == payload
    assert read_tflite(path) == read_tflite(table_file)
    x = np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32)
    np.testing.assert_array_equal(predict_litert(path, x), predict_litert(table_file, x))


def test_embedding_aligns_weights_as_the_schema_asks(table_file: bytes) -> None:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(embed_metadata(table_file, {"a": 1}), 0)
    starts = [
        buffer._tab.Vector(buffer._tab.Offset(4))
        for buffer in map(model.Buffers, range(model.BuffersLength()))
        if buffer.DataLength()
    ]
    assert len(starts) > 6
    assert {start % 16 for start in starts} == {0}


def test_metadata_is_bounded_when_written(table_file: bytes) -> None:
    with pytest.raises(InputError, match=r"at most 1,048,576 bytes of JSON, got 1,048,5\d\d"):
        embed_metadata(table_file, {"text": "x" * MAX_METADATA_BYTES})
    with pytest.raises(InputError, match="values that JSON can hold"):
        embed_metadata(table_file, {"number": float("nan")})
    with pytest.raises(InputError, match="got one with Paretonas metadata"):
        embed_metadata(embed_metadata(table_file, {}), {})
    with pytest.raises(InputError, match="TFL3"):
        embed_metadata(b"not a network at all", {})


def with_entry(tflite: bytes, text: bytes) -> bytes:
    """A file whose PARETONAS entry holds these bytes."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text, np.uint8)
    entry.name, entry.buffer = ENTRY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [entry]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"x" * (MAX_METADATA_BYTES + 1), "at most 1,048,576 bytes, got 1,048,577"),
        (b"not json", "metadata that is no JSON"),
        (b"[" * 200_000, "metadata that is no JSON"),
        (b"\xff\xfe\x00", "metadata that is no JSON"),
        (b'{"a": NaN}', "metadata that is no JSON: the constant NaN"),
        (b"[1, 2]", "metadata that is a list and no object"),
    ],
)
def test_untrusted_metadata_is_refused(table_file: bytes, tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(with_entry(table_file, text))
    with pytest.raises(InputError, match=message):
        read_metadata(path)


def test_metadata_of_files_without_it(table_file: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(table_file)
    with pytest.raises(InputError, match="expected a PARETONAS metadata entry, found none"):
        read_metadata(path)
    path.write_bytes(b"plain text, no network")
    with pytest.raises(InputError, match=r"m\.tflite: expected a \.tflite model"):
        read_metadata(path)
    with pytest.raises(InputError, match=r"gone\.tflite: expected a readable \.tflite file"):
        read_metadata(tmp_path / "gone.tflite")


def test_damaged_files_never_escape_as_other_errors(table_file: bytes, tmp_path: Path) -> None:
    sound, path = embed_metadata(table_file, {"a": [1, 2, 3]}), tmp_path / "m.tflite"
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(300):
        data = bytearray(sound)
        if trial % 2:
            del data[int(rng.integers(9, len(data))) :]
        else:
            for position in rng.integers(8, 400, size=4):
                data[position] = int(rng.integers(256))
        path.write_bytes(data)
        try:
            read_metadata(path)
        except InputError:
            refused += 1
    assert refused > 100


# -- writing ---------------------------------------------------------------------------------------------------------


def test_out_must_name_a_tflite_file(tmp_path: Path) -> None:
    for name in ("model.onnx", "model", ".tflite"):
        with pytest.raises(InputError, match=r"out: expected a path ending in \.tflite"):
            check_out(tmp_path / name)
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(InputError, match="got the folder"):
        check_out(tmp_path / "folder.tflite")


def test_staging_refuses_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with (
            pytest.raises(InputError, match="out: expected a folder that can be written"),
            staging_folder(folder / "m"),
        ):
            pytest.fail("a folder was made inside a file")


def test_staged_files_appear_only_when_published(tmp_path: Path) -> None:
    out = tmp_path / "new" / "m.tflite"
    with staging_folder(out) as stage:
        write_staged(stage, {"m.json": b"{}", "m.tflite": b"net"})
        assert [path for path in out.parent.iterdir() if path != stage] == []
        publish(stage, out.parent, ["m.json", "m.tflite"])
    assert sorted(path.name for path in out.parent.iterdir()) == ["m.json", "m.tflite"]
    assert out.read_bytes() == b"net"


def test_publishing_over_a_folder_is_an_error_and_leaves_no_stage(tmp_path: Path) -> None:
    (tmp_path / "m.json").mkdir()
    with (
        pytest.raises(NoResultError, match=r"expected to write m\.json, got"),
        staging_folder(tmp_path / "m.tflite") as stage,
    ):
        write_staged(stage, {"m.json": b"{}", "m.tflite": b"net"})
        publish(stage, tmp_path, ["m.json", "m.tflite"])
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def test_random_weight_file_opens(table_file: bytes) -> None:
    assert open_interpreter(embed_metadata(table_file, {})).get_input_details()[0]["shape"].tolist() == [1, 5]
