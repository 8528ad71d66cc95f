"""Structure and invariants only: no test here depends on how long anything takes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware_profiles import measure
from hardware_profiles.measure import Measurement, PassTimes, latency_cost, measure_latencies, measure_latency
from searchspaces.errors import InputError

TinyModel = Callable[..., bytes]


def make_pass(minimum: float, *, ratio: float = 1.01, runs: int = 40) -> PassTimes:
    return PassTimes(runs=runs, min_ms=minimum, p10_ms=minimum, median_ms=minimum * ratio)


def make_measurement(passes: list[PassTimes], **changes: Any) -> Measurement:
    fields: dict[str, Any] = {
        "passes": tuple(passes),
        "rejected": 0,
        "settled": True,
        "max_spread": 0.05,
        "warmup": 6,
        "invokes_per_run": 1,
        "threads": 1,
        "cpus": 4,
        "pinned_cpu": 0,
        "batch": 1,
        "precision": "float32",
        "runtime": "litert 1",
    }
    return Measurement(**{**fields, **changes})


@given(st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=9))
def test_the_interval_always_holds_the_value(minima: list[float]) -> None:
    measurement = make_measurement([make_pass(minimum) for minimum in minima])
    cost = latency_cost(measurement, target="host-cpu", fingerprint="f")
    assert cost.low == min(minima) <= cost.value <= max(minima) == cost.high
    assert cost.spread == pytest.approx((cost.high - cost.low) / cost.value)
    assert cost.passes == len(minima)


def test_the_value_is_the_median_of_the_minima_and_the_median_stands_beside_it() -> None:
    measurement = make_measurement([make_pass(2.0, ratio=1.1), make_pass(1.0, ratio=1.1), make_pass(4.0, ratio=1.1)])
    assert (measurement.latency_ms, measurement.median_ms) == (2.0, pytest.approx(2.2))


def test_a_pass_is_noisy_from_a_fixed_ratio_on() -> None:
    assert not make_pass(1.0, ratio=1.15).noisy
    assert make_pass(1.0, ratio=1.16).noisy


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"settled": False}, "time limit reached before the passes agreed within 0.05"),
        ({"rejected": 4}, "noisy passes rejected: 4"),
        ({"threads": 4}, "4 threads on 4 usable CPUs"),
        ({"pinned_cpu": None}, "not pinned"),
        ({"passes": (make_pass(1.0),)}, "one pass"),
        ({"passes": (make_pass(1.0, ratio=2.0), make_pass(1.0))}, "every pass was noisy"),
    ],
)
def test_whatever_weakens_a_number_is_said(changes: dict[str, Any], remark: str) -> None:
    plain = make_measurement([make_pass(1.0), make_pass(1.0), make_pass(1.0)])
    assert plain.note == ""
    assert remark in make_measurement(list(changes.pop("passes", plain.passes)), **changes).note


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_model_is_measured_from_bytes_and_from_a_path(precision: str, tiny_model: TinyModel, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_model(precision))
    for model in (path, str(path), path.read_bytes()):
        measurement = measure_latency(model, runs=5, passes=2, time_limit_s=1)
        assert measurement.precision == precision
        assert (measurement.threads, measurement.batch) == (1, 1)
        assert 0 < measurement.low_ms <= measurement.latency_ms <= measurement.high_ms
        assert all(each.min_ms <= each.p10_ms <= each.median_ms for each in measurement.passes)
        assert measurement.runs <= 5


def test_one_pass_in_agreement_with_itself_is_enough_when_asked_for(tiny_model: TinyModel) -> None:
    measurement = measure_latency(tiny_model(), runs=3, passes=1, time_limit_s=30)
    assert (len(measurement.passes), measurement.settled, measurement.spread) == (1, True, 0.0)
    assert "one pass" in measurement.note


def test_several_models_are_measured_in_the_order_given(tiny_model: TinyModel) -> None:
    models = [tiny_model("int8"), tiny_model("float32"), tiny_model("int8", width=16)]
    found = measure_latencies(models, runs=3, passes=1, time_limit_s=1)
    assert [each.precision for each in found] == ["int8", "float32", "int8"]
    assert measure_latencies([]) == ()


def test_a_time_limit_already_passed_still_gives_a_number(tiny_model: TinyModel) -> None:
    measurement = measure_latency(tiny_model(), time_limit_s=1e-9)
    assert (measurement.warmup, len(measurement.passes), measurement.runs) == (1, 1, 1)
    assert not measurement.settled
    assert "time limit" in measurement.note


class _Clock:
    """A clock that moves on by a chosen time at each reading; a run takes what the second of its readings adds."""

    def __init__(self, run_ns: Callable[[int], int]) -> None:
        self.now, self.readings, self.run_ns = 0, 0, run_ns

    def __call__(self) -> int:
        self.readings += 1
        self.now += self.run_ns(self.readings)
        return self.now


def test_passes_go_on_until_the_last_ones_agree(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs get faster up to the thousandth reading of the clock and take 1 ms from then on."""
    monkeypatch.setattr(measure, "perf_counter_ns", _Clock(lambda reading: 1_000_000 + max(0, 1000 - reading) * 10_000))
    measurement = measure_latency(tiny_model(), runs=20, first_runs=20, time_limit_s=1000)
    assert measurement.settled
    assert len(measurement.passes) == 3
    assert measurement.spread <= 0.05
    assert measurement.high_ms < 2.5


