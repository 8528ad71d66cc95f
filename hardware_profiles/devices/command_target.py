"""A device of the user's own: a command is given a .tflite file and prints what it costs."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hardware_profiles.cost import Cost, utc_now
from hardware_profiles.devices.device_target import DeviceTarget
from hardware_profiles.target_file import TargetFile
from searchspaces.errors import InputError, MissingError, NoResultError, unknown_name

_UNITS: Final = {"latency_ms": "ms", "energy_mj": "mJ", "peak_memory_bytes": "B"}
_KEYS: Final = ("command", "metrics", "time_limit_s")
_TIME_LIMIT_S: Final = 300.0
_EXTRAS: Final = ("low", "high", "runs", "warmup", "device", "runtime")


class CommandTarget(DeviceTarget):
    """Runs the command of the file's `[device]` table. To measure in Python instead, override `measure`.

    The command's last line of output is a JSON object with each of `metrics`, and if it likes `low` and `high` of the
    first, `runs`, `warmup`, and `device` and `runtime` in words.
    """

    def __init__(self, file: TargetFile) -> None:
        super().__init__(file)
        table = file.device
        for key in table:
            if key not in _KEYS:
                raise unknown_name(f"key in [device] of target {file.source}", key, _KEYS)
        self._command = _texts(table.get("command", ()), "command", file.source)
        self._limit_s = _seconds(table.get("time_limit_s", _TIME_LIMIT_S), file.source)
        self.metrics = _texts(table.get("metrics", ("latency_ms",)), "metrics", file.source)
        for metric in self.metrics:
            if metric not in _UNITS:
                raise unknown_name(f"metric in [device] of target {file.source}", metric, _UNITS)
        self._folder = Path(file.source).parent

    def measure(self, path: Path) -> Mapping[str, Any]:
        """What a .tflite file costs: each of `metrics`, and what else the class says.

        Raises:
            InputError: no command is given.
            MissingError: it is not there.
            NoResultError: it fails, takes too long, or prints no JSON object.
        """
        if not self._command:
            raise InputError(
                f"{self.name}: key device.command: expected a command, got none; write a list of words with {{model}} "
                "where the file's path goes, or override measure."
            )
        words = [word.replace("{model}", str(path)) for word in self._command]
        try:
            done = subprocess.run(
                words, cwd=self._folder, capture_output=True, text=True, timeout=self._limit_s, check=False
            )
        except (FileNotFoundError, PermissionError) as error:
            raise MissingError(
                f"{self.name}: cannot run {words[0]} ({error.strerror}); check device.command."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise NoResultError(
                f"{self.name}: not done after {self._limit_s:g} s; raise device.time_limit_s."
            ) from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise NoResultError(f"{self.name}: {words[0]} ended with status {done.returncode}: {said[:300]}")
        return self._object(done.stdout)

    def measured(self, model: bytes, precision: str) -> tuple[Cost, ...]:
        with tempfile.TemporaryDirectory(prefix="paretonas-") as folder:
            path = Path(folder) / "network.tflite"
            path.write_bytes(model)
            found = self.measure(path)
        return tuple(self._cost(metric, found, precision) for metric in self.metrics)

    def _object(self, text: str) -> Mapping[str, Any]:
        last = (text.strip() or "nothing").splitlines()[-1]
        try:
            found = json.loads(last)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NoResultError(
                f'{self.name}: expected a JSON object such as {{"latency_ms": 3.2}} as the last line, got '
                f"{last[:120]!r}; mend device.command."
            )
        return found

    def _cost(self, metric: str, found: Mapping[str, Any], precision: str) -> Cost:
        value = self._number(found, metric)
        first = metric == self.metrics[0]
        low = self._number(found, "low") if first and "low" in found else value
        high = self._number(found, "high") if first and "high" in found else value
        device, runtime = str(found.get("device") or self.name), str(found.get("runtime") or self.runtime)
        return Cost(
            metric=metric,
            value=value,
            unit=_UNITS[metric],
            low=low,
            high=high,
            method=self.method,
            target=self.name,
            batch=1,
            precision=precision,
            threads=self._file.threads,
            delegate="unknown",
            runtime=runtime,
            fingerprint=hashlib.sha256(f"{device} {runtime}".encode()).hexdigest()[:12],
            runs=max(1, round(self._number(found, "runs"))) if "runs" in found else 1,
            warmup=round(self._number(found, "warmup")) if "warmup" in found else 0,
            spread=(high - low) / value if value else 0.0,
            at=utc_now(),
            note=device,
        )

    def _number(self, found: Mapping[str, Any], key: str) -> float:
        value = found.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise NoResultError(
                f"{self.name}: expected {key} as a number, 0 or more, got {value!r}; the object may hold "
                f"{', '.join((*self.metrics, *_EXTRAS))}."
            )
        return float(value)


def _texts(given: object, key: str, source: str) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(word, str) and word for word in given):
        raise InputError(
            f"target {source}: key device.{key}: expected a list of words, got {given!r}; see docs/devices.md."
        )
    return tuple(given)


def _seconds(given: object, source: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise InputError(
            f"target {source}: key device.time_limit_s: expected seconds above 0, got {given!r}; write 300."
        )
    return float(given)
