"""The measurements of the tool itself: their structure and arithmetic at tiny sizes; no time is asserted."""

from __future__ import annotations

import csv
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speed import __main__ as command
from benchmarks.speed import describing, memory, proposals, start_up, table_search, writer
from benchmarks.speed.catalog import MEASUREMENTS, Measurement, run_alone, run_here
from benchmarks.speed.evaluators import (
    MeteredEvaluator,
    OneNetworkEvaluator,
    SleepEvaluator,
    SoftmaxEvaluator,
    resident_mb,
)
from benchmarks.speed.row import Row, Target, at_least, at_most, below, median_row, ratio_row
from benchmarks.speed.searches import FinishedSearch, run_search
from benchmarks.speed.show import COLUMNS, Machine, csv_rows, print_results, write_csv
from benchmarks.speed.timing import fit_line, in_turns
from benchmarks.tasks import create
from nas.constraints import Constraint
from nas.evaluators.base import Request
from nas.store import Event
from nas.trial import Outcome, Trial
from searchspaces.catalog import reference_names
from searchspaces.errors import InputError, NoResultError
from searchspaces.space import Architecture
from searchspaces.tabnas import TabNAS

MACHINE = Machine(id="0123456789ab", cpu="a processor", cores=2, runtime="a runtime 1.0")
FIRST, SECOND = Architecture("tabnas", (1, 2, 3, 4, -1)), Architecture("tabnas", (0, 5, 6, -1, -1))


def request(number: int, architecture: Architecture = FIRST) -> Request:
    return Request(number=number, architecture=architecture, seed=number)


# -- rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "text", "reached", "missed"),
    [
        (at_least(30, "×"), "≥ 30×", 30.0, 29.9),
        (at_most(5, "%"), "≤ 5 %", 5.0, 5.1),
        (below(0.5, "s"), "< 0.5 s", 0.49, 0.5),
        (at_least(2000, "trials/s"), "≥ 2,000 trials/s", 2000.0, 1999.0),
    ],
)
def test_a_target_prints_as_people_write_it_and_knows_when_it_is_reached(
    target: Target, text: str, reached: float, missed: float
) -> None:
    assert str(target) == text
    assert Row(name="x", value=reached, unit="", target=target).met is True
    assert Row(name="x", value=missed, unit="", target=target).met is False
    assert Row(name="x", value=math.nan, unit="", target=target).met is False
    assert Row(name="x", value=reached, unit="").met is None


def test_an_unknown_comparison_is_refused() -> None:
    with pytest.raises(InputError, match="comparison of a target"):
        Target(comparison="=", bound=1)


def test_a_ratio_is_the_median_over_pairs_not_the_ratio_of_medians() -> None:
    row = ratio_row("faster", dividends=[10, 100, 30], divisors=[1, 50, 2])
    assert (row.value, row.low, row.high, row.unit, row.ratio) == (10, 2, 15, "×", True)


def test_a_median_carries_its_range_and_needs_a_repeat() -> None:
    row = median_row("time", [3.0, 1.0, 2.0], "s")
    assert (row.value, row.low, row.high) == (2.0, 1.0, 3.0)
    with pytest.raises(InputError, match="expected one repeat or more"):
        median_row("time", [], "s")


def test_ways_take_turns() -> None:
    order: list[str] = []
    results = in_turns({name: lambda name=name: order.append(name) or len(order) for name in "AB"}, 2)
    assert order == ["A", "B", "A", "B"]
    assert results == {"A": [1, 3], "B": [2, 4]}
    with pytest.raises(InputError, match="repeats: expected 1 or more"):
        in_turns({}, 0)


@given(slope=st.floats(-50, 50), offset=st.floats(-1000, 1000), count=st.integers(3, 50))
def test_a_line_is_found_again(slope: float, offset: float, count: int) -> None:
    x = list(range(count))
    line = fit_line(x, [offset + slope * each for each in x])
    assert line.slope == pytest.approx(slope, abs=1e-9)
    assert line.error == pytest.approx(0, abs=1e-9)