def test_a_quiet_machine_answers_in_short_passes(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "perf_counter_ns", _Clock(lambda reading: 10_000_000))
    measurement = measure_latency(tiny_model(), time_limit_s=1000)
    assert [each.runs for each in measurement.passes] == [4, 4, 4]
    assert (measurement.warmup, measurement.settled, measurement.latency_ms) == (2, True, 10.0)


def test_short_passes_last_long_enough_to_see_a_disturbance(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "perf_counter_ns", _Clock(lambda reading: 1_000_000))
    assert [each.runs for each in measure_latency(tiny_model(), time_limit_s=1000).passes] == [25, 25, 25]
    assert [each.runs for each in measure_latency(tiny_model(), runs=3, time_limit_s=1000).passes] == [3, 3, 3]


def test_short_passes_in_a_slow_stretch_are_not_believed(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warm-up is quick, then everything takes twice as long for a while: those passes agree, but wrongly."""
    clock = _Clock(lambda reading: 20_000_000 if 8 < reading < 60 else 10_000_000)
    monkeypatch.setattr(measure, "perf_counter_ns", clock)
    measurement = measure_latency(tiny_model(), time_limit_s=1000)
    assert measurement.settled
    assert measurement.latency_ms == 10.0


def test_a_clock_lowered_for_good_is_the_machine(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes double up to the full length, which is believed whatever came before."""
    clock = _Clock(lambda reading: 20_000_000 if reading > 8 else 10_000_000)
    monkeypatch.setattr(measure, "perf_counter_ns", clock)
    measurement = measure_latency(tiny_model(), time_limit_s=1000)
    assert [each.runs for each in measurement.passes] == [40, 40, 40]
    assert (measurement.settled, measurement.latency_ms) == (True, 20.0)


def test_a_machine_that_never_settles_ends_at_the_limit(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole machine gets slower and slower: no two passes agree, and all of them make the interval."""
    monkeypatch.setattr(measure, "perf_counter_ns", _Clock(lambda reading: 1_000_000 + reading * 5_000))
    measurement = measure_latency(tiny_model(), runs=20, time_limit_s=3)
    assert not measurement.settled
    assert len(measurement.passes) > 3
    assert measurement.spread > 0.05


def test_noisy_passes_are_rejected_and_counted(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the first 400 readings few runs are quick (15 is odd, so that both ends of a run are hit); then all are."""
    clock = _Clock(lambda reading: 1_000_000 if reading > 400 or reading % 15 == 0 else 3_000_000)
    monkeypatch.setattr(measure, "perf_counter_ns", clock)
    measurement = measure_latency(tiny_model(), runs=20, time_limit_s=1000)
    assert measurement.settled
    assert measurement.rejected > 0
    assert measurement.latency_ms == pytest.approx(1.0)
    assert not any(each.noisy for each in measurement.passes)


def test_where_every_pass_is_noisy_they_are_all_used(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(lambda reading: 1_000_000 if reading % 15 == 0 else 3_000_000)
    monkeypatch.setattr(measure, "perf_counter_ns", clock)
    measurement = measure_latency(tiny_model(), runs=20, time_limit_s=2)
    assert not measurement.settled
    assert "every pass was noisy" in measurement.note


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin threads")
def test_the_process_gets_its_cpus_back(tiny_model: TinyModel) -> None:
    before = os.sched_getaffinity(0)
    assert measure_latency(tiny_model(), runs=3, passes=1, time_limit_s=1).pinned_cpu in before
    assert os.sched_getaffinity(0) == before
    with pytest.raises(InputError):
        measure_latency(b"not a model")
    assert os.sched_getaffinity(0) == before


def test_only_one_threaded_work_is_pinned(tiny_model: TinyModel) -> None:
    assert measure_latency(tiny_model(), threads=2, runs=3, passes=1, time_limit_s=1).pinned_cpu is None
    assert measure_latency(tiny_model(), pin=False, runs=3, passes=1, time_limit_s=1).pinned_cpu is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not pin threads")
def test_a_system_that_forbids_pinning_is_noted(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    assert "not pinned" in measure_latency(tiny_model(), runs=3, passes=1, time_limit_s=1).note


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("threads", 0),
        ("threads", -2),
        ("threads", "two"),
        ("runs", 0),
        ("runs", -1),
        ("runs", 2.5),
        ("first_runs", 0),
        ("warmup", 0),
        ("passes", 0),
        ("max_spread", 0),
        ("max_spread", math.nan),
        ("time_limit_s", 0),
        ("time_limit_s", -1),
        ("time_limit_s", math.inf),
        ("time_limit_s", "10"),
    ],
)
def test_options_out_of_range_are_named(option: str, value: Any, tiny_model: TinyModel) -> None:
    with pytest.raises(InputError, match=rf"^{option}: expected .* got {value!r}"):
        measure_latency(tiny_model(), **{option: value})


def test_the_cost_record_tells_how_it_was_found(tiny_model: TinyModel) -> None:
    measurement = measure_latency(tiny_model("int8"), runs=4, warmup=2, passes=2, time_limit_s=1)
    cost = latency_cost(measurement, target="host-cpu", fingerprint="0123456789ab")
    assert (cost.metric, cost.unit, cost.method, cost.key) == ("latency_ms", "ms", "measured", "latency_ms@host-cpu")
    assert (cost.precision, cost.threads, cost.batch, cost.delegate) == ("int8", 1, 1, "xnnpack")
    assert cost.runtime.startswith(("ai-edge-litert ", "tflite-runtime "))
    assert cost.median is not None
    assert cost.median >= cost.low
