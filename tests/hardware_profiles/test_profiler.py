from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hardware_profiles import litert_c, profiler
from hardware_profiles.litert_c import Api, Event, ProfiledModel
from hardware_profiles.profiler import OpProfile, match_ops, profile_ops
from searchspaces.errors import InputError, MissingError, NoResultError

TinyModel = Callable[..., bytes]


def event(tag: str, *, delegated: bool = True, node: int = 0) -> Event:
    return Event(tag=tag, delegated=delegated, elapsed_us=1, node=node)


def test_an_int8_relu_is_seen_to_fall_back(tiny_model: TinyModel) -> None:
    """XNNPACK has no quantised RELU; the profile has to show such ops, which are often the slow ones."""
    profile = profile_ops(tiny_model("int8", relu=True), runs=3, isolate=False)
    assert [(op.index, op.kind, op.delegated) for op in profile.ops] == [(0, "CONV_2D", True), (1, "RELU", False)]
    assert profile.ops[0].kernel.startswith("Convolution (NHWC, Q")
    assert profile.total_us == sum(op.latency_us for op in profile.ops)
    assert (profile.runs, profile.threads) == (3, 1)


def test_a_float_relu_is_merged_into_the_convolution(tiny_model: TinyModel) -> None:
    profile = profile_ops(tiny_model(relu=True), runs=3, isolate=False)
    assert [(op.index, op.kind) for op in profile.ops] == [(0, "CONV_2D")]
    assert "F32" in profile.ops[0].kernel


def test_a_process_of_its_own_gives_the_same_ops(tiny_model: TinyModel, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_model("int8", relu=True))
    apart, here = profile_ops(path, runs=3), profile_ops(path, runs=3, isolate=False)
    assert [(op.kind, op.kernel) for op in apart.ops] == [(op.kind, op.kernel) for op in here.ops]
    assert apart.runtime == here.runtime


def test_a_profile_survives_json(tiny_model: TinyModel) -> None:
    profile = profile_ops(tiny_model(), runs=2, isolate=False)
    assert OpProfile.from_dict(json.loads(json.dumps(profile.to_dict()))) == profile
    assert profile.coverage >= 0


def test_the_module_prints_a_table_and_json(
    tiny_model: TinyModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_model("int8", relu=True))
    assert profiler.main([str(path), "--runs", "2"]) == 0
    assert "built-in RELU" in capsys.readouterr().out
    assert profiler.main([str(path), "--runs", "2", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["ops"]) == 2


def test_the_module_reports_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert profiler.main([str(tmp_path / "none.tflite")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert profiler.main([str(tmp_path / "none.tflite"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "InputError"


@pytest.mark.parametrize("isolate", [True, False])
def test_a_custom_op_is_named_from_either_process(isolate: bool, tiny_model: TinyModel) -> None:
    with pytest.raises(InputError, match="custom op MyOp"):
        profile_ops(tiny_model(custom="MyOp"), isolate=isolate)


@pytest.mark.parametrize(
    ("option", "value"), [("runs", 0), ("runs", -3), ("warmup", -1), ("threads", 0), ("runs", 1.5)]
)
def test_options_out_of_range_are_named(option: str, value: Any, tiny_model: TinyModel) -> None:
    with pytest.raises(InputError, match=f"^{option}: expected"):
        profile_ops(tiny_model(), **{option: value})


@pytest.mark.parametrize("content", [b"", b"text, not a model", b"\x1c\0\0\0TFL3" + bytes(50)])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.tflite"):
        profile_ops(path, isolate=False)


def test_a_crash_of_the_library_ends_in_no_result(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"]
    run = subprocess.run
    monkeypatch.setattr(profiler.subprocess, "run", lambda _, **options: run(crash, **options))
    with pytest.raises(NoResultError, match="ended with status -11"):
        profile_ops(tiny_model())


def test_output_that_is_no_profile_ends_in_no_result(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], 0, stdout="[1, 2]\n", stderr="")
    monkeypatch.setattr(profiler.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(NoResultError, match="status 0"):
        profile_ops(tiny_model())


def test_an_endless_profile_ends_at_the_limit(tiny_model: TinyModel) -> None:
    with pytest.raises(NoResultError, match=r"within 0\.01 s"):
        profile_ops(tiny_model(), time_limit_s=0.01)


def test_a_missing_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert_c.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingError, match="ai-edge-litert"):
        litert_c.library_path()
    with pytest.raises(MissingError, match="to load"):
        Api(tmp_path / "libLiteRt.so")


def test_a_library_without_a_function_is_missing() -> None:
    """The C library itself loads but has none of these functions."""
    libc = Path("libc.so.6" if sys.platform == "linux" else "libSystem.dylib")
    with pytest.raises(MissingError, match="LiteRtCreateEnvironment"):
        Api(libc)


def test_a_refused_call_names_call_and_status(tmp_path: Path) -> None:
    with pytest.raises(NoResultError, match=r"LiteRtCreateModelFromFile .* status 500 \(file cannot be read\)"):
        ProfiledModel(tmp_path / "none.tflite", threads=1, rng=np.random.default_rng(0))


def test_delegated_kernels_are_matched_in_file_order() -> None:
    """A 1×1 convolution runs as a dense layer, and the RELU6 is merged into it."""
    kinds = ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "RELU6", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    events = [
        event("Convolution (NHWC, F32) IGEMM"),
        event("Convolution (NHWC, F32) DWConv"),
        event("Fully Connected (NC, F32) GEMM"),
        event("Mean (ND) Reduce2"),
        event("Fully Connected (NC, F32) GEMM"),
        event("SOFTMAX", delegated=False, node=6),
    ]
    assert match_ops(events, kinds) == [0, 1, 2, 4, 5, 6]


def test_an_int8_swish_is_one_kernel() -> None:
    """XNNPACK turns LOGISTIC and MUL into one table, and leaves the MUL of a squeeze-and-excite gate alone."""
    kinds = ["CONV_2D", "LOGISTIC", "MUL", "MEAN", "LOGISTIC", "MUL"]
    names = ["Convolution (NHWC, QC8) IGEMM", "Invalid Unary Op", "Mean (ND)", "Invalid Unary Op", "Multiply (ND)"]
    assert match_ops([event(name) for name in names], kinds) == [0, 1, 3, 4, 5]


def test_partitions_in_another_order_are_still_matched_once_each() -> None:
    kinds = ["ADD", "RELU", "MUL", "ADD"]
    events = [event("RELU", delegated=False, node=1), event("Multiply (ND)"), event("Add (ND)"), event("Add (ND)")]
    assert match_ops(events, kinds) == [1, 2, 3, 0]


def test_a_kernel_the_delegate_put_in_matches_nothing() -> None:
    events = [event("Convert (NC, F32, QD8)"), event("Fully Connected (NC, QD8, F32, QC8W) GEMM"), event("Strange (X)")]
    assert match_ops(events, ["FULLY_CONNECTED"]) == [None, 0, None]
