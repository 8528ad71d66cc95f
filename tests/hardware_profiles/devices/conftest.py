from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = """name = "mine"
kind = "cpu"
method = "measured"
runner = "{runner}"
runtime = "tflite nightly"
precisions = ["float32", "int8"]
threads = 1
supported_ops = "all builtin"
description = "A device of one's own"

[device]
"""


@pytest.fixture
def write_target(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a target's file with a runner and the lines of its `[device]` table."""

    def written(runner: str, device: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(HEAD.format(runner=runner) + device)
        return path

    return written


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes a shell script that stands in for a program."""

    def made(name: str, body: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return made
