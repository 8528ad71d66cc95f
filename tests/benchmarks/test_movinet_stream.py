"""Weights by the names of tf-models-official, and times of frames; the package itself is not needed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.movinet_stream import measure as figures
from benchmarks.movinet_stream.weights import load_weights, our_name
from models.builder import build
from models.testing import randomise_vectors
from searchspaces.catalog import named_network
from searchspaces.errors import InputError

PLACES = {
    "expand": "expansion/conv2d/conv2d",
    "expand_bn": "expansion/conv2d/bn",
    "depthwise": "feature/conv2d/depthwise_conv2d",
    "depthwise_bn": "feature/conv2d/bn",
    "temporal": "feature/conv2d_temporal/depthwise_conv2d_1",
    "temporal_bn": "feature/conv2d_temporal/bn_temporal",
    "se_reduce": "se/se_reduce/conv2d/conv2d_1",
    "se_expand": "se/se_expand/conv2d/conv2d_2",
    "project": "projection/conv2d/conv2d_3",
    "project_bn": "projection/conv2d/bn",
    "skip": "skip/skip_project/conv2d/conv2d_4",
    "skip_bn": "skip/skip_project/conv2d/bn",
}
ENDS = {
    "stem_conv": "stem/stem/conv2d/conv2d",
    "stem_bn": "stem/stem/conv2d/bn",
    "head_conv": "head/project/conv2d/conv2d",
    "head_bn": "head/project/conv2d/bn",
    "hidden_dense": "classifier_head/head/conv2d/conv2d",
    "classifier_dense": "classifier_head/classifier/conv2d/conv2d_1",
}


def their_name(path: str) -> str:
    """The other way round, written out from the package's own names."""
    layer, _, weight = path.rpartition("/")
    block = re.match(r"block(\d+)_(\d+)_(.*)", layer)
    if block is None:
        return f"{ENDS[layer]}/{weight}:0"
    theirs = f"block{int(block[1]) - 1}_layer{int(block[2]) - 1}"
    if block[3] == "rezero":
        return f"{theirs}/scale:0"
    weight = "depthwise_kernel" if block[3] in ("depthwise", "temporal") else weight
    return f"{theirs}/bneck/{PLACES[block[3]]}/{weight}:0"


@pytest.fixture(scope="module")
def stream():
    model = build(named_network("movinet-t0-stream", (2, 20, 20, 3), 4).spec.deployed)
    randomise_vectors(model, np.random.default_rng(0))
    return model


def test_every_weight_has_one_name_on_each_side(stream):
    paths = [weight.path for weight in stream.weights if "seed_generator" not in weight.path]
    assert [our_name(their_name(path)) for path in paths] == paths


def test_weights_arrive_where_they_belong(stream):
    rng, given = np.random.default_rng(1), {}
    for weight in stream.weights:
        shape = tuple(weight.shape)
        wide = (1, 1, *shape) if weight.path.endswith("dense/kernel") else shape
        given[their_name(weight.path)] = rng.random(wide, dtype=np.float32)
    load_weights(stream, given)
    for weight in stream.weights:
        value = given[their_name(weight.path)]
        assert np.array_equal(np.asarray(weight), value.reshape(weight.shape))


def test_other_weights_are_refused(stream):
    given = {their_name(weight.path): np.asarray(weight) for weight in stream.weights}
    with pytest.raises(InputError, match=r"resnet/conv1.*compare like with like"):
        our_name("resnet/conv1/kernel:0")
    with pytest.raises(InputError, match=r"stem_conv/kernel and 0 more"):
        load_weights(stream, {name: value for name, value in given.items() if "stem/stem/conv2d/conv2d" not in name})
    with pytest.raises(InputError, match=r"stem_conv/kernel: expected shape \(3, 3, 3, 8\), got \(1,\)"):
        load_weights(stream, given | {"stem/stem/conv2d/conv2d/kernel:0": np.zeros(1, np.float32)})


def test_without_the_package_our_own_figures_remain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(figures.PEER_PYTHON, raising=False)
    monkeypatch.setenv(figures.PEER_FOLDER, str(tmp_path))
    rows = figures.measure(networks=("t0",), passes=2, runs=2, precisions=("float32",))
    assert [row.name for row in rows] == [
        "t0 float32: network alone",
        "t0 float32: streaming loop",
        "t0 float32: to the file",
        "beside tf-models-official",
        "load of the machine",
    ]
    assert all(row.value > 0 and row.met is None for row in rows[:3])
    assert rows[3].note.startswith("not installed")
    assert (tmp_path / "t0" / "ours_float32.tflite").exists()
