"""Tasks by name: data sets as `nas.task.Task` or `nas.detection_task.DetectionTask`, built in or read from files."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Final

from nas.detection_task import DetectionTask
from nas.task import Task
from searchspaces.errors import InputError, unknown_name

# Name → "module:function"; the options of a task are the keyword arguments of its function.
TASKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "boxes-csv": "benchmarks.tasks.detection.boxes_csv:boxes_csv",
        "breast_cancer": "benchmarks.tasks.scikit_learn:breast_cancer",
        "cifar10": "benchmarks.tasks.cifar10:cifar10",
        "clip-folder": "benchmarks.tasks.clip_folder:clip_folder",
        "clip-list": "benchmarks.tasks.clip_list:clip_list",
        "coco": "benchmarks.tasks.detection.coco:coco",
        "csv": "benchmarks.tasks.table_files:csv",
        "digits": "benchmarks.tasks.scikit_learn:digits",
        "digits-canvas": "benchmarks.tasks.detection.digits_canvas:digits_canvas",
        "image-folder": "benchmarks.tasks.image_folder:image_folder",
        "iris": "benchmarks.tasks.scikit_learn:iris",
        "moving-digits": "benchmarks.tasks.moving_digits:moving_digits",
        "npz": "benchmarks.tasks.npz:npz",
        "parquet": "benchmarks.tasks.table_files:parquet",
        "tsv": "benchmarks.tasks.table_files:tsv",
        "voc": "benchmarks.tasks.detection.voc:voc",
        "wine": "benchmarks.tasks.scikit_learn:wine",
    }
)


def create(
    name: str, *, input_shape: Sequence[int] | None = None, seed: int = 0, **options: object
) -> Task | DetectionTask:
    """The task of that name.

    Args:
        name: one of TASKS.
        input_shape: of one example, where the task lets it be chosen (images); None for the task's own.
        seed: of the split; the same seed gives the same split.
        options: the task's own, such as `path` or `label`; see `option_names`.
    """
    function = _reader(name)
    known = option_names(name)
    for option in options:
        if option not in known:
            raise unknown_name(f"option of task {name!r}", option, known)
    parameters = inspect.signature(function).parameters
    for option in known:
        if parameters[option].default is inspect.Parameter.empty and option not in options:
            raise InputError(
                f"task {name!r}: expected the option {option!r}, got {', '.join(sorted(options)) or 'no options'};"
                f" add {option}."
            )
    return function(input_shape=input_shape, seed=seed, **options)


def option_names(name: str) -> tuple[str, ...]:
    """The options of a task beside `input_shape` and `seed`."""
    parameters = inspect.signature(_reader(name)).parameters
    return tuple(option for option in parameters if option not in {"input_shape", "seed"})


def typed_options(name: str, texts: Mapping[str, str]) -> dict[str, object]:
    """Options that were given as text, numbers and truth values read where the task takes such."""
    parameters = inspect.signature(_reader(name)).parameters
    return {
        option: _typed(text, str(parameters[option].annotation)) if option in parameters else text
        for option, text in texts.items()
    }


def _typed(text: str, annotation: str) -> object:
    kinds = annotation.replace(" ", "").split("|")
    if "bool" in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "int" in kinds and text.removeprefix("-").isdecimal():
        return int(text)
    if "float" in kinds:
        with suppress(ValueError):
            return float(text)
    return text


def _reader(name: str) -> Callable[..., Task | DetectionTask]:
    if not isinstance(name, str) or name not in TASKS:
        raise unknown_name("task", name, TASKS)
    module, function = TASKS[name].split(":")
    reader: Callable[..., Task | DetectionTask] = getattr(importlib.import_module(module), function)
    return reader