def test_the_standard_error_of_a_slope() -> None:
    """By hand: slope 1, residuals (1, -2, 1)/3 with sum of squares 2/3, spread of x 2, one degree of freedom."""
    line = fit_line([0, 1, 2], [0 + 1 / 3, 1 - 2 / 3, 2 + 1 / 3])
    assert line.slope == pytest.approx(1)
    assert line.error == pytest.approx(math.sqrt(2 / 3 / 1 / 2))


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [1, 2])])
def test_a_line_needs_points(x: list[float], y: list[float]) -> None:
    with pytest.raises(InputError, match="expected three points or more"):
        fit_line(x, y)


def test_growth_is_judged_after_the_warm_up() -> None:
    numbers = [float(number) for number in range(1, 101)]
    flat_after_start = [500.0 + min(number, 15.0) for number in numbers]
    row = memory.slope_row("driver", numbers, flat_after_start, "a note", target=at_most(1, "MB"))
    assert row.value == pytest.approx(0)
    assert row.met is True
    growing = memory.slope_row("driver", numbers, [0.02 * number for number in numbers], "", target=at_most(1, "MB"))
    assert growing.value == pytest.approx(2)
    assert growing.met is False


# -- what logs tell --------------------------------------------------------------------------------------------------


def test_times_from_a_log() -> None:
    events = [
        Event(trial=number, state=state, at=at)
        for number, (start, end) in enumerate([(103.0, 105.0), (106.0, 108.0), (109.0, 114.0)])
        for state, at in (("PROPOSED", start - 1), ("RUNNING", start), ("COMPLETE", end))
    ]
    trials = [
        Trial(number=number, architecture=FIRST, state="COMPLETE", seconds=seconds)
        for number, seconds in enumerate([2.0, 1.5, 4.0])
    ]
    done = FinishedSearch(start=100.0, seconds=15.0, trials=trials, events=events)
    assert (done.first_start, done.trials_span, done.turnaround, done.work) == (3.0, 12.0, 4.5, 2.0)


def test_a_search_that_lost_a_trial_is_no_measurement(tmp_path: Path) -> None:
    class Failing:
        cheap = False
        metrics = ("accuracy",)

        def evaluate(self, requests: list[Request]) -> list[Outcome]:
            return [Outcome(state="FAILED", reason="on purpose") for _ in requests]

    data = {"space": "tabnas", "task": "iris", "budget": {"trials": 2}}
    with pytest.raises(NoResultError, match=r"expected 2 complete trials in the log, got 0 \(on purpose\)"):
        run_search(data, tmp_path / "run", wrap=lambda _: Failing())


# -- evaluators ------------------------------------------------------------------------------------------------------


def test_the_sleeper_says_how_long_it_slept() -> None:
    outcomes = SleepEvaluator(0.001).evaluate([request(0), request(1)])
    assert [outcome.state for outcome in outcomes] == ["COMPLETE", "COMPLETE"]
    assert all(outcome.seconds >= 0.001 for outcome in outcomes)


def test_the_numpy_training_learns_and_reports() -> None:
    told: list[int] = []

    def report(epoch: int, metrics: object) -> bool:
        told.append(epoch)
        return True

    task = create("iris", seed=0)
    (outcome,) = SoftmaxEvaluator(task, epochs=60).evaluate(
        [Request(number=0, architecture=FIRST, seed=1, report=report)]
    )
    assert told == list(range(1, 61))
    # Three classes in equal parts: guessing gives a third.
    assert outcome.metrics["accuracy"] > 0.8
    losses = outcome.details["history"]["loss"]
    assert losses[-1] < losses[0]


def test_metered_outcomes_say_where_they_come_from() -> None:
    (outcome,) = MeteredEvaluator(SleepEvaluator(0)).evaluate([request(0)])
    assert outcome.details["process"] > 0
    # An interpreter with NumPy in it holds some tens of megabytes.
    assert 10 < outcome.details["rss_mb"] < 1e5
    assert 10 < resident_mb() < 1e5


