"""The `[device]` table of a phone's TOML file, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from hardware_profiles.devices.benchmark_command import BenchmarkOptions
from searchspaces.errors import InputError, unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class AndroidSettings:
    """Which phone, with which tool, and when its times are believed.

    benchmark_model: the tool on this computer, built for the phone's processor.
    passes: runs of the tool, each with its own warm-up; the cost is the median of their minima.
    max_spread: largest difference of these minima, as a share of the cost, before the passes are made again.
    cooldown_s: how long a phone that is hot, or whose passes do not agree, is left alone.
    attempts: how often passes are made before the cost is given with a note that they do not agree.
    """

    benchmark_model: Path
    serial: str = ""
    host: str = "127.0.0.1"
    port: int = 5037
    passes: int = 3
    max_spread: float = 0.1
    cooldown_s: float = 30.0
    attempts: int = 3
    options: BenchmarkOptions = field(default_factory=BenchmarkOptions)


def read_settings(table: Mapping[str, Any], *, threads: int, source: str) -> AndroidSettings:
    """The settings of a `[device]` table; a relative path of the tool counts from the target's file.

    Raises:
        InputError: an unknown key, a value of another type, or no tool (the file and the key are named).
    """
    ours = {each.name for each in fields(AndroidSettings)} - {"options"}
    tool = {each.name for each in fields(BenchmarkOptions)} - {"threads"}
    hints = {**get_type_hints(BenchmarkOptions), **get_type_hints(AndroidSettings)}
    for key, value in table.items():
        if key not in ours | tool:
            raise unknown_name(f"key in [device] of target {source}", key, ours | tool)
        expected = str if hints[key] is Path else hints[key]
        if not _fits(value, expected):
            raise InputError(
                f"target {source}: key device.{key}: expected {expected.__name__}, got {value!r}; see docs/devices.md."
            )
    if "benchmark_model" not in table:
        raise InputError(
            f"target {source}: key device.benchmark_model: expected the path of a benchmark_model built for the phone, "
            "got nothing; docs/devices.md says where to get one."
        )
    path = Path(table["benchmark_model"]).expanduser()
    if not path.is_absolute():
        path = Path(source).parent / path
    if not path.is_file():
        raise InputError(f"target {source}: key device.benchmark_model: no such file: {path}; check the path.")
    given = {key: table[key] for key in ours & set(table) if key != "benchmark_model"}
    options = BenchmarkOptions(threads=threads, **{key: table[key] for key in tool & set(table)})
    settings = AndroidSettings(benchmark_model=path, options=options, **given)
    for name in ("passes", "attempts"):
        if getattr(settings, name) < 1:
            raise InputError(f"target {source}: key device.{name}: expected 1 or more; leave it out for the default.")
    return settings


def _fits(value: object, expected: type) -> bool:
    if isinstance(value, bool):
        return expected is bool
    return isinstance(value, int | float) if expected is float else isinstance(value, expected)
