"""Latency of .tflite models on this machine.

Why the minimum, and why several passes: what disturbs a run (other work, interrupts, a lowered clock) only ever makes
it longer, so the minimum is what repeats. On two shared server cores, 60 networks, 3 passes of 40 runs beside other
jobs, the minimum moved between passes by 0.5 % (median over the networks; 2.9 % at the 90th percentile), the median by
2.0-2.5 % (13-16 %). With as many threads as cores, the median was over three times the minimum. Hence the recipe: one
pinned thread, warm-up, passes of many runs, several models taking turns so that a disturbance does not fall on one of
them alone; a pass whose median is more than 15 % above its minimum is rejected; passes go on until the last few agree.

Passes begin short and double in length every few passes, up to the full one, so that a quiet machine answers in a tenth
of a second. Short passes that agree might all lie in one disturbed stretch; they are believed only where no inference
before, the warm-up's included, was faster by more than the bound. Against full passes alone, three networks in both
precisions beside other jobs, the 26 of 36 measurements that ended on short passes lay 1.4 % off (median; 4.5 % at
most), and took a fifth of the time. That was timed before this condition took its present, stricter form. Of the ten
that went on to full passes, two were 24 and 36 % off after a disturbance, and four met the time limit unsettled.

Reported are the median of the pass minima, their range as the interval, and the median over all runs beside it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

import numpy as np

from hardware_profiles import litert
from hardware_profiles.cost import Cost, utc_now
from hardware_profiles.litert import Model
from searchspaces.errors import InputError

NOISY_RATIO = 1.15

# A run lasts at least this long (short models are invoked several times in it), so that reading the clock and calling
# from Python, about 1 µs, stay under 1 %.
_MIN_RUN_NS = 200_000
# The shortest pass: it lasts so long, and has so many runs.
_MIN_PASS_NS = 25_000_000
_FIRST_RUNS = 4
_WARMUP_SHARE = 0.2
_NS_PER_MS = 1e6
_NS_PER_S = 1e9
# After the closing parenthesis of the command in /proc/PID/stat, `processor` is the 37th field.
_STAT_PROCESSOR = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTimes:
    """One pass: the time of one inference over `runs` timed runs."""

    runs: int
    min_ms: float
    p10_ms: float
    median_ms: float

    @property
    def noisy(self) -> bool:
        """Whether other work disturbed the pass too much for its minimum to be trusted."""
        return self.median_ms > NOISY_RATIO * self.min_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What was timed; `passes` are those the value is taken from, `rejected` counts the noisy ones left out.

    `settled`: the pass minima agree within the bound that was asked for. Where they do not, the time limit ended the
    measurement, and the interval is that of every usable pass.
    """

    passes: tuple[PassTimes, ...]
    rejected: int
    settled: bool
    max_spread: float
    warmup: int
    invokes_per_run: int
    threads: int
    cpus: int
    pinned_cpu: int | None
    batch: int
    precision: str
    runtime: str

    @property
    def latency_ms(self) -> float:
        """Median over the passes of the pass minimum."""
        return median(each.min_ms for each in self.passes)

    @property
    def low_ms(self) -> float:
        """Smallest pass minimum."""
        return min(each.min_ms for each in self.passes)

    @property
    def high_ms(self) -> float:
        """Largest pass minimum."""
        return max(each.min_ms for each in self.passes)

    @property
    def median_ms(self) -> float:
        """Median over the passes of the pass median: what a busy machine gives."""
        return median(each.median_ms for each in self.passes)

    @property
    def spread(self) -> float:
        """(high - low) / value."""
        return _spread(self.passes)

    @property
    def runs(self) -> int:
        """Timed runs in each pass; the fewest where passes differ."""
        return min(each.runs for each in self.passes)

    @property
    def note(self) -> str:
        """What a reader has to know before trusting the number; empty where all went to plan."""
        remarks: list[str] = []
        if not self.settled:
            remarks.append(f"time limit reached before the passes agreed within {self.max_spread:g}")
        if len(self.passes) == 1:
            remarks.append("one pass, so the spread is not known")
        if any(each.noisy for each in self.passes):
            remarks.append("every pass was noisy")
        elif self.rejected:
            remarks.append(f"noisy passes rejected: {self.rejected}")
        if self.threads >= self.cpus > 1:
            remarks.append(f"{self.threads} threads on {self.cpus} usable CPUs leave none for other work")
        if self.threads == 1 and self.pinned_cpu is None:
            remarks.append("not pinned to a CPU")
        return "; ".join(remarks)


