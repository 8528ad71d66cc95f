"""Runs Arm's compiler for Ethos-U NPUs and reads what it reports: cycles, memories, and what runs where."""

from __future__ import annotations

import csv
import importlib.util
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from searchspaces.errors import InputError, MissingError

PACKAGE = "ethos-u-vela"
_KIBIBYTE = 1024
_TIME_LIMIT_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaSettings:
    """What is compiled for; all are names of Vela's own (`vela --list-configs Arm/vela.ini`)."""

    accelerator: str
    system_config: str
    memory_mode: str
    config: str = "Arm/vela.ini"


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaOp:
    """One operator of the compiled network: the TFLite op it came from, where it runs, its cycles and MACs."""

    kind: str
    name: str
    unit: str
    cycles: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaReport:
    """What Vela estimates of one inference. Operators left on the CPU are listed, and in no number."""

    latency_ms: float
    cycles: int
    npu_cycles: int
    sram_bytes: int
    dram_bytes: int
    flash_bytes: int
    macs: int
    ops: tuple[VelaOp, ...]
    version: str

    @property
    def cpu_ops(self) -> tuple[VelaOp, ...]:
        """The operators that the NPU does not take."""
        return tuple(op for op in self.ops if op.unit == "CPU")


def vela_version() -> str:
    """The installed compiler's version.

    Raises:
        MissingError: it is not installed.
    """
    if importlib.util.find_spec("ethosu") is None:
        raise MissingError(f"{PACKAGE}: not installed; run pip install 'paretonas[ethos]'.")
    return metadata.version(PACKAGE)


def compile_with_vela(model: bytes, settings: VelaSettings) -> VelaReport:
    """Compile a .tflite file's bytes and read the reports.

    Raises:
        InputError: Vela refuses the file or the settings; its last words are passed on.
        MissingError: Vela is not installed.
    """
    version = vela_version()
    with tempfile.TemporaryDirectory(prefix="vela-") as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(model)
        # Not --show-cpu-operations: it ends in a KeyError where an operator does go to the CPU (5.2.0).
        arguments = [
            f"--accelerator-config={settings.accelerator}",
            f"--config={settings.config}",
            f"--system-config={settings.system_config}",
            f"--memory-mode={settings.memory_mode}",
            "--verbose-performance",
            f"--output-dir={folder}",
        ]
        command = [sys.executable, "-m", "ethosu.vela", str(path), *arguments]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_TIME_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise InputError(
                f"{PACKAGE} {version}: not done after {_TIME_LIMIT_S} s; try a smaller network."
            ) from error
        summary = Path(folder) / f"network_summary_{settings.system_config}.csv"
        if done.returncode or not summary.exists():
            words = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise InputError(
                f"{PACKAGE} {version}: expected a network it compiles for {settings.accelerator}, got: {words[:300]}; "
                "check the file and the target's [compiler] table."
            )
        return read_report(summary, Path(folder) / "network_per-layer.csv", version)


def read_report(summary: Path, per_layer: Path, version: str) -> VelaReport:
    """The report in Vela's two CSV files.

    Raises:
        InputError: a column is missing or holds no number.
    """
    (row,) = _rows(summary)[-1:] or ({},)
    ops = tuple(
        VelaOp(
            kind=each.get("Original Operator", ""),
            name=each.get("Name", ""),
            unit=each.get("Target", ""),
            cycles=round(_number(each, "Op Cycles", per_layer)),
            macs=round(_number(each, "MAC Count", per_layer)),
        )
        for each in _rows(per_layer)
    )
    flash = ("on_chip_flash_memory_used", "off_chip_flash_memory_used")
    return VelaReport(
        latency_ms=1e3 * _number(row, "inference_time", summary),
        cycles=round(_number(row, "cycles_total", summary)),
        npu_cycles=round(_number(row, "cycles_npu", summary)),
        sram_bytes=_bytes(row, "sram_memory_used", summary),
        dram_bytes=_bytes(row, "dram_memory_used", summary),
        flash_bytes=sum(_bytes(row, column, summary) for column in flash),
        macs=round(_number(row, "nn_macs", summary)),
        ops=ops,
        version=version,
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _number(row: Mapping[str, str], column: str, path: Path) -> float:
    text = row.get(column)
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{path.name}: expected a number in column {column!r}, got {text!r}; {PACKAGE} 5.2 writes it so, use that."
        )
    return value


def _bytes(row: Mapping[str, str], column: str, path: Path) -> int:
    """A column in KiB, in bytes."""
    return round(_KIBIBYTE * _number(row, column, path))
