"""A phone as target: networks are pushed over adb and timed by a `benchmark_model` that the user supplies."""

from __future__ import annotations

import hashlib
import shlex
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hardware_profiles.cost import Cost, utc_now
from hardware_profiles.devices.adb import FOLDER, AdbDevice, DeviceState
from hardware_profiles.devices.android_settings import read_settings
from hardware_profiles.devices.benchmark_command import benchmark_command
from hardware_profiles.devices.benchmark_log import BenchmarkLog, last_words, parse_benchmark_log
from hardware_profiles.devices.device_target import DeviceTarget
from hardware_profiles.devices.op_profile import Unit, parse_op_profile
from hardware_profiles.target_file import TargetFile
from searchspaces.errors import InputError, NoResultError

if TYPE_CHECKING:
    pass

# Android's "severe": clocks are being lowered.
_HOT: Final = 3
_GRACE_S: Final = 60
_WRONG_BINARY: Final = ("not executable", "exec format error", "cannot link executable", "no such file", "not found")


class AndroidTarget(DeviceTarget):
    """A phone of the file's `[device]` table. It is looked for when the first network comes.

    A tool for another processor is an `InputError`; a delegate that runs none of a network, a phone that stays hot and
    a run without times are `NoResultError`s.

    Args:
        file: the target's file.
        sleep: waits for a phone to cool down.
    """

    def __init__(self, file: TargetFile, *, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(file)
        self._settings = read_settings(file.device, threads=file.threads, source=file.source)
        self._sleep = sleep

    def per_op(self, path: Path, *, threads: int | None = None) -> list[dict[str, Any]]:
        """Each operator's mean time, from a run of its own that is slower than an ordinary one."""
        table = f"{FOLDER}/{self.name}-ops.csv"
        model = self._pushed_model(path.read_bytes())
        try:
            self._run(model, op_csv=table)
            text = self._device.read(table)
        finally:
            self._device.remove(model, table)
        unit: Unit = "cycles" if self._settings.options.delegate == "hexagon" else "ms"
        return [asdict(op) for op in parse_op_profile(text, unit=unit)]

    # -- inside ----------------------------------------------------------------------------------------------------

    @cached_property
    def _device(self) -> AdbDevice:
        return AdbDevice(self._settings.serial, host=self._settings.host, port=self._settings.port)

    @cached_property
    def _tool(self) -> tuple[str, str]:
        """The tool's place on the phone, and the hash that names its version: it does not print one."""
        content = self._settings.benchmark_model.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:12]
        return self._pushed(content, f"benchmark_model-{digest}"), digest

    def measured(self, model: bytes, precision: str) -> tuple[Cost, ...]:
        path = self._pushed_model(model)
        try:
            for attempt in range(self._settings.attempts):
                if attempt:
                    self._sleep(self._settings.cooldown_s)
                before = self._cool()
                logs = [self._run(path) for _ in range(self._settings.passes)]
                if _spread(logs) <= self._settings.max_spread:
                    break
        finally:
            self._device.remove(path)
        return (self._record(logs, before, self._device.state(), precision),)

    def _cool(self) -> DeviceState:
        """The phone's state once it is not hot."""
        for attempt in range(self._settings.attempts):
            if attempt:
                self._sleep(self._settings.cooldown_s)
            state = self._device.state()
            if state.thermal_status is None or state.thermal_status < _HOT:
                return state
        raise NoResultError(
            f"{self.name}: the phone is hot (thermal status {state.thermal_status}) after {self._settings.attempts} "
            f"tries {self._settings.cooldown_s:g} s apart, so its clocks are lowered; cool it, or raise "
            "device.cooldown_s."
        )

    def _run(self, model: str, *, op_csv: str = "") -> BenchmarkLog:
        """One run of the tool; a run that a delegate left to the CPU is refused."""
        options = self._settings.options
        command = benchmark_command(self._tool[0], model, options, op_csv=op_csv)
        # Warm-up and timed runs each keep the limit.
        limit = 2 * options.max_seconds + _GRACE_S
        text, status = self._device.shell(command, time_limit_s=limit)
        if any(words in text.lower() for words in _WRONG_BINARY) and "count=" not in text:
            raise InputError(
                f"device.benchmark_model: {self._settings.benchmark_model} does not run on {self.name}: "
                f"{last_words(text)}; take the one for its processor, such as android_aarch64."
            )
        if status:
            raise NoResultError(
                f"{self.name}: benchmark_model ended with status {status}: {last_words(text)}; run it by hand."
            )
        log = parse_benchmark_log(text)
        if options.delegate != "cpu" and (log.delegation is None or log.delegation.fell_back):
            raise NoResultError(
                f"{self.name}: the {options.delegate} delegate runs none of the network, so the time would be the "
                "CPU's; choose another delegate or network."
            )
        return log

    @property
    def _runs(self) -> int:
        return self._settings.options.runs

    def _pushed_model(self, content: bytes) -> str:
        return self._pushed(content, f"{hashlib.sha256(content).hexdigest()[:12]}.tflite")

    def _pushed(self, content: bytes, name: str) -> str:
        """The path of a file on the phone; one that is there with that size is not sent again."""
        path = f"{FOLDER}/paretonas-{name}"
        size, _ = self._device.shell(f"stat -c %s {shlex.quote(path)} 2>/dev/null", time_limit_s=30)
        if size.strip() != str(len(content)):
            self._device.push(content, path)
        return path

    def _record(self, logs: Sequence[BenchmarkLog], before: DeviceState, after: DeviceState, precision: str) -> Cost:
        minima = [log.min_us / 1e3 for log in logs]
        value, options = statistics.median(minima), self._settings.options
        runtime = f"{self.runtime} (benchmark_model {self._tool[1]})"
        identity = (before.model, before.build, runtime, *map(str, asdict(options).values()))
        return Cost(
            metric="latency_ms",
            value=value,
            unit="ms",
            low=min(minima),
            high=max(minima),
            method=self.method,
            target=self.name,
            batch=1,
            precision=precision,
            threads=options.threads,
            delegate=options.delegate,
            runtime=runtime,
            fingerprint=hashlib.sha256(" ".join(identity).encode()).hexdigest()[:12],
            runs=min(log.runs for log in logs),
            warmup=min(log.warmup_runs for log in logs),
            spread=(max(minima) - min(minima)) / value if value else 0.0,
            at=utc_now(),
            passes=len(logs),
            median=statistics.median(log.typical_us for log in logs) / 1e3,
            note="; ".join(self._remarks(logs, before, after)),
        )

    def _remarks(self, logs: Sequence[BenchmarkLog], before: DeviceState, after: DeviceState) -> list[str]:
        """What a reader has to know of the phone and its runs."""
        remarks = [f"{before.model}, {before.build}"]
        if before.clocks_khz:
            remarks.append("clocks " + "/".join(f"{clock / 1e6:.2f}" for clock in before.clocks_khz) + " GHz")
        if after.thermal_status is not None:
            remarks.append(f"thermal status {before.thermal_status} to {after.thermal_status}")
        if before.battery_percent is not None:
            remarks.append(f"battery {before.battery_percent} %")
        partly = next((log.delegation for log in logs if log.delegation and not log.delegation.whole), None)
        if partly:
            remarks.append(f"{partly.name} runs a part in {partly.kernels} kernels, the CPU the rest")
        if (spread := _spread(logs)) > self._settings.max_spread:
            remarks.append(f"passes {spread:.0%} apart after {self._settings.attempts} attempts")
        return remarks


def _spread(logs: Sequence[BenchmarkLog]) -> float:
    """How far the passes' minima lie apart, as a share of their median."""
    minima = [log.min_us for log in logs]
    middle = statistics.median(minima)
    return (max(minima) - min(minima)) / middle if middle else 0.0