def measure_latency(
    model: Model,
    *,
    threads: int = 1,
    runs: int = 40,
    first_runs: int = _FIRST_RUNS,
    warmup: int = 6,
    passes: int = 3,
    max_spread: float = 0.05,
    time_limit_s: float = 10.0,
    pin: bool = True,
    seed: int = 0,
) -> Measurement:
    """Time one model; see `measure_latencies`."""
    (measurement,) = measure_latencies(
        [model],
        threads=threads,
        runs=runs,
        first_runs=first_runs,
        warmup=warmup,
        passes=passes,
        max_spread=max_spread,
        time_limit_s=time_limit_s,
        pin=pin,
        seed=seed,
    )
    return measurement


def measure_latencies(
    models: Sequence[Model],
    *,
    threads: int = 1,
    runs: int = 40,
    first_runs: int = _FIRST_RUNS,
    warmup: int = 6,
    passes: int = 3,
    max_spread: float = 0.05,
    time_limit_s: float = 10.0,
    pin: bool = True,
    seed: int = 0,
) -> tuple[Measurement, ...]:
    """Time several models in turns, each on random input of `seed`. All are held open at once.

    Args:
        runs: timed runs in the longest pass; fewer where one would outlast its share of the time limit.
        first_runs: in the first pass, more where inferences are short; as many as `runs` make all passes alike.
        warmup: inferences before, fewer where they stop getting faster.
        passes: how many clean passes in a row have to agree.
        max_spread: by how much of their median the minima of those passes may differ.
        time_limit_s: for each model. It ends a measurement with what it has (`settled` is then False); only a single
            inference, which cannot be broken off, may outlast it: every model gets one for warm-up and one timed.
        pin: keep one-threaded work on one CPU, where the system can; the process gets its CPUs back afterwards.

    Raises:
        InputError: an option out of range, or a model that cannot be opened or run.
        MissingError: no runtime is installed.
    """
    plan = _Plan(
        threads=threads,
        runs=runs,
        first_runs=first_runs,
        warmup=warmup,
        passes=passes,
        max_spread=max_spread,
        time_limit_s=time_limit_s,
    )
    cpus = _usable_cpus()
    with pinned(pin and threads == 1) as pinned_cpu:
        start = perf_counter_ns()
        subjects = [_Subject(model, plan, np.random.default_rng(seed)) for model in models]
        deadline = start + int(time_limit_s * len(subjects) * _NS_PER_S)
        waiting = subjects
        while waiting:
            for subject in waiting:
                subject.run_pass(deadline)
            late = perf_counter_ns() >= deadline
            waiting = [] if late else [subject for subject in waiting if not subject.settled]
        return tuple(subject.result(cpus, pinned_cpu) for subject in subjects)


