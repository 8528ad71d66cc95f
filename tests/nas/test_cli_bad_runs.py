"""Run folders that are damaged, taken or of another search: each ends in one clear paragraph, and nothing is lost."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from nas.config import parse_config
from nas.run_folder import LOG, RunFolder

Nas = Callable[[Sequence[object]], tuple[int, str, str]]
Config = dict[str, Any]


# -- run folders -------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(nas: Nas, write_yaml: Callable[..., Path], table_config: Config, tmp_path: Path) -> Path:
    """The folder of a finished search over the table; its configuration is `search.yaml` in `tmp_path`."""
    config = write_yaml(table_config | {"budget": {"trials": 6}})
    status, _, err = nas(["search", config, "--out", tmp_path / "run"])
    assert status == 0, err
    return tmp_path / "run"


COMMANDS = (["search", "search.yaml", "--out", "run"], ["resume", "run"], ["status", "run"])


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda value: value[0])
@pytest.mark.parametrize("content", [b"SQLite format 3\x00" + bytes(30), b"garbage" * 999], ids=len)
def test_a_log_that_is_none(refused: Callable[..., str], run: Path, arguments: list[str], content: bytes) -> None:
    (run / LOG).write_bytes(content)
    refused(arguments, LOG)


def test_an_empty_log_has_no_status(refused: Callable[..., str], run: Path) -> None:
    """A driver that was killed at its very start leaves one; to search and resume it is a log without trials."""
    (run / LOG).write_bytes(b"")
    refused(["status", "run"], LOG, "damaged")


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda value: value[0])
def test_a_log_that_is_cut_off(refused: Callable[..., str], run: Path, arguments: list[str]) -> None:
    content = (run / LOG).read_bytes()
    (run / LOG).write_bytes(content[: len(content) // 2])
    refused(arguments, LOG, "restore")


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda value: value[0])
def test_a_log_of_another_release(refused: Callable[..., str], run: Path, arguments: list[str]) -> None:
    database = sqlite3.connect(run / LOG)
    database.execute("PRAGMA user_version = 99")
    database.close()
    refused(arguments, "version 1, got version 99", "use the release that wrote it")


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda value: value[0])
def test_a_log_with_a_garbled_row(refused: Callable[..., str], run: Path, arguments: list[str]) -> None:
    database = sqlite3.connect(run / LOG, isolation_level=None)
    database.execute("DROP TRIGGER event_fixed")
    database.execute("UPDATE event SET architecture = 'tabnas:0-1-oops' WHERE seq = 1")
    database.close()
    refused(arguments, "the trial log is damaged")


@pytest.mark.parametrize("arguments", COMMANDS[:2], ids=lambda value: value[0])
def test_a_log_of_another_space(refused: Callable[..., str], run: Path, arguments: list[str]) -> None:
    database = sqlite3.connect(run / LOG, isolation_level=None)
    database.execute("DROP TRIGGER event_fixed")
    database.execute("UPDATE event SET architecture = 'bignas:0-1-2' WHERE architecture IS NOT NULL")
    database.close()
    refused([*arguments, "--set", "budget.trials=9"], "bignas:0-1-2", keeps=False)


def test_a_configuration_without_log_has_no_status(refused: Callable[..., str], run: Path) -> None:
    (run / LOG).unlink()
    refused(["status", "run"], "expected a trial log, found none")


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda value: value[0])
def test_a_log_without_configuration(refused: Callable[..., str], run: Path, arguments: list[str]) -> None:
    (run / "search.yaml").unlink()
    refused(arguments, "run:")


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda value: value[0])
@pytest.mark.parametrize("text", ["", "space: {", "- a list"], ids=repr)
def test_a_garbled_configuration(refused: Callable[..., str], run: Path, arguments: list[str], text: str) -> None:
    (run / "search.yaml").write_text(text, encoding="utf-8")
    refused(arguments)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed=7", "seed: 1 there, 7 here"),
        ("space.layers=3", "space.layers: 2 there, 3 here"),
        ("controller.name=evolution", "controller.name: 'random' there, 'evolution' here"),
        ("constraints=[size <= 401]", "constraints: "),
        ("objectives=[maximize accuracy]", "objectives: "),
    ],
)
@pytest.mark.parametrize("arguments", COMMANDS[:2], ids=lambda value: value[0])
def test_a_run_of_another_search(
    refused: Callable[..., str], run: Path, arguments: list[str], override: str, words: str
) -> None:
    refused([*arguments, "--set", override], "it holds another search", words)


def test_a_table_that_has_gone(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    text = (run / "search.yaml").read_text(encoding="utf-8")
    gone = str(tmp_path / "gone.csv")
    data = yaml.safe_load(text)
    data["evaluator"]["path"] = gone
    (run / "search.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    for arguments in (["resume", "run"], ["status", "run"]):
        refused(arguments, "evaluator.path: no such file", "gone.csv")


def test_two_drivers(refused: Callable[..., str], run: Path, table_config: Config) -> None:
    config = parse_config(table_config | {"budget": {"trials": 6}})
    with RunFolder(run, config) as first:
        for arguments in (["search", "search.yaml", "--out", "run"], ["resume", "run"]):
            refused([*arguments, "--set", "budget.trials=8"], f"another driver (process {os.getpid()})", "wait for it")
        assert len(first.store.trials()) >= 6


@pytest.mark.parametrize("out", ["search.yaml", "search.yaml/below", "other"])
def test_places_where_no_run_can_be(
    refused: Callable[..., str], write_yaml: Callable[..., Path], table_config: Config, tmp_path: Path, out: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("mine", encoding="utf-8")
    refused(["search", write_yaml(table_config), "--out", out], out, "give another --out")


# -- exporting from runs and training folders --------------------------------------------------------------------------


def test_a_run_over_a_table_has_nothing_to_train_on(refused: Callable[..., str], run: Path) -> None:
    refused(["export", "run", "--out", "f.tflite"], "there is no task to train on")


def test_a_pick_that_is_not_in_the_run(refused: Callable[..., str], run: Path) -> None:
    refused(["export", "run", "--pick", "kneee", "--out", "f.tflite"], "--pick: expected one of", "did you mean 'knee'")


def test_a_run_without_results_has_nothing_to_pick(
    refused: Callable[..., str], table_config: Config, tmp_path: Path
) -> None:
    with RunFolder(tmp_path / "run", parse_config(table_config)):
        pass
    refused(["export", "run", "--out", "f.tflite"], "no complete trial to pick from", status=1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "expected the record of a training"),
        ("[]", "expected a mapping in the record"),
        ("{}", "expected architecture, config, spec in the record"),
        ('{"architecture": "tabnas:0-1-1-x-x", "config": {"space": "tabnas", "task": "irsi"}, "spec": {}}', "iris"),
        ('{"architecture": "tabnas:0-1-1-x-x", "config": {"space": "tabnas", "task": "iris"}, "spec": {}}', "expected"),
    ],
)
def test_a_training_folder_with_a_garbled_record(
    refused: Callable[..., str], tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "network.json").write_text(text, encoding="utf-8")
    refused(["export", "trained", "--out", "f.tflite"], words)


@pytest.mark.parametrize(
    ("text", "words"), [("{", "expected the record of a training"), ("{}", "it holds another training")]
)
def test_a_folder_with_another_training(refused: Callable[..., str], tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "training.json").write_text(text, encoding="utf-8")
    refused(["train", "tabnas:0-1-1-x-x", "--task", "iris", "--out", "trained"], words)
