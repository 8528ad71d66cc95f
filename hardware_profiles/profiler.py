"""Time per operator, from the profiler inside LiteRT's shared library.

The Python package does not wrap that profiler; the library exports it in C, and `litert_c` calls it through ctypes. It
names the kernel each op really ran (`Convolution (NHWC, QC8) IGEMM`) and tells ops inside the XNNPACK delegate from
those that fell back to a built-in kernel, which are often the slow ones.

Profiled runs are slower than plain ones, and times come in whole microseconds: read shares from a profile and the
latency from `measure`. Because a fault in the library would take the process down, `profile_ops` runs it in a process
of its own: `python -m hardware_profiles.profiler FILE --json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from hardware_profiles import litert
from hardware_profiles.litert import Model
from searchspaces.errors import InputError, MissingError, NoResultError

if TYPE_CHECKING:
    from hardware_profiles.litert_c import Event

_EXIT: dict[type[Exception], int] = {InputError: 2, MissingError: 3, NoResultError: 1}
_ERRORS = {error.__name__: error for error in _EXIT}
_INVOKE = "Invoke"

# Which TFLite ops an XNNPACK kernel can stand for, by its name before the parenthesis; 1×1 convolutions run as dense
# layers.
_KERNELS = {
    "Convolution": ("CONV_2D", "DEPTHWISE_CONV_2D"),
    "Fully Connected": ("FULLY_CONNECTED", "CONV_2D"),
    "Dynamic Fully Connected": ("FULLY_CONNECTED", "BATCH_MATMUL"),
    "Batch Matrix Multiply": ("BATCH_MATMUL",),
    "Deconvolution": ("TRANSPOSE_CONV",),
    "Average Pooling": ("AVERAGE_POOL_2D", "MEAN"),
    "Max Pooling": ("MAX_POOL_2D",),
    "Mean": ("MEAN",),
    "Sum": ("SUM", "MEAN"),
    "Add": ("ADD",),
    "Subtract": ("SUB",),
    "Multiply": ("MUL",),
    "Divide": ("DIV",),
    "Maximum": ("MAXIMUM",),
    "Minimum": ("MINIMUM",),
    "Squared Difference": ("SQUARED_DIFFERENCE",),
    "Clamp": ("RELU6", "RELU", "RELU_N1_TO_1", "RELU_0_TO_1"),
    "Sigmoid": ("LOGISTIC",),
    "HardSwish": ("HARD_SWISH",),
    "TanH": ("TANH",),
    "GELU": ("GELU",),
    "ApproxGELU": ("GELU",),
    "ELU": ("ELU",),
    "LeakyReLU": ("LEAKY_RELU",),
    "PReLU": ("PRELU",),
    "Softmax": ("SOFTMAX",),
    "Constant Pad": ("PAD", "PADV2"),
    "Transpose": ("TRANSPOSE",),
    "Static Reshape": ("RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
    "Resize Bilinear": ("RESIZE_BILINEAR",),
    "Depth To Space": ("DEPTH_TO_SPACE",),
    "Space To Depth": ("SPACE_TO_DEPTH",),
    "Slice": ("SLICE", "STRIDED_SLICE", "SPLIT"),
    "Copy": ("CONCATENATION", "RESHAPE", "SPLIT"),
    "Convert": ("QUANTIZE", "DEQUANTIZE", "CAST"),
    # The name XNNPACK gives a function it has turned into a table of 256 bytes, such as an int8 swish (LOGISTIC and
    # the MUL after it, in one).
    "Invalid Unary Op": ("LOGISTIC", "TANH", "ELU", "GELU", "HARD_SWISH", "LEAKY_RELU"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpTime:
    """One operator of a profile, in running order.

    `index` is its place among the ops of the file; None for a kernel the delegate put in on its own. The delegate does
    not report places, so for delegated ops it is the next op in the file that such a kernel can stand for; an op with
    no entry was merged into another's kernel. `kind` is then TFLite's name of the op. `latency_us` is the median over
    the runs, in whole or half microseconds.
    """

    index: int | None
    kind: str
    kernel: str
    latency_us: float
    delegated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpProfile:
    """All operators; `invoke_us` is the median of the whole inference under the profiler, `total_us` the ops' sum."""

    ops: tuple[OpTime, ...]
    total_us: float
    invoke_us: float
    runs: int
    threads: int
    runtime: str

    @property
    def coverage(self) -> float:
        """Share of the inference that the ops account for; around 0.9 for networks of a few milliseconds."""
        return self.total_us / self.invoke_us if self.invoke_us else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {**asdict(self), "ops": [asdict(each) for each in self.ops]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> OpProfile:
        """The record of `to_dict`."""
        return cls(**{**data, "ops": tuple(OpTime(**each) for each in data["ops"])})


def profile_ops(
    model: Model,
    *,
    threads: int = 1,
    runs: int = 30,
    warmup: int = 5,
    isolate: bool = True,
    time_limit_s: float = 120.0,
) -> OpProfile:
    """Profile a model on this machine, on random input.

    Args:
        isolate: run in a process of its own, which a fault in the C library or an endless inference cannot outlive.
        time_limit_s: ends the process; without `isolate` there is no limit.

    Raises:
        InputError: the model or an option cannot be used.
        MissingError: the library or one of its functions is not there.
        NoResultError: the profiling process crashed, ran out of time, or the library refused a call.
    """
    litert.check_threads(threads)
    for name, count, least in (("runs", runs, 1), ("warmup", warmup, 0)):
        if isinstance(count, bool) or not isinstance(count, int) or count < least:
            raise InputError(
                f"{name}: expected a whole number, {least} or more, got {count!r}; leave it out for a default."
            )
    litert.read_model(model)
    if not isinstance(model, bytes):
        path = Path(model).resolve()
        return _profile(path, threads=threads, runs=runs, warmup=warmup, limit_s=time_limit_s if isolate else None)
    with tempfile.TemporaryDirectory(prefix="paretonas-") as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(model)
        return _profile(path, threads=threads, runs=runs, warmup=warmup, limit_s=time_limit_s if isolate else None)


def _profile(path: Path, *, threads: int, runs: int, warmup: int, limit_s: float | None) -> OpProfile:
    if limit_s is None:
        return _profile_here(path, threads=threads, runs=runs, warmup=warmup)
    options = ["--threads", str(threads), "--runs", str(runs), "--warmup", str(warmup)]
    return _profile_apart(path, options, limit_s)


def _profile_apart(path: Path, options: list[str], time_limit_s: float) -> OpProfile:
    command = [sys.executable, "-m", "hardware_profiles.profiler", str(path), "--json", *options]
    package_root = str(Path(__file__).resolve().parents[1])
    search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=time_limit_s,
            env={**os.environ, "PYTHONPATH": search_path},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoResultError(
            f"per-op profile of {path}: expected it within {time_limit_s:g} s, got none; ask for fewer runs."
        ) from error
    return _read_answer(done, path)


def _read_answer(done: subprocess.CompletedProcess[str], path: Path) -> OpProfile:
    """The profile in the last line on stdout, or the error the process met, raised again here."""
    lines = done.stdout.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    if done.returncode == 0 and "ops" in answer:
        return OpProfile.from_dict(answer)
    if answer.get("error") in _ERRORS:
        raise _ERRORS[answer["error"]](answer["message"])
    last_words = " ".join(done.stderr.strip().splitlines()[-1:]) or "nothing on stderr"
    raise NoResultError(
        f"per-op profile of {path}: expected a profile, but its process ended with status {done.returncode} "
        f"({last_words}); time the whole model instead, or try another version of ai-edge-litert."
    )


def _profile_here(path: Path, *, threads: int, runs: int, warmup: int) -> OpProfile:
    from hardware_profiles.litert_c import ProfiledModel

    # The interpreter verifies the file and names what it cannot run, which the C library reports as a bare number.
    litert.open_interpreter(path, threads=threads)
    kinds = litert.op_kinds(path)
    with ProfiledModel(path, threads=threads, rng=np.random.default_rng(0)) as profiled:
        for _ in range(warmup):
            profiled.run()
        events = [profiled.profile_run() for _ in range(runs)]
    return _summarise(events, kinds, threads)


def _summarise(runs: list[list[Event]], kinds: Sequence[str], threads: int) -> OpProfile:
    """Medians over the runs; every run reports the same ops in the same order."""
    steps = [[event for event in events if event.delegated is not None] for events in runs]
    whole = [
        event.elapsed_us for events in runs for event in events if event.delegated is None and event.tag == _INVOKE
    ]
    order = [(event.tag, event.node) for event in steps[0]]
    same = [run for run in steps if [(event.tag, event.node) for event in run] == order]
    places = match_ops(steps[0], kinds)
    ops = tuple(
        OpTime(
            index=place,
            kind=_kind(event, place, kinds),
            kernel=event.tag,
            latency_us=float(median(run[step].elapsed_us for run in same)),
            delegated=bool(event.delegated),
        )
        for step, (event, place) in enumerate(zip(steps[0], places, strict=True))
    )
    return OpProfile(
        ops=ops,
        total_us=sum(op.latency_us for op in ops),
        invoke_us=float(median(whole)) if whole else 0.0,
        runs=len(same),
        threads=threads,
        runtime=str(litert.find_runtime()),
    )


def match_ops(events: Sequence[Event], kinds: Sequence[str]) -> list[int | None]:
    """The place in the file of each event's op; built-in ops report theirs, delegated ones are looked for.

    A delegated kernel is matched with the first op after the last match that it can stand for, else with the first
    such op not taken (the runtime may run independent partitions in another order), else with none.
    """
    taken = {event.node for event in events if not event.delegated}
    places: list[int | None] = []
    last = -1
    for event in events:
        if not event.delegated:
            places.append(event.node if event.node < len(kinds) else None)
            continue
        possible = _possible_kinds(event.tag)
        free = [index for index, kind in enumerate(kinds) if kind in possible and index not in taken]
        place = next((index for index in free if index > last), free[0] if free else None)
        if place is not None:
            taken.add(place)
            last = place
        places.append(place)
    return places


def _possible_kinds(kernel: str) -> tuple[str, ...]:
    return _KERNELS.get(kernel.partition(" (")[0], ())


def _kind(event: Event, place: int | None, kinds: Sequence[str]) -> str:
    if place is not None:
        return kinds[place]
    possible = _possible_kinds(event.tag) if event.delegated else ()
    return possible[0] if possible else event.tag


def main(arguments: Sequence[str] | None = None) -> int:
    """Profile a file and write one line of JSON: the profile, or `{error, message}`."""
    parser = argparse.ArgumentParser(prog="python -m hardware_profiles.profiler", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--warmup", type=int, default=5)
    options = parser.parse_args(arguments)
    try:
        profile = profile_ops(
            options.file, threads=options.threads, runs=options.runs, warmup=options.warmup, isolate=False
        )
    except (InputError, MissingError, NoResultError) as error:
        if not options.json:
            sys.stderr.write(f"error: {error}\n")
        else:
            sys.stdout.write(json.dumps({"error": type(error).__name__, "message": str(error)}) + "\n")
        return _EXIT[type(error)]
    sys.stdout.write((json.dumps(profile.to_dict()) if options.json else _table(profile)) + "\n")
    return 0


def _table(profile: OpProfile) -> str:
    rows = [f"{'op':>4}  {'kind':<20} {'us':>9}  {'on':<8} kernel"]
    for op in profile.ops:
        place = "-" if op.index is None else str(op.index)
        where = "delegate" if op.delegated else "built-in"
        rows.append(f"{place:>4}  {op.kind:<20} {op.latency_us:>9.1f}  {where:<8} {op.kernel}")
    rows.append(f"sum {profile.total_us:.1f} us of {profile.invoke_us:.1f} us ({profile.coverage:.0%})")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
