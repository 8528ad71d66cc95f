"""A phone as target, through the real adb client and a server that plays the phone; no phone was ever attached."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hardware_profiles.devices.adb import AdbDevice
from hardware_profiles.devices.android_target import AndroidTarget
from hardware_profiles.devices.benchmark_command import BenchmarkOptions, benchmark_command
from hardware_profiles.op_graph import OpGraph
from hardware_profiles.target import Target, load_target
from hardware_profiles.target_file import read_target_file
from hardware_profiles.testing import check_target
from hardware_profiles.write_tflite import write_tflite
from searchspaces.errors import InputError, MissingError, NoResultError

from .fake_adb import FakeAdbServer, FakePhone
from .test_benchmark_log import NEW, OP_CSV

ConvGraph = Callable[..., OpGraph]
MakeTarget = Callable[..., Target]

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("adbutils") is None, reason="adbutils is the extra `device`"),
    pytest.mark.timeout(60),
]

WHOLE = "INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate.\n"
PARTLY = (
    "INFO: Explicitly applied GPU delegate, and the model graph will be partially executed by the delegate w/ 2 "
    "delegate kernels.\n"
)
CPU_AGAIN = "INFO: Though GPU delegate is explicitly applied, the model graph will not be executed by the delegate.\n"
STATE = (
    "Pixel 4\n----\ngoogle/flame/flame:13/TP1A\n----\nThermal Status: {heat}\n----\n"
    "  level: 80\n  temperature: 312\n----\n1785600\n1785600\n2419200\n"
)


def log(minimum_us: int, before: str = "") -> str:
    return before + NEW.replace("min=14880", f"min={minimum_us}")


@pytest.fixture
def phone() -> FakePhone:
    return FakePhone(benchmark=[log(14880), log(14900), log(15000)], answers={"getprop": STATE.format(heat=0)})


@pytest.fixture
def server(phone: FakePhone) -> Iterator[FakeAdbServer]:
    with FakeAdbServer({"FAKE01": phone}) as running:
        yield running


@pytest.fixture
def make(tmp_path: Path, server: FakeAdbServer) -> MakeTarget:
    """Makes a target of the server's phone; options go into its `[device]` table."""
    tool = tmp_path / "benchmark_model"
    tool.write_bytes(b"\x7fELF the tool")

    def made(waits: list[float] | None = None, **options: str | int | float) -> Target:
        table = {"benchmark_model": tool.name, "port": server.port, **options}
        lines = "\n".join(f"{key} = {value!r}".replace("'", '"') for key, value in table.items())
        path = tmp_path / "phone.toml"
        path.write_text(
            'name = "phone"\nkind = "cpu"\nmethod = "measured"\nrunner = "android"\nruntime = "tflite nightly"\n'
            'precisions = ["float32", "int8"]\nthreads = 1\nsupported_ops = "all builtin"\n'
            f'description = "A phone"\n\n[device]\n{lines}\n'
        )
        if waits is None:
            return load_target(path)
        return AndroidTarget(read_target_file(path, ("android",)), sleep=waits.append)

    return made


def test_a_network_is_pushed_timed_and_removed(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph) -> None:
    cost = make(core_mask="f0").cost(conv_graph(16))
    assert (cost.value, cost.low, cost.high, cost.unit) == (14.9, 14.88, 15.0, "ms")
    assert (cost.passes, cost.runs, cost.warmup, cost.median) == (3, 66, 31, 15.001)
    assert (cost.method, cost.delegate, cost.threads) == ("measured", "cpu", 1)
    assert cost.note == (
        "Pixel 4, google/flame/flame:13/TP1A; clocks 1.79/1.79/2.42 GHz; thermal status 0 to 0; battery 80 %"
    )
    assert "benchmark_model" in cost.runtime and cost.runtime.startswith("tflite nightly")
    assert [path.rpartition("/")[2][:26] for path in phone.files] == ["paretonas-benchmark_model-"]
    runs = [command for command in phone.commands if "--graph=" in command]
    assert len(runs) == 3 and all(
        run.startswith("taskset f0 /data/local/tmp/paretonas-benchmark_model-") for run in runs
    )
    assert "--use_xnnpack=true" in runs[0] and "--num_runs=50" in runs[0]


def test_the_tool_is_pushed_once(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph) -> None:
    for width in (16, 32):
        make().cost(conv_graph(width))
    assert sum("benchmark_model" in path for path in phone.pushes) == 1 and len(phone.pushes) == 3


def test_the_target_passes_the_kit(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph) -> None:
    phone.benchmark = [log(14880)]
    check_target(make(), [conv_graph(16), conv_graph(64)])


