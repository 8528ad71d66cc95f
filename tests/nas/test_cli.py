"""What each command answers: the keys of its JSON, nothing else on stdout, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.cli.group import group
from nas.constraints import Constraint
from searchspaces.tabnas import TabNAS

Nas = Callable[[Sequence[object]], tuple[int, str, str]]
Config = dict[str, Any]
COST = {
    *("metric", "value", "unit", "low", "high", "method", "target", "batch", "precision", "threads", "delegate"),
    *("runtime", "fingerprint", "runs", "warmup", "spread", "at"),
}
TINY = ["tabnas:0-3-3-x-x", "--input", "4", "--classes", "3"]


def cli(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    command = [sys.executable, "-c", "from nas.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=200)


# -- help and errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", group.commands)
def test_every_command_explains_itself(nas: Nas, name: str) -> None:
    status, out, err = nas([name, "--help"])
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: nas {name} ")
    first = out.split("\n\n")[1].strip()
    assert first.endswith(".") and len(first) > 20


def test_help_lists_the_commands_in_the_order_of_a_project(nas: Nas) -> None:
    status, out, _ = nas(["--help"])
    assert status == 0
    found = [line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    named = [name for name in found if name in group.commands]
    assert named == list(group.commands)
    core = ["spaces", "sample", "describe", "targets", "profile", "plan", "search", "resume", "status", "report"]
    wanted = [*core, "train", "export"]
    assert [name for name in named if name in wanted] == wanted


def test_no_command_shows_the_help(nas: Nas) -> None:
    status, out, err = nas([])
    assert status in (0, 2)
    assert "Usage: nas" in out + err


def test_version(nas: Nas) -> None:
    status, out, _ = nas(["--version"])
    assert status == 0
    assert out.startswith("nas, version ")


def test_debug_shows_where_an_error_comes_from(tmp_path: Path) -> None:
    plain, debug = cli("status", "absent", cwd=tmp_path), cli("--debug", "status", "absent", cwd=tmp_path)
    assert plain.returncode == 2
    assert plain.stderr.startswith("error: ") and "Traceback" not in plain.stderr
    assert debug.returncode != 0
    assert "Traceback (most recent call last)" in debug.stderr
    assert "InputError: absent: expected the folder of a search" in debug.stderr
    after = cli("status", "absent", "--debug", cwd=tmp_path)
    assert "Traceback (most recent call last)" in after.stderr


def test_help_loads_no_framework(tmp_path: Path) -> None:
    script = (
        "import sys; from nas.cli import run; run(['--help']); "
        "sys.exit(bool({'tensorflow', 'keras', 'ray', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0


def test_a_reader_that_has_had_enough_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", "from nas.cli import main; main()", "spaces", "--json"]
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(command, cwd=tmp_path, stdout=pipe, stderr=subprocess.PIPE, check=False, timeout=60)
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


# -- spaces, sample, describe ------------------------------------------------------------------------------------------


def test_spaces(answer: Callable[..., Any], nas: Nas) -> None:
    rows = {row["name"]: row for row in answer("spaces")}
    assert {"bignas", "tabnas"} <= set(rows)
    for row in rows.values():
        assert {"name", "size", "choices", "reference_networks"} <= set(row)
    # TabNAS (Yang et al. 2022): 20 widths a layer, 2 to 4 layers.
    assert rows["tabnas"]["size"] == 20**2 + 20**3 + 20**4
    assert rows["tabnas"]["choices"][0] == {"name": "layers", "values": [2, 3, 4], "unsearched": []}
    assert "tabnas-higgs" in rows["tabnas"]["reference_networks"]
    assert {"bignas-min", "bignas-max", "efficientnet-b0"} <= set(rows["bignas"]["reference_networks"])
    _, out, _ = nas(["spaces"])
    assert "tabnas" in out and "168,400" in out


def test_sample_is_decided_by_its_seed(answer: Callable[..., Any]) -> None:
    arguments = ("sample", "tabnas", "--input", "4", "--classes", "3", "-n", "5")
    first, again, other = answer(*arguments), answer(*arguments, "--seed", 0), answer(*arguments, "--seed", 1)
    assert first == again != other
    assert len(first) == len(other) == 5
    space = TabNAS((4,), 3)
    for row in first:
        architecture = space.parse(row["id"])
        assert architecture.id == row["id"]
        assert row["params"] == space.network(architecture).params
        assert {"id", "params", "macs"} <= set(row)


def test_sample_keeps_every_constraint(answer: Callable[..., Any]) -> None:
    bounds = ["params <= 2000", "macs >= 500", "arena_bytes < 1000"]
    options = [word for bound in bounds for word in ("--constraint", bound)]
    rows = answer("sample", "tabnas", "--input", "4", "--classes", "3", "-n", 20, *options)
    assert len(rows) == 20
    for row in rows:
        for bound in map(Constraint.parse, bounds):
            assert bound.holds(row[bound.metric])


def test_sample_says_when_it_finds_fewer(nas: Nas) -> None:
    command = ["sample", "tabnas", "--input", "4", "--classes", "3", "-n", 20, "--constraint", "params <= 150"]
    status, out, err = nas([*command, "--json"])
    assert status == 0
    rows = json.loads(out)
    assert 0 < len(rows) < 20
    assert f"only {len(rows)} feasible among 4000 looked at" in err


def test_describe_a_network_by_its_id(answer: Callable[..., Any]) -> None:
    found = answer("describe", *TINY)
    # Widths 32 and 32: 4·32+32, 32·32+32 and 32·3+3 values.
    assert found == {
        "name": "tabnas:0-3-3-x-x",
        "id": "tabnas:0-3-3-x-x",
        "params": 1315,
        "trainable_params": 1315,
        "macs": 4 * 32 + 32 * 32 + 32 * 3,
        "input_shape": [4],
        "output_shapes": [[3]],
        "output_names": ["probabilities"],
        "weight_bytes": 4 * 1315,
        "peak_activation_bytes": found["peak_activation_bytes"],
        "arena_bytes": found["arena_bytes"],
        "ops": {"FULLY_CONNECTED": 3, "SOFTMAX": 1},
        "portability": {"portable": True, "cpu": [], "gpu": [], "dsp": [], "edgetpu": []},
    }
    assert 4 * (32 + 32) <= found["peak_activation_bytes"] <= found["arena_bytes"]


def test_describe_a_detector_and_its_backbone(answer: Callable[..., Any]) -> None:
    detector, backbone = answer("describe", "mobiledet-cpu"), answer("describe", "mobiledet-cpu-backbone")
    assert detector["output_names"] == ["boxes", "scores"]
    assert detector["output_shapes"] == [[2034, 4], [2034, 91]]
    assert backbone["output_names"] == ["C1", "C2", "C3", "C4", "C5"]
    assert backbone["output_shapes"][-1] == [10, 10, 144]
    assert answer("describe", "mobiledet-cpu", "--classes", 20)["output_shapes"] == [[2034, 4], [2034, 21]]


@pytest.mark.parametrize(
    ("name", "trainable", "macs", "shape"),
    [
        # Tan & Le 2019, table 2: 5.3M parameters, 0.39B multiply-adds; keras.applications counts 5,288,548 trainable.
        ("efficientnet-b0", 5_288_548, (0.385e9, 0.405e9), [224, 224, 3]),
        # The dense sums of the TabNAS reference networks, biases included.
        ("tabnas-higgs", 29 * 16 + 16 + 16 * 144 + 144 + 144 * 16 + 16 + 16 + 1, (5088, 5088), [29]),
    ],
)
def test_describe_a_reference_network(
    answer: Callable[..., Any], name: str, trainable: int, macs: tuple[float, float], shape: list[int]
) -> None:
    found = answer("describe", name)
    assert found["name"] == name
    assert found["trainable_params"] == trainable
    assert macs[0] <= found["macs"] <= macs[1]
    assert found["input_shape"] == shape


def test_describe_for_people(nas: Nas) -> None:
    status, out, err = nas(["describe", *TINY])
    assert (status, err) == (0, "")
    assert "1,315" in out and "3 FULLY_CONNECTED" in out and "yes: cpu, gpu, dsp, edgetpu" in out


def test_describe_says_what_speaks_against_a_network_on_which_device(answer: Callable[..., Any], nas: Nas) -> None:
    found = answer("describe", "mobilenet-v3-large")["portability"]
    assert (found["portable"], found["cpu"]) == (False, [])
    assert found["edgetpu"][0] == {
        "what": "HARD_SWISH",
        "count": 21,
        "reason": "not on the list of the Coral Edge TPU compiler",
    }
    assert answer("describe", "mobilenet-multi-avg")["portability"]["portable"] is True
    _, out, _ = nas(["describe", "mobilenet-v3-large"])
    assert "21 HARD_SWISH: not on the list" in out and "8 squeeze-excite" in out


# -- targets, profile --------------------------------------------------------------------------------------------------


def test_targets(answer: Callable[..., Any], nas: Nas) -> None:
    rows = {row["name"]: row for row in answer("targets")}
    for row in rows.values():
        assert {"name", "kind", "method", "precisions", "runtime", "validated"} <= set(row)
        assert row["method"] in ("measured", "compiled", "predicted")
    assert rows["host-cpu"]["kind"] == "cpu"
    assert rows["host-cpu"]["method"] == "measured"
    assert {"float32", "int8"} <= set(rows["host-cpu"]["precisions"])
    assert rows["host-cpu"]["may_gate"] is True
    assert (rows["pixel1-cpu"]["method"], rows["pixel1-cpu"]["validated"]) == ("predicted", None)
    assert rows["pixel1-cpu"]["may_gate"] is False
    out = nas(["targets"])[1]
    assert "host-cpu" in out and "predicted" in out


def test_profile_on_a_predicted_target(answer: Callable[..., Any]) -> None:
    cost = answer("profile", "proxylessnas-mobile", "--target", "pixel1-cpu")
    assert set(cost) >= COST
    assert (round(cost["value"], 1), cost["method"], cost["target"]) == (84.4, "predicted", "pixel1-cpu")
    assert cost["low"] is cost["high"] is cost["spread"] is None
    assert "never held against measurements" in cost["note"]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_profile_of_a_network(answer: Callable[..., Any], precision: str) -> None:
    cost = answer("profile", *TINY, "--runs", 3, "--precision", precision)
    assert set(cost) >= COST
    assert (cost["metric"], cost["unit"], cost["method"]) == ("latency_ms", "ms", "measured")
    assert (cost["target"], cost["precision"], cost["batch"], cost["threads"]) == ("host-cpu", precision, 1, 1)
    assert 0 < cost["low"] <= cost["value"] <= cost["high"]


def test_profile_of_a_file_op_by_op(answer: Callable[..., Any], nas: Nas, tmp_path: Path) -> None:
    from hardware_profiles.lower import lower
    from hardware_profiles.write_tflite import write_tflite

    path = tmp_path / "net.tflite"
    space = TabNAS((4,), 3)
    path.write_bytes(write_tflite(lower(space.network(space.parse(TINY[0])))))
    cost = answer("profile", path, "--runs", 3, "--threads", 2, "--per-op")
    assert set(cost) >= COST | {"ops"}
    assert cost["threads"] == 2
    kinds = [op["kind"] for op in cost["ops"]]
    assert kinds.count("FULLY_CONNECTED") == 3
    status, out, _ = nas(["profile", path, "--runs", 3])
    assert status == 0 and "host-cpu" in out


# -- plan --------------------------------------------------------------------------------------------------------------


def test_plan_of_a_table(answer: Callable[..., Any], write_yaml: Callable[..., Path], table_config: Config) -> None:
    found = answer("plan", write_yaml(table_config), "--samples", 800)
    assert found["space"]["name"] == "tabnas"
    assert (found["space"]["size"], found["samples"], found["trials"]) == (400, 800, 30)
    assert set(found["acceptance"]) == {"size <= 400", "latency_ms@toy <= 1.2"}
    # 76 of the 400 rows keep both bounds; 5 standard deviations of 800 draws.
    assert abs(found["feasible"] - 76 / 400) < 5 * np.sqrt(0.19 * 0.81 / 800)
    assert sum(found["infeasible_reasons"].values()) == round(800 * (1 - found["feasible"]))
    # 800 draws of 400 leave 400·(1 - 1/400)^800 = 54 out.
    assert 0.5 < found["duplicates"] < 0.6
    for metric in ("size", "latency_ms@toy"):
        figures = found["costs"][metric]
        assert figures["min"] <= figures["median"] <= figures["max"]
        assert len(figures["edges"]) == len(figures["counts"]) + 1
    assert found["estimated_s"] > 0


def test_plan_of_images_trains_nothing(
    answer: Callable[..., Any], nas: Nas, write_yaml: Callable[..., Path], tmp_path: Path
) -> None:
    config = write_yaml(
        {
            "space": {"name": "bignas", "stem_stride": 2},
            "task": "digits",
            "constraints": ["params <= 4e5", "macs <= 1"],
            "budget": {"trials": 10, "trial_s": 20, "wall_clock_s": 150},
        }
    )
    found = answer("plan", config, "--samples", 12)
    assert found["space"]["input"] == [8, 8, 1]
    assert (found["feasible"], found["acceptance"]["macs <= 1"]) == (0, 0)
    assert found["seconds_per_proposal"] is None and found["estimated_s"] is None
    status, out, _ = nas(["plan", config, "--samples", 12])
    assert status == 0
    assert "nothing looked at was feasible" in out and "almost nothing keeps it" in out
    found = answer("plan", config, "--samples", 12, "--set", "constraints=[]")
    assert found["feasible"] == 1
    assert found["estimated_s"] == 150
    assert [path.name for path in tmp_path.iterdir()] == ["search.yaml"]