def test_one_network_is_kept() -> None:
    asked: list[Architecture] = []

    class Listening(SleepEvaluator):
        def evaluate(self, requests: list[Request]) -> list[Outcome]:
            asked.extend(each.architecture for each in requests)
            return super().evaluate(requests)

    evaluator = OneNetworkEvaluator(Listening(0))
    evaluator.evaluate([request(0, FIRST)])
    evaluator.evaluate([request(1, SECOND), request(2, FIRST)])
    assert asked == [FIRST] * 3


# -- measurements ----------------------------------------------------------------------------------------------------


def test_every_measurement_takes_its_quick_sizes() -> None:
    import importlib
    import inspect

    for name, measurement in MEASUREMENTS.items():
        assert measurement.name == name
        known = inspect.signature(importlib.import_module(measurement.module).measure).parameters
        assert set(measurement.quick) <= set(known), name
        assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in known.values()), name


def test_the_table_holds_every_three_layer_network(tmp_path: Path) -> None:
    with table_search.write_table(tmp_path / "table.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len({row["id"] for row in rows}) == 8000
    accuracy = np.array([float(row["accuracy"]) for row in rows])
    assert ((accuracy > 0) & (accuracy < 1)).all()
    assert np.ptp(accuracy) > 0.05


def test_searching_a_table_at_a_tiny_size() -> None:
    rows = {row.name: row for row in table_search.measure(trials=40, repeats=1)}
    assert str(rows["random, engine's default batch"].target) == "≥ 2,000 trials/s"
    assert str(rows["evolution, engine's default batch"].target) == "≥ 1,000 trials/s"
    assert all(row.value > 0 for row in rows.values())


def test_describing_networks_at_a_tiny_size() -> None:
    slowest, drawn = describing.measure(networks=2, repeats=1)
    assert slowest.name == f"the slowest of {len(reference_names())} published networks"
    assert slowest.note.split("; ")[1] in reference_names()
    assert (slowest.unit, str(slowest.target)) == ("ms", "< 50 ms")
    # Two networks say nothing about a thousand: no verdict on them.
    assert (drawn.name, drawn.unit, drawn.met) == ("2 random MoViNets", "s", None)


def test_starting_loads_neither_tensorflow_nor_ray() -> None:
    rows = {row.name: row for row in start_up.measure(runs=1)}
    assert rows["import nas: TensorFlow or Ray loaded"].value == 0
    assert rows["nas --help: TensorFlow or Ray loaded"].value == 0
    assert rows["nas --help"].value > 0


def test_a_start_that_fails_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_up, "_HELP", "raise SystemExit(3)")
    with pytest.raises(NoResultError, match="expected exit status 0, got 3"):
        start_up.measure(runs=1)


@pytest.mark.slow
def test_both_ways_to_a_file_at_a_tiny_size() -> None:
    rows = {
        row.name: row
        for row in writer.measure(network="tabnas-higgs", input_shape=(29,), classes=1, repeats=1, calibration=2)
    }
    for precision in ("float32", "int8"):
        assert rows[f"{precision}: ops that differ between the files"].value == 0
        assert str(rows[f"{precision}: to a file, ratio"].target) == "≥ 30×"
        assert str(rows[f"{precision}: to a latency, ratio"].target) == "≥ 15×"
        assert rows[f"{precision}: latencies of the files apart"].value >= 0
        assert rows[f"{precision}: latencies in short and in full passes apart"].value >= 0


# -- the command -----------------------------------------------------------------------------------------------------


def fake_results() -> dict[str, list[Row]]:
    return {
        "start-up": [
            Row(name="import nas", value=0.7, unit="s", low=0.6, high=0.8, target=below(0.5, "s"), note="a note"),
            Row(name="python alone", value=0.02, unit="s"),
        ]
    }


def test_the_table_shows_target_and_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    print_results(fake_results(), MACHINE)
    shown = capsys.readouterr().out
    for text in ("a processor", "0123456789ab", "import nas", "0.7 s", "0.6 – 0.8", "< 0.5 s", "MISSED", "a note"):
        assert text in shown


