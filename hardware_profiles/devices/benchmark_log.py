"""Reads what TFLite's `benchmark_model` prints, in every form it has had since 2020."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from searchspaces.errors import NoResultError

_MEGABYTE: Final = 1 << 20
_NUMBER: Final = r"[-+0-9.e]+"
_COUNT: Final = re.compile(rf"(?<!Timings \(microseconds\): )count=(\d+)((?:\s+[a-z]+\d*={_NUMBER})+)")
_PAIR: Final = re.compile(rf"([a-z]+\d*)=({_NUMBER})")
_WHOLE: Final = re.compile(r"Explicitly applied (.+?) delegate, and the model graph will be completely executed")
_PARTLY: Final = re.compile(
    r"Explicitly applied (.+?) delegate, and the model graph will be partially executed by the delegate w/ (\d+)"
)
_NOT_AT_ALL: Final = re.compile(r"Though (.+?) delegate is explicitly applied, the model graph will not be executed")
_REPLACED: Final = re.compile(
    r"Replacing (\d+) out of (\d+) node\(s\) with delegate \((.+?)\) node, yielding (\d+) partition"
)
_INIT: Final = re.compile(rf"Inference timings in us: Init: ({_NUMBER})")
_PEAK: Final = (
    re.compile(rf"Overall peak memory footprint \(MB\) via periodic monitoring: ({_NUMBER})"),
    re.compile(
        rf"(?:Memory footprint delta from the start of the tool|Peak memory footprint) \(MB\):.*overall=({_NUMBER})"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """What became of a delegate that was asked for: the whole graph, some kernels of it, or (silently) nothing."""

    name: str
    kernels: int | None
    whole: bool

    @property
    def fell_back(self) -> bool:
        """Whether the delegate runs none of the graph, so that the time is the CPU's."""
        return not self.whole and self.kernels == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """How many of a graph's nodes a delegate took, in how many partitions."""

    delegate: str
    nodes: int
    of_nodes: int
    partitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkLog:
    """One run of `benchmark_model`. Times are of single inferences in µs; None where that version does not print it."""

    runs: int
    min_us: float
    max_us: float
    mean_us: float
    median_us: float | None
    std_us: float | None
    warmup_runs: int
    init_us: float | None
    peak_memory_bytes: int | None
    delegation: Delegation | None
    replacements: tuple[Replacement, ...]

    @property
    def typical_us(self) -> float:
        """The median where it is printed, else the mean: older versions have nothing better."""
        return self.mean_us if self.median_us is None else self.median_us


def parse_benchmark_log(text: str) -> BenchmarkLog:
    """Read the output of one run; the last line of counts is that of the timed runs.

    Raises:
        NoResultError: no timed run is in it; the tool's last words are passed on.
    """
    counts = [(int(match[1]), _pairs(match[2])) for match in _COUNT.finditer(text)]
    if not counts:
        raise NoResultError(
            f"benchmark_model: expected a line of timings (count=…), got: {last_words(text)}; run it by hand on the "
            "device to see why."
        )
    runs, timed = counts[-1]
    only = timed.get("curr")
    # One run is printed as `count=1 curr=…` and nothing else.
    found = {name: timed.get(name, only) for name in ("min", "max", "avg")}
    if any(value is None or value < 0 for value in found.values()):
        raise NoResultError(f"benchmark_model: expected min, max and avg of {runs} runs, got {timed}; run it again.")
    init = _INIT.search(text)
    peaks = [float(match[1]) for match in (pattern.search(text) for pattern in _PEAK) if match]
    return BenchmarkLog(
        runs=runs,
        min_us=float(found["min"] or 0),
        max_us=float(found["max"] or 0),
        mean_us=float(found["avg"] or 0),
        median_us=timed.get("median"),
        std_us=timed.get("std"),
        warmup_runs=sum(count for count, _ in counts[:-1]),
        init_us=float(init[1]) if init else None,
        peak_memory_bytes=round(peaks[0] * _MEGABYTE) if peaks and peaks[0] > 0 else None,
        delegation=_delegation(text),
        replacements=tuple(
            Replacement(delegate=match[3], nodes=int(match[1]), of_nodes=int(match[2]), partitions=int(match[4]))
            for match in _REPLACED.finditer(text)
        ),
    )


def last_words(text: str) -> str:
    """The last line that says something, which is where the tool's and the shell's errors stand."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "error" in line.lower()]
    return (errors or lines or ["nothing"])[-1][:300]


def _delegation(text: str) -> Delegation | None:
    if found := _NOT_AT_ALL.search(text):
        return Delegation(name=found[1], kernels=0, whole=False)
    if found := _PARTLY.search(text):
        return Delegation(name=found[1], kernels=int(found[2]), whole=False)
    if found := _WHOLE.search(text):
        return Delegation(name=found[1], kernels=None, whole=True)
    return None


def _pairs(text: str) -> dict[str, float]:
    values = {}
    for name, number in _PAIR.findall(text):
        try:
            values[name] = float(number)
        except ValueError as error:
            raise NoResultError(
                f"benchmark_model: expected a number for {name}, got {number!r}; run it again."
            ) from error
    return values
