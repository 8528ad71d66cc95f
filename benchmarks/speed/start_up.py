"""How long the package and its command take to start, and that neither loads a framework."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.speed.row import Row, at_most, below, median_row
from benchmarks.speed.timing import in_turns
from searchspaces.errors import NoResultError

_LIMIT_S = 0.5
_FORBIDDEN = ("tensorflow", "ray")
_HEAVY = (*_FORBIDDEN, "keras", "torch", "jax", "sklearn", "pandas", "matplotlib", "plotly", "numpy")
_IMPORT = "import nas"
_HELP = "from nas.cli import run; run(['--help'])"


def measure(*, runs: int = 20) -> list[Row]:
    """Wall time of `import nas` and `nas --help` in a fresh process each.

    Args:
        runs: processes of each kind, in turns.
    """
    ways: dict[str, Callable[[], float]] = {
        name: partial(_seconds, code)
        for name, code in (("python alone", "pass"), ("import nas", _IMPORT), ("nas --help", _HELP))
    }
    for way in ways.values():
        way()
    times = in_turns(ways, runs)
    return [
        median_row("python alone", times["python alone"], "s", note="what any program here needs"),
        median_row("import nas", times["import nas"], "s", target=below(_LIMIT_S, "s")),
        median_row("nas --help", times["nas --help"], "s", target=below(_LIMIT_S, "s")),
        _loaded_row("import nas", _IMPORT),
        _loaded_row("nas --help", _HELP),
    ]


def _seconds(code: str) -> float:
    start = time.perf_counter()
    _run(code)
    return time.perf_counter() - start


def _loaded_row(name: str, code: str) -> Row:
    """How many of the forbidden packages are loaded once the code has run."""
    known = ", ".join(map(repr, _HEAVY))
    lines = _run(f"{code}; import sys; print(); print(*[name for name in ({known}) if name in sys.modules])")
    loaded = lines.splitlines()[-1].split()
    forbidden = [package for package in _FORBIDDEN if package in loaded]
    return Row(
        name=f"{name}: TensorFlow or Ray loaded",
        value=len(forbidden),
        unit="packages",
        target=at_most(0, "packages"),
        note=f"of the large packages it loads {', '.join(loaded) or 'none'}",
    )


def _run(code: str) -> str:
    """Run code in a fresh interpreter; returns its output."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NoResultError(f"{code!r}: expected exit status 0, got {done.returncode} ({last}); run it by hand.")
    return done.stdout