def test_a_file_is_timed_as_it_is(make: MakeTarget, tmp_path: Path, conv_graph: ConvGraph) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(write_tflite(conv_graph(16, "int8")))
    assert make().cost_of_file(path).precision == "int8"
    with pytest.raises(InputError, match="precision"):
        make().cost_of_file(path, precision="float32")
    with pytest.raises(InputError, match="threads: expected 1"):
        make().cost_of_file(path, threads=4)


def test_operators_come_from_a_run_of_their_own(
    make: MakeTarget, phone: FakePhone, tmp_path: Path, conv_graph: ConvGraph
) -> None:
    path = tmp_path / "network.tflite"
    path.write_bytes(write_tflite(conv_graph(16)))
    phone.answers["op csv"] = OP_CSV
    rows = make().per_op(path)
    assert [row["kind"] for row in rows] == ["CONV_2D", "ADD"] and rows[0]["unit"] == "ms"
    assert "--enable_op_profiling=true" in next(command for command in phone.commands if "--graph=" in command)
    assert not [path for path in phone.files if path.endswith((".csv", ".tflite"))]


def test_phones_before_android_7_pass_no_exit_status(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph) -> None:
    phone.features = "cmd"
    assert make().cost(conv_graph(16)).value == 14.9


# -- delegates ---------------------------------------------------------------------------------------------------------


def test_a_delegate_that_runs_all_of_it_counts(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph) -> None:
    phone.benchmark = [log(6000, WHOLE)]
    cost = make(delegate="gpu", gpu_backend="cl").cost(conv_graph(16))
    assert (cost.value, cost.delegate) == (6.0, "gpu") and "kernels" not in cost.note


def test_a_delegate_that_runs_a_part_is_said(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph) -> None:
    phone.benchmark = [log(6000, PARTLY)]
    assert "GPU runs a part in 2 kernels, the CPU the rest" in make(delegate="gpu").cost(conv_graph(16)).note


@pytest.mark.parametrize("line", [CPU_AGAIN, ""])
def test_a_silent_fallback_is_refused(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph, line: str) -> None:
    phone.benchmark = [log(6000, line)]
    with pytest.raises(NoResultError, match="the gpu delegate runs none of the network"):
        make(delegate="gpu").cost(conv_graph(16))


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ({"delegate": "gpu", "fp16": False}, ["--use_gpu=true", "--gpu_precision_loss_allowed=false"]),
        (
            {"delegate": "nnapi", "accelerator": "qti-dsp"},
            ["--use_nnapi=true", "--nnapi_accelerator_name=qti-dsp", "--disable_nnapi_cpu=true"],
        ),
        ({"delegate": "edgetpu"}, ["--nnapi_accelerator_name=google-edgetpu"]),
        (
            {"delegate": "hexagon", "hexagon_library_folder": "/data/local/tmp"},
            ["--use_hexagon=true", "--hexagon_lib_path=/data/local/tmp"],
        ),
        ({"threads": 4}, ["--use_xnnpack=true", "--num_threads=4"]),
    ],
)
def test_every_delegate_has_its_flags(options: dict[str, str], flags: list[str]) -> None:
    line = benchmark_command("/tool", "/a model", BenchmarkOptions(**options))  # type: ignore[arg-type]
    assert all(flag in line.split() for flag in flags) and "'--graph=/a model'" in line
    assert line.startswith("LD_LIBRARY_PATH=/data/local/tmp") is (options.get("delegate") == "hexagon")


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_passes_that_do_not_agree_are_made_again(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph) -> None:
    waits: list[float] = []
    phone.benchmark = [log(10000), log(15000), log(10000), log(10000)]
    cost = make(waits, cooldown_s=7.0).cost(conv_graph(16))
    assert (cost.value, cost.spread, waits) == (10.0, 0.0, [7.0]) and "apart" not in cost.note


def test_passes_that_never_agree_are_given_with_a_note(
    make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph
) -> None:
    phone.benchmark = [log(10000), log(15000), log(10000)] * 3
    waits: list[float] = []
    cost = make(waits, attempts=2).cost(conv_graph(16))
    assert "passes 50% apart after 2 attempts" in cost.note and (cost.low, cost.high) == (10.0, 15.0)


def test_a_hot_phone_is_left_to_cool(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph) -> None:
    waits: list[float] = []
    target = make(waits)
    phone.answers["getprop"] = STATE.format(heat=4)
    with pytest.raises(NoResultError, match=r"the phone is hot \(thermal status 4\)"):
        target.cost(conv_graph(16))
    assert waits == [30.0, 30.0]
    assert not [path for path in phone.files if path.endswith(".tflite")]


# The client does not close a connection that ends before it is answered.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_phone_pulled_off_in_mid_run(make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph) -> None:
    phone.pulled_after = 4
    with pytest.raises(MissingError, match=r"lost FAKE01 .* nas resume"):
        make().cost(conv_graph(16))


