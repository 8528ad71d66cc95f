"""The papers of an exported network: a card in JSON for programs, one in Markdown for people, and the labels."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata, resources
from typing import Any

from hardware_profiles.cost import utc_now
from hardware_profiles.lower import lower
from nas.export.candidate import Candidate
from nas.intervals import share_with_interval
from nas.task import Task, TaskDescription
from searchspaces.errors import InputError
from searchspaces.spec import NetworkSpec

CARD_FORMAT = "paretonas-card/1"
METADATA_FORMAT = "paretonas-metadata/1"
_PACKAGES = ("paretonas", "tensorflow", "keras", "ai-edge-litert")
_CLASSES_SHOWN = 20
# Everything that some reader of text files takes for the end of a line.
_LINE_ENDS = {ord(sign): repr(sign)[1:-1] for sign in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"}


def make_card(
    spec: NetworkSpec,
    task: Task,
    candidates: Sequence[Candidate],
    *,
    test_accuracy: Mapping[str, float],
    test_examples: int,
    promised: Sequence[Mapping[str, Any]],
    measured: Mapping[str, Any] | None,
    seed: int,
    calibration_examples: int,
) -> dict[str, Any]:
    """The card as JSON data; the first candidate is the file it is about.

    Args:
        test_accuracy: of `keras` and of every precision.
        calibration_examples: training examples int8 was calibrated on, 0 where none was.
    """
    main = candidates[0]
    described = {candidate.precision: candidate.describe() for candidate in candidates}
    validation = {"keras": main.parity.accuracy_keras} | {
        candidate.precision: candidate.parity.accuracy_litert for candidate in candidates
    }
    return {
        "format": CARD_FORMAT,
        **describe_network(spec),
        "precision": main.precision,
        **{key: described[main.precision][key] for key in ("file", "sha256", "size_bytes")},
        "precisions": described,
        "task": describe_task(task),
        "metrics": {
            "validation": _accuracies(validation, main.parity.examples),
            "test": _accuracies(test_accuracy, test_examples),
        },
        "latency": {"promised": [dict(cost) for cost in promised], "measured": dict(measured) if measured else None},
        "calibration": {"examples": calibration_examples, "split": "train"} if calibration_examples else None,
        "seed": seed,
        "versions": versions(),
        "created": utc_now(),
    }


def describe_network(spec: NetworkSpec) -> dict[str, Any]:
    """The network, as cards hold it."""
    return {
        "architecture": spec.name,
        "space": _space(spec),
        "spec": spec.to_dict(),
        "network": {"params": spec.params, "macs": lower(spec.deployed).macs},
    }


def describe_task(task: TaskDescription) -> dict[str, Any]:
    """The task, as cards hold it."""
    return {
        "name": task.name,
        "input_shape": list(task.input_shape),
        "class_names": list(task.class_names),
        "preprocessing": _preprocessing(task),
        "provenance": dict(task.provenance),
    }


def make_metadata(spec: NetworkSpec, task: TaskDescription, precision: str) -> dict[str, Any]:
    """What the .tflite itself carries: enough to feed it and to read its answer."""
    return {
        "format": METADATA_FORMAT,
        "architecture": spec.name,
        "precision": precision,
        "task": task.name,
        "class_names": list(task.class_names),
        "preprocessing": _preprocessing(task),
        "paretonas": versions()["paretonas"],
    }


def versions() -> dict[str, str | None]:
    """Python's and the packages' versions; None for a package that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def card_json(card: Mapping[str, Any]) -> bytes:
    """The card as a UTF-8 JSON document."""
    try:
        text = json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"card: expected values that JSON can hold, got {error}; give plain numbers.") from error
    # Half a surrogate pair (names of undecodable files hold them) becomes \\udc80, which JSON reads back.
    return (text + "\n").encode("utf-8", "backslashreplace")


def labels_text(class_names: Sequence[str]) -> bytes:
    """One class a line, in the order of the outputs; line ends within a name are written as escapes (``\\n``)."""
    lines = [name.translate(_LINE_ENDS) for name in class_names]
    return "\n".join([*lines, ""]).encode("utf-8", "backslashreplace")


def card_markdown(card: Mapping[str, Any], labels_file: str, template_file: str = "card.md.j2") -> bytes:
    """The card for people, with a snippet that runs the file."""
    import jinja2

    template = resources.files("nas.export").joinpath(template_file).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=False,  # Markdown, where names stand in code spans
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(code=_code, percent=_percent, number=_number, size=_size, repr=repr)
    text = environment.from_string(template).render(
        card=card,
        main=card["precisions"][card["precision"]],
        labels_file=labels_file,
        classes_shown=card["task"]["class_names"][:_CLASSES_SHOWN],
    )
    return text.encode("utf-8", "backslashreplace")


def _space(spec: NetworkSpec) -> str | None:
    """The space an architecture id begins with; None for a name that is no id."""
    space, colon, _ = spec.name.partition(":")
    return space if colon else None


def _preprocessing(task: TaskDescription) -> dict[str, Any]:
    steps = task.preprocessing.to_dict()
    inside = None if steps["scale"] is None else {"scale": steps["scale"], "offset": steps["offset"]}
    return {"kind": steps["kind"], "host": steps["host"], "in_graph": inside}


def _accuracies(values: Mapping[str, float], examples: int) -> dict[str, Any]:
    return {
        "examples": examples,
        "accuracy": {name: share_with_interval(value, examples) for name, value in values.items()},
    }


def _code(value: object) -> str:
    """A code span that no name can break out of, in a table or out of it."""
    words = " ".join(str(value).split()).replace("`", "'").replace("|", "\\|")
    return f"`{words}`" if words else "–"


def _percent(share: Mapping[str, float]) -> str:
    return f"{100 * share['value']:.1f} % ({100 * share['low']:.1f} to {100 * share['high']:.1f})"


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1000:,.1f} kB"
