"""Whole exports of small trained networks: what is written, what is refused, and that a user can run it."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from hardware_profiles.cost import Cost
from hardware_profiles.lower import lower
from hardware_profiles.op_graph import difference
from hardware_profiles.read_tflite import read_tflite
from models.builder import build
from nas.export.convert import PRECISIONS, convert
from nas.export.export import ExportResult, export
from nas.export.metadata import read_metadata
from nas.export.parity import DEFAULT_BOUNDS, Bounds, check_parity
from nas.task import Augmentation, Part, Preprocessing, Split
from searchspaces.blocks import ConvBlock, DenseBlock, MBConv, PoolBlock, SoftmaxBlock
from searchspaces.errors import InputError, MissingError, NoResultError
from searchspaces.spec import NetworkSpec
from searchspaces.tabnas import TabNAS

SIZES: dict[Part, int] = {"train": 480, "validation": 120, "test": 90}


@dataclass
class FakeTask:
    """A task of made-up arrays that counts how often each part is read."""

    name: str
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    splits: dict[Part, Split]
    provenance: Mapping[str, Any] = field(default_factory=lambda: {"source": "made up", "seed": 0})
    augmentation: Augmentation = field(default_factory=Augmentation)
    reads: Counter[str] = field(default_factory=Counter)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.splits["train"].x.shape[1:]

    def split(self, part: Part) -> Split:
        self.reads[part] += 1
        return self.splits[part]


@dataclass(frozen=True)
class Trained:
    model: keras.Model
    spec: NetworkSpec
    make_task: Callable[[], FakeTask]


def make_image_task() -> FakeTask:
    """8×8 images whose class is the brightest channel."""
    rng = np.random.default_rng(0)
    splits: dict[Part, Split] = {}
    for part, count in SIZES.items():
        y = rng.integers(0, 3, count)
        x = rng.integers(0, 160, (count, 8, 8, 3))
        x[np.arange(count), :, :, y] += 60
        splits[part] = Split(x=x.astype(np.uint8), y=y)
    steps = Preprocessing(kind="image", scale=(1 / 127.5,), offset=(-1.0,), host={"resize": [8, 8]})
    return FakeTask("colours", ("röd | red", "two\nlines", "`青`"), steps, splits)


def make_table_task(classes: int = 3) -> FakeTask:
    """Four features around one centre for each class."""
    rng = np.random.default_rng(1)
    centers = rng.normal(0, 2, (classes, 4))
    splits: dict[Part, Split] = {}
    for part, count in SIZES.items():
        y = rng.integers(0, classes, count)
        splits[part] = Split(x=(centers[y] + rng.normal(0, 0.4, (count, 4))).astype(np.float32), y=y)
    steps = Preprocessing(kind="table", scale=None, offset=None, host={"encoder": "none"})
    return FakeTask("blobs", tuple(f"class {number}" for number in range(classes)), steps, splits)


def train(spec: NetworkSpec, task: FakeTask, *, epochs: int) -> keras.Model:
    """The network with its probabilities, trained through its logits (or its one sigmoid)."""
    spec = (
        spec
        if task.preprocessing.scale is None
        else spec.with_rescale(task.preprocessing.scale, task.preprocessing.offset or ())
    )
    model, logits = build(spec), build(spec.without_softmax())
    single = spec.output_shape == (1,)
    loss = keras.losses.BinaryCrossentropy() if single else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    logits.compile(keras.optimizers.Adam(0.01), loss)
    split = task.splits["train"]
    keras.utils.set_random_seed(0)
    logits.fit(split.x.astype(np.float32), split.y, batch_size=16, epochs=epochs, verbose=0)
    model.set_weights(logits.get_weights())
    return model


@pytest.fixture(scope="module")
def image() -> Trained:
    task = make_image_task()
    blocks = (
        ConvBlock(name="stem", filters=8, kernel=3, stride=2, activation="silu"),
        MBConv(name="body", filters=8, expanded_filters=16, kernel=3, se_filters=2),
        PoolBlock(),
        DenseBlock(name="classifier", units=3),
        SoftmaxBlock(),
    )
    spec = NetworkSpec(name="bignas:tiny-0", input_shape=(8, 8, 3), blocks=blocks)
    model = train(spec, task, epochs=10)
    return Trained(model, spec.with_rescale((1 / 127.5,), (-1.0,)), make_image_task)


@pytest.fixture(scope="module")
def table() -> Trained:
    space = TabNAS((4,), 3)
    spec = space.network(space.parse("tabnas:0-3-2-x-x"))
    return Trained(train(spec, make_table_task(), epochs=6), spec, make_table_task)


@pytest.fixture(scope="module")
def four(image: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportResult, FakeTask, list[Path]]:
    """One export of the image network in every precision, int8 first, with a promised and a measured latency."""
    task, measured_paths = image.make_task(), []

    def measure(path: Path) -> dict[str, Any]:
        assert path.read_bytes()[4:8] == b"TFL3"
        assert task.reads["test"] == 0
        measured_paths.append(path)
        return make_cost(1.5, "measured").to_dict()

    out = tmp_path_factory.mktemp("four") / "net.tflite"
    result = export(
        image.model,
        image.spec,
        task,
        precision="int8",
        out=out,
        seed=7,
        promised=[make_cost(1.25, "predicted").to_dict()],
        measure=measure,
        calibration_examples=60,
        also=("float32", "float16", "dynamic", "int8"),
    )
    return result, task, measured_paths


def make_cost(value: float, method: str) -> Cost:
    return Cost(
        metric="latency_ms",
        value=value,
        unit="ms",
        low=value - 0.1,
        high=value + 0.1,
        method=method,
        target="host-cpu",
        batch=1,
        precision="int8",
        threads=1,
        delegate="xnnpack",
        runtime="ai-edge-litert 2",
        fingerprint="abc",
        runs=40,
        warmup=6,
        spread=0.1,
        at="2030-01-01T00:00:00+00:00",
    )


# -- what is written -------------------------------------------------------------------------------------------------


def test_all_files_are_there_and_nothing_else(four: tuple[ExportResult, FakeTask, list[Path]]) -> None:
    result, _, measured_paths = four
    folder = result.tflite.parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "net-dynamic.tflite",
        "net-float16.tflite",
        "net-float32.tflite",
        "net.json",
        "net.labels.txt",
        "net.md",
        "net.tflite",
    ]
    assert set(result.files) == set(PRECISIONS)
    assert result.files["int8"] == result.tflite
    assert result.size_bytes == result.tflite.stat().st_size
    assert [path.name for path in measured_paths] == ["net.tflite"]


def test_test_split_is_read_once(four: tuple[ExportResult, FakeTask, list[Path]]) -> None:
    assert four[1].reads == {"train": 1, "validation": 1, "test": 1}


def test_trained_networks_pass_with_good_figures(four: tuple[ExportResult, FakeTask, list[Path]]) -> None:
    result = four[0]
    assert set(result.test_accuracy) == {"keras", *PRECISIONS}
    assert min(result.test_accuracy.values()) > 0.9
    assert result.parity["float32"].top1_agreement == 1.0
    assert result.parity["float32"].max_abs_error < 1e-4 < result.parity["int8"].max_abs_error
    assert json.loads(json.dumps(result.to_dict()))["parity"]["int8"]["examples"] == SIZES["validation"]


def test_files_run_the_ops_the_search_counted(four: tuple[ExportResult, FakeTask, list[Path]], image: Trained) -> None:
    for precision in ("float32", "int8"):
        graph = read_tflite(four[0].files[precision])
        assert difference(graph, lower(image.spec, precision=precision)) is None
        assert (graph.precision, len(graph.ops) > 10) == (precision, True)


def test_card_is_complete_json(four: tuple[ExportResult, FakeTask, list[Path]], image: Trained) -> None:
    result, task, _ = four

    def refuse(text: str) -> None:
        pytest.fail(f"{text} is no JSON")

    card = json.loads(result.card.read_text("utf-8"), parse_constant=refuse)
    assert (card["architecture"], card["space"], card["seed"]) == ("bignas:tiny-0", "bignas", 7)
    assert NetworkSpec.from_dict(card["spec"]) == image.spec
    assert card["sha256"] == result.sha256 == hashlib.sha256(result.tflite.read_bytes()).hexdigest()
    assert card["size_bytes"] == result.size_bytes
    assert card["task"]["class_names"] == list(task.class_names)
    assert card["task"]["preprocessing"]["in_graph"] == {"scale": [1 / 127.5], "offset": [-1.0]}
    assert card["task"]["preprocessing"]["host"] == {"resize": [8, 8]}
    assert card["task"]["provenance"] == {"source": "made up", "seed": 0}
    assert card["metrics"]["test"]["examples"] == SIZES["test"]
    assert set(card["metrics"]["test"]["accuracy"]) == {"keras", *PRECISIONS}
    assert card["latency"]["promised"][0]["value"] == 1.25
    assert Cost.from_dict(card["latency"]["measured"]) == make_cost(1.5, "measured")
    assert card["calibration"] == {"examples": 60, "split": "train"}
    assert {name: file["graph_equal"] for name, file in card["precisions"].items()} == {
        "int8": True,
        "float32": True,
        "float16": None,
        "dynamic": None,
    }
    assert card["precisions"]["int8"]["input"]["dtype"] == "int8"
    assert all(card["versions"][name] for name in ("python", "tensorflow", "keras", "ai-edge-litert"))
    assert card["created"].endswith("+00:00")


def test_metadata_travels_inside_every_file(four: tuple[ExportResult, FakeTask, list[Path]]) -> None:
    result, task, _ = four
    for precision, path in result.files.items():
        found = read_metadata(path)
        assert (found["precision"], found["architecture"]) == (precision, "bignas:tiny-0")
        assert found["class_names"] == list(task.class_names)
        assert found["preprocessing"]["in_graph"]["scale"] == [1 / 127.5]


def test_labels_have_one_line_for_each_class(four: tuple[ExportResult, FakeTask, list[Path]]) -> None:
    assert four[0].labels.read_text("utf-8") == "röd | red\ntwo\\nlines\n`青`\n"


def test_readme_tables_are_sound(four: tuple[ExportResult, FakeTask, list[Path]]) -> None:
    text = four[0].readme.read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    # Cells end at pipes that are not escaped; every row of a table has as many as its head.
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert widths == [7] * 7 + [7] * 4
    assert "measured" in rows[-1]
    assert "predicted" in rows[-2]
    assert "`röd \\| red`, `two lines`, `'青'`" in text
    assert "None" not in text
    assert "Undefined" not in text


# -- running it as a user would --------------------------------------------------------------------------------------


def run_snippet(result: ExportResult, example: np.ndarray) -> str:
    """Save the snippet and an example beside the file, run it in a fresh interpreter; returns what it printed."""
    (code,) = re.findall(r"```python\n(.*?)```", result.readme.read_text("utf-8"), re.DOTALL)
    assert len(ast.parse(code).body) <= 13
    folder = result.tflite.parent
    np.save(folder / "example.npy", example)
    (folder / "run.py").write_text(code, "utf-8")
    command = [sys.executable, "-X", "utf8", "run.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=60)
    for name in ("example.npy", "run.py"):
        (folder / name).unlink()
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_snippet_of_the_int8_image_network(four: tuple[ExportResult, FakeTask, list[Path]], image: Trained) -> None:
    result, task, _ = four
    example = task.splits["test"].x[0]
    expected = image.model.predict_on_batch(example[np.newaxis].astype(np.float32))[0]
    label, probability = run_snippet(result, example).rsplit(" ", 1)
    assert label == task.class_names[int(expected.argmax())].replace("\n", "\\n")
    assert float(probability) == pytest.approx(expected.max(), abs=0.1)


def test_snippet_of_the_float_table_network(table: Trained, tmp_path: Path) -> None:
    task = table.make_task()
    result = export(table.model, table.spec, task, precision="float32", out=tmp_path / "it's.v1.tflite", seed=0)
    assert (result.card.name, result.labels.name) == ("it's.v1.json", "it's.v1.labels.txt")
    assert all(path.is_file() for path in (result.tflite, result.card, result.readme, result.labels))
    assert json.loads(result.card.read_text("utf-8"))["calibration"] is None
    example = task.splits["test"].x[1]
    expected = table.model.predict_on_batch(example[np.newaxis])[0]
    label, probability = run_snippet(result, example).rsplit(" ", 1)
    assert label == task.class_names[int(expected.argmax())]
    assert float(probability) == pytest.approx(expected.max(), abs=1e-4)


def test_single_output_network_of_two_classes(tmp_path: Path) -> None:
    task, space = make_table_task(classes=2), TabNAS((4,), 1)
    spec = space.network(space.parse("tabnas:0-1-1-x-x"))
    model = train(spec, task, epochs=4)
    result = export(model, spec, task, precision="int8", out=tmp_path / "binary.tflite", seed=0)
    assert result.test_accuracy["int8"] > 0.9
    for row in (0, 1, 2, 3):
        answer = run_snippet(result, task.splits["test"].x[row]).rsplit(" ", 1)[0]
        expected = model.predict_on_batch(task.splits["test"].x[row : row + 1])[0, 0] >= 0.5
        assert answer == task.class_names[int(expected)]


# -- the gate refuses ------------------------------------------------------------------------------------------------


def test_check_parity_refuses_another_models_bytes(table: Trained) -> None:
    split = table.make_task().splits["validation"]
    own = convert(table.model)
    assert check_parity(table.model, own, split.x, split.y, precision="float32").top1_agreement == 1.0
    stranger = convert(build(table.spec, seed=3))
    with pytest.raises(NoResultError, match=r"parity gate, float32: expected top-1 agreement >= 0.999 on 120"):
        check_parity(table.model, stranger, split.x, split.y, precision="float32")
    with pytest.raises(NoResultError, match=r"agreement >= 0\.95"):
        check_parity(table.model, stranger, split.x, split.y, precision="int8")
    check_parity(table.model, stranger, split.x, split.y, precision="int8", bounds=Bounds(min_agreement=0.0))
    with pytest.raises(InputError, match=r"the model \(bytes in memory\)"):
        check_parity(table.model, own[: len(own) // 2], split.x, split.y, precision="float32")
    with pytest.raises(InputError, match="did you mean 'int8'"):
        check_parity(table.model, own, split.x, split.y, precision="int9")


def test_a_refused_export_leaves_nothing_and_keeps_the_old_file(table: Trained, tmp_path: Path) -> None:
    task, out = table.make_task(), tmp_path / "m.tflite"
    out.write_bytes(b"the old file")
    strict = {**DEFAULT_BOUNDS, "int8": Bounds(min_agreement=0.9, max_error=0.0)}
    with pytest.raises(NoResultError, match=r"int8: expected maximum error .* <= 0 .* no file was written"):
        export(table.model, table.spec, task, precision="float32", also=["int8"], out=out, seed=0, bounds=strict)
    assert [path.name for path in tmp_path.iterdir()] == ["m.tflite"]
    assert out.read_bytes() == b"the old file"
    assert task.reads["test"] == 0


def test_a_network_of_other_ops_is_refused_by_the_op(table: Trained, tmp_path: Path) -> None:
    spec = replace(table.spec, blocks=(replace(table.spec.blocks[0], units=9), *table.spec.blocks[1:]))
    with pytest.raises(NoResultError, match=r"expected the file to run the ops of tabnas:.* got at op 0: .*FULLY_CONN"):
        export(table.model, spec, table.make_task(), precision="float32", out=tmp_path / "m.tflite", seed=0)
    assert list(tmp_path.iterdir()) == []


# -- bad input -------------------------------------------------------------------------------------------------------


def test_bad_arguments(table: Trained, tmp_path: Path) -> None:
    out = tmp_path / "m.tflite"
    (tmp_path / "file").write_text("no folder")
    logits = build(table.spec.without_softmax())
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"precision": "int4"}, InputError, r"precision: .* got 'int4'; did you mean 'int8'\?"),
        ({"also": ["float61"]}, InputError, r"precision: .* did you mean 'float16'\?"),
        ({"out": tmp_path / "m.onnx"}, InputError, r"out: expected a path ending in \.tflite"),
        ({"out": tmp_path / "file" / "m.tflite"}, InputError, "out: expected a folder that can be written"),
        ({"precision": "int8", "calibration_examples": 0}, InputError, "calibration_examples: expected a whole number"),
        ({"task": make_table_task(classes=4)}, InputError, "expected 4 outputs, the classes of task blobs"),
        ({"task": make_image_task()}, InputError, r"expected input \(8, 8, 3\) of task colours, got \(4,\)"),
        ({"spec": table.spec.with_rescale((2.0,), (0.0,))}, InputError, "expected the rescale none of task blobs"),
        ({"model": logits}, InputError, "model: expected it to end in class probabilities"),
        ({"promised": [{"metric": "latency_ms"}]}, InputError, "cost record: expected the field"),
        ({"measure": lambda path: {"value": 1.0}}, InputError, "cost record: expected the field"),
    ]
    for changes, error, message in cases:
        given: dict[str, Any] = {"model": table.model, "spec": table.spec, "task": table.make_task(), "out": out}
        with pytest.raises(error, match=message):
            export(**{**given, "precision": "float32", "seed": 0, **changes})
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_image_network_without_its_rescale_is_refused(image: Trained, tmp_path: Path) -> None:
    spec = replace(image.spec, blocks=image.spec.blocks[1:])
    with pytest.raises(InputError, match=r"expected the rescale .* got none; use spec\.with_rescale"):
        export(image.model, spec, image.make_task(), precision="float32", out=tmp_path / "m.tflite", seed=0)


def test_a_missing_device_ends_the_export_without_files(table: Trained, tmp_path: Path) -> None:
    def measure(path: Path) -> Mapping[str, Any]:
        raise MissingError("device: none is attached; plug one in.")

    task = table.make_task()
    with pytest.raises(MissingError, match="device"):
        export(table.model, table.spec, task, precision="float32", out=tmp_path / "m.tflite", seed=0, measure=measure)
    assert list(tmp_path.iterdir()) == []
    assert task.reads["test"] == 0


def test_a_full_disk_leaves_nothing_half_written(table: Trained, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_disk(path: Path) -> Mapping[str, Any]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
        return make_cost(1.0, "measured").to_dict()

    try:
        with pytest.raises(NoResultError, match=r"export: expected to write .* got: File too large"):
            export(
                table.model,
                table.spec,
                table.make_task(),
                precision="float32",
                out=tmp_path / "m.tflite",
                seed=0,
                measure=fill_disk,
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_same_seed_same_file(table: Trained, tmp_path: Path) -> None:
    given = {"precision": "int8", "calibration_examples": 20}
    first, again, other = (
        export(table.model, table.spec, table.make_task(), out=tmp_path / f"{name}.tflite", seed=seed, **given)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first.sha256 == again.sha256 != other.sha256
