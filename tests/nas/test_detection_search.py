"""Detection in a search: what training reports, what a configuration may ask, and what is missing is said early."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.tasks import create
from nas.cli.assemble import make_parts
from nas.config import parse_config
from nas.evaluators.base import Request
from nas.evaluators.train import TrainEvaluator
from nas.metrics import is_detection, trained_metrics
from searchspaces.errors import InputError, MissingError
from searchspaces.mobiledet import MobileDetTDB
from searchspaces.space import Architecture
from searchspaces.spec import NetworkSpec

CONFIG: dict[str, Any] = {
    "space": {"name": "mobiledet-tdb", "input": [96, 96, 1]},
    "task": {"name": "digits-canvas", "pictures": 60},
    "evaluator": {"name": "train", "epochs": 1},
    "objectives": ["maximize map", "minimize params"],
}


def request(**changed: Any) -> Request:
    return Request(**({"number": 0, "architecture": Architecture("made-up", (0,)), "seed": 1} | changed))


@pytest.fixture(scope="module")
def task() -> Any:
    return create("digits-canvas", pictures=50, input_shape=(32, 32, 1)).without_test()


def test_training_finds_map_and_reports_it_each_epoch(task: Any, tiny_detector: Callable[..., NetworkSpec]) -> None:
    spec = tiny_detector(task, filters=4)
    plain = SimpleNamespace(
        network=lambda architecture: NetworkSpec.from_dict(spec.to_dict() | {"blocks": spec.to_dict()["blocks"][1:]})
    )
    seen: list[dict[str, float]] = []

    def report(epoch: int, metrics: Any) -> bool:
        seen.append(dict(metrics))
        return True

    evaluator = TrainEvaluator(plain, task, epochs=2, batch_size=16)  # type: ignore[arg-type]
    (outcome,) = evaluator.evaluate([request(report=report)])
    assert outcome.state == "COMPLETE", outcome.reason
    assert evaluator.metrics == ("map", "map_50") == tuple(outcome.metrics)
    assert all(0 <= value <= 1 for value in outcome.metrics.values())
    assert [set(each) for each in seen] == [{"loss", "map", "map_50"}] * 2
    assert outcome.details["intervals"] == {}
    assert len(outcome.details["history"]["val_map"]) == 2


def test_a_network_that_is_no_detector_is_refused(task: Any) -> None:
    from searchspaces.catalog import named_network

    spec = named_network("bignas-min", (32, 32, 1), 10).spec
    evaluator = TrainEvaluator(SimpleNamespace(network=lambda architecture: spec), task)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected a detector with outputs boxes"):
        evaluator.evaluate([request()])


def test_the_tool_for_map_is_asked_for_before_training(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(MissingError, match="pycocotools"):
        TrainEvaluator(SimpleNamespace(), task)  # type: ignore[arg-type]


def test_a_search_for_map_is_put_together_from_its_file() -> None:
    parts = make_parts(parse_config(CONFIG))
    assert parts.evaluator is not None and parts.task is not None
    assert is_detection(parts.task) and trained_metrics(parts.task)[0] == "map"
    space = parts.space
    assert isinstance(space, MobileDetTDB)
    assert space.classes == 10 and space.input_shape == (96, 96, 1)
    with pytest.raises(InputError, match="withheld"):
        parts.task.split("test")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"objectives": ["maximize accuracy"]}, "accuracy: training on task digits-canvas finds map and map_50"),
        ({"constraints": ["map >= 0.5"]}, "map is known only after training"),
        ({"task": {"name": "digits-canvas", "picture": 60}}, "did you mean 'pictures'"),
        (
            {"task": "digits", "space": {"name": "bignas", "input": [16, 16, 1]}},
            "map: training on task digits finds accuracy",
        ),
    ],
)
def test_what_a_task_does_not_give_is_refused_before_anything_runs(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_parts(parse_config(CONFIG | changed))
