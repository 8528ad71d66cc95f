"""The import arrows between the packages, late imports counted, and what a start of the command line loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("benchmarks", "hardware_profiles", "models", "nas", "reports", "searchspaces")
FRAMEWORKS = ("keras", "tensorflow", "tf_keras", "jax", "torch", "ray")

# What a package may import of its own house, beside itself.
ARROWS = {
    "searchspaces": (),
    "hardware_profiles": ("searchspaces",),
    "models": ("searchspaces",),
    "nas": ("searchspaces", "hardware_profiles", "models"),
    "benchmarks": ("searchspaces", "hardware_profiles", "models", "nas"),
    # The errors are the whole house's.
    "reports": ("nas.tables", "nas.pareto", "searchspaces.errors"),
}
# The front door knows every room; the demo shows what comes out.
EXCEPTIONS = {"nas/cli": ("benchmarks", "reports"), "benchmarks/demo.py": ("reports",)}
# What a package never imports from outside.
NEVER = {
    "searchspaces": FRAMEWORKS,
    "hardware_profiles": FRAMEWORKS,
    "models": ("tensorflow", "tf_keras", "jax", "torch", "ray"),
    "nas": (),
    "benchmarks": ("ray",),
    "reports": FRAMEWORKS,
}
RAY_HOMES = ("nas/engines", "nas/cli", "nas/adapters")


def imported_names(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports, wherever in the file and also by `import_module("…")`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                module = ".".join([*parents, module]).rstrip(".")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield node.lineno, str(node.args[0].value)


def is_under(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def violations(path: str, source: str) -> list[str]:
    """Every import of a file (path relative to the root) that breaks an arrow."""
    package = path.split("/")[0]
    allowed = (package, *ARROWS[package])
    for prefix, more in EXCEPTIONS.items():
        if path == prefix or path.startswith((prefix + "/", prefix + ".py")):
            allowed += more
    found = []
    for line, name in imported_names(source, ".".join(path.split("/")[:-1])):
        top = name.split(".")[0]
        outside = top not in PACKAGES
        if (
            (not outside and not is_under(name, allowed))
            or (outside and top in NEVER[package])
            or (top == "ray" and not path.startswith(RAY_HOMES))
            or (package == "searchspaces" and outside and top not in {*sys.stdlib_module_names, "numpy"})
        ):
            found.append(f"{path}:{line} imports {name}")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_keeps_to_the_arrows(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    broken = [
        line
        for file in files
        for line in violations(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("searchspaces/x.py", "import keras"),
        ("searchspaces/x.py", "import pandas as pd"),
        ("searchspaces/x.py", "def f():\n    from hardware_profiles.lower import lower"),
        ("searchspaces/x.py", "import importlib\nimportlib.import_module('models.builder')"),
        ("hardware_profiles/x.py", "from nas.task import Task"),
        ("hardware_profiles/x.py", "if True:\n    import tensorflow.lite as lite"),
        ("hardware_profiles/deep/x.py", "from ...nas import task"),
        ("models/x.py", "from hardware_profiles import lower"),
        ("models/x.py", "import tensorflow as tf"),
        ("nas/x.py", "import benchmarks.tasks"),
        ("nas/x.py", "import ray"),
        ("nas/evaluators/x.py", "def f():\n    from ray import tune"),
        ("nas/client.py", "import reports.page"),
        ("benchmarks/x.py", "from reports import page"),
        ("reports/x.py", "from nas import store"),
        ("reports/x.py", "import nas"),
        ("reports/x.py", "from searchspaces.space import SearchSpace"),
        ("reports/x.py", "import keras"),
    ],
)
def test_a_broken_arrow_is_found(path, source):
    assert len(violations(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("searchspaces/x.py", "import numpy as np\nfrom numpy.typing import NDArray\nimport json"),
        ("searchspaces/x.py", "from .space import Choice\nfrom . import errors"),
        ("hardware_profiles/targets/x.py", "from ..cost import Cost\nfrom searchspaces.spec import NetworkSpec"),
        ("models/x.py", "import keras"),
        ("nas/engines/x.py", "def f():\n    from ray import tune"),
        ("nas/cli/x.py", "def f():\n    import ray\n    import benchmarks.tasks\n    from reports import page"),
        ("nas/export/x.py", "def f():\n    import tensorflow"),
        ("benchmarks/demo.py", "from reports import page"),
        ("reports/x.py", "from nas import tables\nfrom nas.pareto import front\nimport plotly"),
    ],
)
def test_what_the_arrows_allow_is_let_through(path, source):
    assert violations(path, source) == []


HEAVY = ("tensorflow", "keras", "ray", "pandas", "sklearn", "matplotlib", "plotly", "ai_edge_litert")
REPORT_LOADED = f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
HELP = """
from nas.cli import main
sys.argv = ["nas", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
"""
STARTS = {
    "import nas": "import nas",
    "nas --help": HELP,
    "import searchspaces": "import searchspaces.catalog, searchspaces.testing",
    "import hardware_profiles": "import hardware_profiles.memory, hardware_profiles.write_tflite",
}


@pytest.mark.parametrize("start", STARTS)
def test_a_start_loads_no_framework(start):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{STARTS[start]}\n{REPORT_LOADED}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=ROOT,
    )
    assert done.stderr.splitlines()[-1] == "loaded []"