def latency_cost(measurement: Measurement, *, target: str, fingerprint: str) -> Cost:
    """The cost record `latency_ms` of a measurement."""
    return Cost(
        metric="latency_ms",
        value=measurement.latency_ms,
        unit="ms",
        low=measurement.low_ms,
        high=measurement.high_ms,
        method="measured",
        target=target,
        batch=measurement.batch,
        precision=measurement.precision,
        threads=measurement.threads,
        delegate="xnnpack",
        runtime=measurement.runtime,
        fingerprint=fingerprint,
        runs=measurement.runs,
        warmup=measurement.warmup,
        spread=measurement.spread,
        at=utc_now(),
        passes=len(measurement.passes),
        median=measurement.median_ms,
        note=measurement.note,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    threads: int
    runs: int
    first_runs: int
    warmup: int
    passes: int
    max_spread: float
    time_limit_s: float

    def __post_init__(self) -> None:
        litert.check_threads(self.threads)
        for name in ("runs", "first_runs", "warmup", "passes"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise InputError(
                    f"{name}: expected a whole number, 1 or more, got {count!r}; leave it out for a default."
                )
        for name in ("max_spread", "time_limit_s"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
                raise InputError(
                    f"{name}: expected a finite number above 0, got {number!r}; leave it out for a default."
                )


class _Subject:
    """One model while it is being timed."""

    def __init__(self, model: Model, plan: _Plan, rng: np.random.Generator) -> None:
        self.plan = plan
        self.runtime = str(litert.find_runtime())
        self.interpreter = litert.open_interpreter(model, threads=plan.threads)
        litert.set_inputs(self.interpreter, litert.random_inputs(self.interpreter, rng))
        self.passes: list[PassTimes] = []
        self.warmup, once_ns = self._warm_up(model)
        self.invokes_per_run = max(1, math.ceil(_MIN_RUN_NS / once_ns))
        run_ns = once_ns * self.invokes_per_run
        # Passes that double in length take twice as long together as those of the full length alone.
        pass_ns = plan.time_limit_s * _NS_PER_S * (1 - _WARMUP_SHARE) / (2 * plan.passes)
        self.longest = max(1, min(plan.runs, int(pass_ns / run_ns)))
        self.shortest = min(self.longest, max(plan.first_runs, math.ceil(_MIN_PASS_NS / run_ns)))
        self.fastest_ms = once_ns / _NS_PER_MS

    def _warm_up(self, model: Model) -> tuple[int, int]:
        """How many inferences were made, and the time of the fastest in nanoseconds."""
        limit = perf_counter_ns() + int(self.plan.time_limit_s * _WARMUP_SHARE * _NS_PER_S)
        times: list[int] = []
        while len(times) < self.plan.warmup and (not times or perf_counter_ns() < limit):
            start = perf_counter_ns()
            litert.invoke_once(self.interpreter, model)
            times.append(max(1, perf_counter_ns() - start))
            if len(times) > 1 and times[-1] >= (1 - self.plan.max_spread) * min(times[:-1]):
                break
        return len(times), min(times)

    def run_pass(self, deadline: int) -> None:
        """Time one pass. One that the deadline cuts short counts only where there is no other."""
        runs = min(self.longest, self.shortest << (len(self.passes) // self.plan.passes))
        times_ns = _time_runs(self.interpreter, runs, self.invokes_per_run, deadline)
        if len(times_ns) < runs and self.passes:
            return
        times_ms = np.asarray(times_ns) / (self.invokes_per_run * _NS_PER_MS)
        self.passes.append(
            PassTimes(
                runs=len(times_ns),
                min_ms=float(times_ms.min()),
                p10_ms=float(np.quantile(times_ms, 0.1)),
                median_ms=float(np.median(times_ms)),
            )
        )
        self.fastest_ms = min(self.fastest_ms, self.passes[-1].min_ms)

    @property
    def clean(self) -> list[PassTimes]:
        """The passes to be trusted; a short one that is slow throughout lies in a disturbed stretch."""
        slow_ms = NOISY_RATIO * self.fastest_ms
        return [
            each for each in self.passes if not each.noisy and (each.runs == self.longest or each.min_ms <= slow_ms)
        ]

    @property
    def settled(self) -> bool:
        """Only the last passes are looked at: over all of them the range could never shrink again."""
        last, bound = self.clean[-self.plan.passes :], self.plan.max_spread
        if len(last) < self.plan.passes or _spread(last) > bound:
            return False
        # Passes of the full length stand for themselves: a clock that was lowered for good is then the machine's.
        return all(each.runs == self.longest for each in last) or (
            median(each.min_ms for each in last) <= (1 + bound) * self.fastest_ms
        )

    def result(self, cpus: int, pinned_cpu: int | None) -> Measurement:
        clean, settled = self.clean, self.settled
        used = clean[-self.plan.passes :] if settled else clean or self.passes
        return Measurement(
            passes=tuple(used),
            rejected=len(self.passes) - len(clean),
            settled=settled,
            max_spread=self.plan.max_spread,
            warmup=self.warmup,
            invokes_per_run=self.invokes_per_run,
            threads=self.plan.threads,
            cpus=cpus,
            pinned_cpu=pinned_cpu,
            batch=litert.batch_of(self.interpreter),
            precision=litert.precision_of(self.interpreter),
            runtime=self.runtime,
        )


def _time_runs(interpreter: Any, runs: int, invokes_per_run: int, deadline: int) -> list[int]:
    """Nanoseconds of each run; at least one, however late it is."""
    invoke, inner, times = interpreter.invoke, range(invokes_per_run), []
    for _ in range(runs):
        start = perf_counter_ns()
        for _ in inner:
            invoke()
        end = perf_counter_ns()
        times.append(end - start)
        if end >= deadline:
            break
    return times


def _spread(passes: Sequence[PassTimes]) -> float:
    minima = [each.min_ms for each in passes]
    return (max(minima) - min(minima)) / median(minima)


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def pinned(wanted: bool = True) -> Iterator[int | None]:
    """Keep this thread on the CPU it is on; yields that CPU, or None where the system has no say in it.

    The scheduler has spread the busy processes over the CPUs already; staying where it put us keeps two measurements
    that run at once off the same CPU, which a fixed choice would not.
    """
    if not wanted or not hasattr(os, "sched_setaffinity"):
        yield None
        return
    before = os.sched_getaffinity(0)
    cpu = _current_cpu()
    cpu = cpu if cpu in before else max(before)
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:
        # Some containers forbid it; the measurement then says that it was not pinned.
        yield None
        return
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, before)


def _current_cpu() -> int | None:
    try:
        fields = Path("/proc/thread-self/stat").read_text().rpartition(")")[2].split()
        return int(fields[_STAT_PROCESSOR])
    except (OSError, IndexError, ValueError):
        return None