def test_a_full_storage_is_said_with_how_much_room_there_is(
    make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph
) -> None:
    phone.room_bytes = 100
    with pytest.raises(NoResultError, match=r"bytes did not arrive at .* free some storage.*100%"):
        make().cost(conv_graph(16))


def test_a_tool_for_another_processor_is_an_input_error(
    make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph
) -> None:
    phone.benchmark, phone.status = ["sh: /data/local/tmp/benchmark_model: not executable: 64-bit ELF file\n"], 126
    with pytest.raises(InputError, match=r"does not run on phone: .*64-bit ELF file; take the one"):
        make().cost(conv_graph(16))


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("Aborted\n", 134, "ended with status 134: Aborted"),
        ("garbage \x00\xff\n", 0, "expected a line of timings"),
        ("ERROR: Failed to apply GPU delegate.\n", 0, "Failed to apply GPU delegate"),
    ],
)
def test_a_run_without_times_is_quoted(
    make: MakeTarget, phone: FakePhone, conv_graph: ConvGraph, text: str, status: int, words: str
) -> None:
    phone.benchmark, phone.status = [text], status
    with pytest.raises(NoResultError, match=words):
        make().cost(conv_graph(16))


def test_a_run_that_does_not_end_is_given_up(server: FakeAdbServer, phone: FakePhone) -> None:
    phone.hangs = True
    with pytest.raises(NoResultError, match=r"not done after 0\.2 s"):
        AdbDevice(port=server.port).shell("tool --graph=x", time_limit_s=0.2)


@pytest.mark.parametrize(
    ("phones", "serial", "kind", "message"),
    [
        ({}, "", MissingError, "no device; plug one in"),
        ({"A": FakePhone(), "B": FakePhone()}, "", InputError, "expected one of A, B, got none"),
        ({"A": FakePhone(state="unauthorized")}, "", MissingError, "A is unauthorized"),
        ({"A": FakePhone(state="offline")}, "A", MissingError, "A is offline"),
        ({"A": FakePhone()}, "C", MissingError, "C is not there; it has A"),
    ],
)
def test_which_phone(phones: dict[str, FakePhone], serial: str, kind: type[Exception], message: str) -> None:
    with FakeAdbServer(phones) as running, pytest.raises(kind, match=message):
        AdbDevice(serial, port=running.port)


def test_of_several_phones_the_named_one_is_taken() -> None:
    phones = {"A": FakePhone(), "B": FakePhone(answers={"getprop": STATE.format(heat=1)})}
    with FakeAdbServer(phones) as running:
        state = AdbDevice("B", port=running.port).state()
    assert (state.model, state.thermal_status, state.battery_celsius) == ("Pixel 4", 1, 31.2)
    assert not phones["A"].commands


def test_a_phone_that_says_nothing_of_itself(server: FakeAdbServer, phone: FakePhone) -> None:
    phone.answers = {}
    state = AdbDevice(port=server.port).state()
    assert (state.model, state.thermal_status, state.clocks_khz) == ("unknown", None, ())


def test_the_stand_in_satisfies_the_real_adb_program(server: FakeAdbServer, tmp_path: Path) -> None:
    adbutils = pytest.importorskip("adbutils")
    source = tmp_path / "file"
    source.write_bytes(b"x" * 100_000)
    command = [adbutils.adb_path(), "-P", str(server.port), "-s", "FAKE01", "push", str(source), "/data/local/tmp/file"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert server.phones["FAKE01"].files["/data/local/tmp/file"] == source.read_bytes()


# -- the table ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"benchmark_model": "absent"}, "no such file"),
        ({"serail": "A"}, "did you mean 'serial'"),
        ({"passes": 0}, "key device.passes: expected 1 or more"),
        ({"passes": "three"}, "key device.passes: expected int, got 'three'"),
        ({"delegate": "gqu"}, "did you mean 'gpu'"),
        ({"delegate": "nnapi"}, "device.accelerator: expected the name"),
        ({"core_mask": "big"}, "device.core_mask: expected hexadecimal"),
        ({"gpu_backend": "vulkan"}, "device.gpu_backend"),
    ],
)
def test_tables_that_are_refused(make: MakeTarget, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(**options)


def test_without_a_tool_it_says_where_to_get_one(tmp_path: Path) -> None:
    path = tmp_path / "phone.toml"
    path.write_text(
        'name = "phone"\nkind = "cpu"\nmethod = "measured"\nrunner = "android"\nruntime = "tflite"\n'
        'precisions = ["float32"]\nthreads = 1\nsupported_ops = "all builtin"\ndescription = "x"\n'
    )
    with pytest.raises(InputError, match=r"device\.benchmark_model: expected the path .* docs/devices\.md"):
        load_target(path)