def test_the_file_says_when_where_and_how(tmp_path: Path) -> None:
    path = tmp_path / "speed.csv"
    write_csv(path, csv_rows(fake_results(), MACHINE, at="2026-01-02T03:04:05+00:00", command="python -m x"))
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    assert [row["at"] for row in rows] == ["2026-01-02T03:04:05+00:00"] * 2
    assert (rows[0]["machine"], rows[0]["command"], rows[0]["met"], rows[0]["value"]) == (
        *("0123456789ab", "python -m x", "no", "0.7"),
    )
    assert (rows[1]["met"], rows[1]["target"], rows[1]["low"]) == ("", "", "")


def fake_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    asked: list[tuple[str, bool]] = []

    def run(measurement: Measurement, *, quick: bool) -> list[Row]:
        asked.append((measurement.name, quick))
        if measurement.name == "memory":
            raise NoResultError("memory: nothing to see")
        return fake_results()["start-up"]

    monkeypatch.setattr(command, "run_alone", run)
    return asked


def test_a_missed_target_leaves_the_exit_status_at_zero(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = fake_runs(monkeypatch)
    done = CliRunner().invoke(command.main, ["start-up", "table", "--quick", "--csv", str(tmp_path / "new" / "f.csv")])
    assert done.exit_code == 0, done.output
    assert asked == [("start-up", True), ("table", True)]
    assert "MISSED" in done.output
    assert (tmp_path / "new" / "f.csv").is_file()


def test_what_cannot_be_measured_is_said_and_the_rest_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = fake_runs(monkeypatch)
    monkeypatch.setattr(command, "DEFAULT_CSV", tmp_path / "speed.csv")
    done = CliRunner().invoke(command.main, [])
    assert done.exit_code == 1
    assert [name for name, _ in asked] == list(MEASUREMENTS)
    assert "memory: not measured: memory: nothing to see" in done.output
    with (tmp_path / "speed.csv").open(newline="", encoding="utf-8") as stream:
        assert {row["measurement"] for row in csv.DictReader(stream)} == set(MEASUREMENTS) - {"memory"}


@pytest.mark.parametrize("arguments", [["--quick"], ["start-up"]])
def test_only_a_full_run_writes_the_file_untold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    fake_runs(monkeypatch)
    monkeypatch.setattr(command, "DEFAULT_CSV", tmp_path / "speed.csv")
    CliRunner().invoke(command.main, arguments)
    assert not (tmp_path / "speed.csv").exists()


def test_an_unknown_measurement_is_refused() -> None:
    done = CliRunner().invoke(command.main, ["writre"])
    assert done.exit_code == 2
    assert "'writer'" in done.output


def test_rows_survive_the_way_between_processes() -> None:
    row = fake_results()["start-up"][0]
    assert pickle.loads(pickle.dumps(row)) == row  # noqa: S301 (our own)


def test_a_measurement_runs_in_a_process_of_its_own() -> None:
    alone = run_alone(MEASUREMENTS["start-up"], quick=True)
    assert [row.name for row in alone] == [row.name for row in run_here("benchmarks.speed.start_up", {"runs": 1})]


def test_proposals_at_a_tiny_size() -> None:
    pytest.importorskip("optuna", reason="Optuna is in the extra `peers`")
    rows = {row.name: row for row in proposals.measure(trials=20, dear_trials=4, ranked=50, repeats=1)}
    assert str(rows["random"].target) == str(rows["evolution"].target) == "≥ 10,000 proposals/s"
    assert str(rows["reinforce, a batch under rejection"].target) == "≥ 3,000 proposals/s"
    assert str(rows["predictor, one ranking"].target) == "≤ 5 s"
    assert all(row.value > 0 for row in rows.values())
    assert "optuna-tpe" in rows


def test_one_in_ten_keeps_the_made_up_limit() -> None:
    """10,000 draws: five standard errors are 1.5 points."""
    space = TabNAS((54,), 7)
    costs = proposals.Weights(space)
    limit = Constraint.parse(f"weight <= {costs.bound}")
    drawn = space.sample(np.random.default_rng(1), 10_000)
    kept = [not costs.assess(architecture, (), [limit]).violated for architecture in drawn]
    # The bound itself comes from 4,000 draws, and weights are whole numbers.
    assert 0.07 < np.mean(kept) < 0.13
