"""A user's own device: a command, or one method in Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hardware_profiles.devices.command_target import CommandTarget
from hardware_profiles.op_graph import OpGraph
from hardware_profiles.target import load_target
from hardware_profiles.target_file import read_target_file
from hardware_profiles.testing import check_target
from searchspaces.errors import InputError, MissingError, NoResultError

ConvGraph = Callable[..., OpGraph]
Write = Callable[[str, str], Path]
Program = Callable[[str, str], Path]

BY_SIZE = """wc -c < "$1" | awk '{ printf "warming up\\n{\\"latency_ms\\": %f, \\"energy_mj\\": 7}\\n", $1 / 1000 }'"""


def table(program: Path, *more: str) -> str:
    return "\n".join([f'command = ["{program}", "{{model}}"]', *more])


def test_a_command_s_last_line_is_the_cost(write_target: Write, program: Program, conv_graph: ConvGraph) -> None:
    target = load_target(write_target("command", table(program("measure", BY_SIZE))))
    check_target(target, [conv_graph(16), conv_graph(128)])
    cost = target.cost(conv_graph(16))
    assert (cost.method, cost.low, cost.high, cost.runs, cost.runtime) == (
        "measured",
        cost.value,
        cost.value,
        1,
        "tflite nightly",
    )


def test_energy_is_a_metric_where_the_device_tells_it(
    write_target: Write, program: Program, conv_graph: ConvGraph
) -> None:
    path = write_target("command", table(program("measure", BY_SIZE), 'metrics = ["latency_ms", "energy_mj"]'))
    latency, energy = load_target(path).costs(conv_graph(16))
    assert (energy.key, energy.value, energy.unit) == ("energy_mj@mine", 7, "mJ")
    assert latency.fingerprint == energy.fingerprint


def test_what_the_command_knows_stands_in_the_record(
    write_target: Write, program: Program, conv_graph: ConvGraph
) -> None:
    told = {"latency_ms": 3, "low": 2.9, "high": 3.3, "runs": 50, "warmup": 5}
    line = json.dumps({**told, "device": "i.MX 93", "runtime": "tflite 2.19"})
    cost = load_target(write_target("command", table(program("measure", f"echo '{line}'")))).cost(conv_graph(16))
    assert (cost.low, cost.value, cost.high, cost.runs, cost.warmup) == (2.9, 3, 3.3, 50, 5)
    assert (cost.note, cost.runtime) == ("i.MX 93", "tflite 2.19") and cost.spread == pytest.approx(0.4 / 3)


def test_one_method_may_be_overridden(write_target: Write, conv_graph: ConvGraph) -> None:
    class Scales(CommandTarget):
        def measure(self, path: Path) -> Mapping[str, Any]:
            return {"latency_ms": path.stat().st_size / 1000}

    target = Scales(read_target_file(write_target("command", ""), ("command",)))
    check_target(target, [conv_graph(16), conv_graph(128)])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo no board >&2; exit 4", "ended with status 4: no board"),
        ("echo 3.2", "expected a JSON object .* got '3.2'"),
        ("true", "expected a JSON object .* got 'nothing'"),
        ("""echo '{"latency_ms": "fast"}'""", "expected latency_ms as a number, 0 or more, got 'fast'"),
        ("""echo '{"latency_ms": NaN}'""", "got nan"),
        ("""echo '{"latency": 3}'""", "got None; the object may hold latency_ms"),
        ("exec sleep 30", r"not done after 0\.3 s"),
    ],
)
def test_commands_that_measure_nothing_are_quoted(
    write_target: Write, program: Program, conv_graph: ConvGraph, body: str, words: str
) -> None:
    path = write_target("command", table(program("measure", body), "time_limit_s = 0.3" if "sleep" in body else ""))
    with pytest.raises(NoResultError, match=words):
        load_target(path).cost(conv_graph(16))


def test_a_command_that_is_not_there(write_target: Write, tmp_path: Path, conv_graph: ConvGraph) -> None:
    with pytest.raises(MissingError, match=r"cannot run .*absent"):
        load_target(write_target("command", table(tmp_path / "absent"))).cost(conv_graph(16))
    with pytest.raises(InputError, match=r"device\.command: expected a command, got none"):
        load_target(write_target("command", "")).cost(conv_graph(16))


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ('comand = ["x"]', "did you mean 'command'"),
        ('command = "measure {model}"', "key device.command: expected a list of words"),
        ('metrics = ["latency"]', "did you mean 'latency_ms'"),
        ("time_limit_s = 0", "key device.time_limit_s: expected seconds above 0"),
    ],
)
def test_tables_that_are_refused(write_target: Write, device: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_target(write_target("command", device))
