"""Google's `edgetpu_compiler`, where it is on the PATH: run on a file, and its words read."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from searchspaces.errors import InputError, MissingError, NoResultError

COMMAND: Final = "edgetpu_compiler"
MAPPED: Final = "Mapped to Edge TPU"
_UNITS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_TIME_LIMIT_S: Final = 600

_SIZES: Final = {
    "cached_bytes": "On-chip memory used for caching model parameters",
    "cache_left_bytes": "On-chip memory remaining for caching model parameters",
    "streamed_bytes": "Off-chip memory used for streaming uncached model parameters",
}
_ROW: Final = re.compile(r"^([A-Za-z0-9_\-]+)\s+(\d+)\s+(\S.*?)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorStatus:
    """How many operators of a kind got one status, such as `Mapped to Edge TPU`."""

    kind: str
    count: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerReport:
    """What the compiler printed of one file."""

    version: str
    cached_bytes: int
    cache_left_bytes: int
    streamed_bytes: int
    subgraphs: int
    operators: tuple[OperatorStatus, ...]

    @property
    def mapped_count(self) -> int:
        """How many operators run on the Edge TPU."""
        return sum(row.count for row in self.operators if row.status == MAPPED)

    @property
    def left(self) -> tuple[OperatorStatus, ...]:
        """The operators on the CPU, with the compiler's reasons."""
        return tuple(row for row in self.operators if row.status != MAPPED)


def compile_for_edgetpu(path: Path) -> CompilerReport:
    """Compile a .tflite file and read the report; the compiled file is thrown away.

    Raises:
        MissingError: the compiler is not on the PATH.
        InputError: there is no such file.
        NoResultError: it did not compile; the compiler's last words are passed on.
    """
    command = shutil.which(COMMAND)
    if command is None:
        raise MissingError(
            f"{COMMAND}: not on the PATH; install it from Coral's package repository (Linux, x86-64), or go by the "
            "rules of target coral-edgetpu."
        )
    if not path.is_file():
        raise InputError(f"{path}: expected a .tflite file, got none; check the path.")
    with tempfile.TemporaryDirectory(prefix="edgetpu-") as folder:
        arguments = [command, "--show_operations", "--out_dir", folder, str(path.resolve())]
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=_TIME_LIMIT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise NoResultError(
                f"{COMMAND}: {path} took more than {_TIME_LIMIT_S} s; try a smaller network."
            ) from error
    text = f"{done.stdout}\n{done.stderr}"
    if done.returncode or "Model compiled successfully" not in text:
        words = next((line for line in reversed(text.splitlines()) if line.strip()), "nothing")
        raise NoResultError(f"{COMMAND}: {path} was not compiled: {words.strip()[:300]}; see its own documentation.")
    return parse_report(text)


def parse_report(text: str) -> CompilerReport:
    """Read what the compiler prints with `--show_operations`.

    Raises:
        InputError: a line that every report has is missing.
    """
    sizes = {name: _bytes(_after(text, label)) for name, label in _SIZES.items()}
    _, _, table = text.partition("\nOperator ")
    matches = (_ROW.match(line) for line in table.splitlines()[1:])
    rows = tuple(OperatorStatus(kind=row[1], count=int(row[2]), status=row[3]) for row in matches if row)
    if not rows:
        raise InputError(f"{COMMAND}: expected a table of operators, got none; run it with --show_operations.")
    version = re.search(r"Edge TPU Compiler version (\S+)", text)
    return CompilerReport(
        version=version[1] if version else "unknown",
        subgraphs=int(_after(text, "Number of Edge TPU subgraphs")),
        operators=rows,
        **sizes,
    )


def _after(text: str, label: str) -> str:
    found = re.search(rf"^{re.escape(label)}:\s*(\S+)\s*$", text, re.MULTILINE)
    if found is None:
        raise InputError(f"{COMMAND}: expected a line {label!r} in its report, got none; give all it printed.")
    return found[1]


def _bytes(text: str) -> int:
    """A size such as 3.81MiB."""
    found = re.fullmatch(r"([\d.]+)(B|KiB|MiB|GiB)", text)
    if found is None:
        raise InputError(f"{COMMAND}: expected a size such as 3.81MiB, got {text!r}; give its report as it is.")
    return round(float(found[1]) * _UNITS[found[2]])
