"""`nas compare`, from the file to the report."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.comparing.entrant import read_entrants
from nas.comparing.settings import read_settings
from nas.pareto import Objective
from searchspaces.errors import InputError

Config = dict[str, Any]
ACCURACY = (Objective.parse("maximize accuracy"),)
KNOWN = ("random", "evolution", "optuna-tpe")


@pytest.fixture
def compared(table_config: Config, write_yaml: Callable[..., Path]) -> Path:
    data = table_config | {"objectives": ["maximize accuracy"], "budget": {"trials": 24}}
    data["compare"] = {"controllers": {"small": {"name": "evolution", "population": 6, "tournament": 3}}, "repeats": 6}
    return write_yaml(data)


def test_random_search_is_always_among_them() -> None:
    labels = [entrant.label for entrant in read_entrants(["evolution"], {}, KNOWN)]
    assert labels == ["random", "evolution"]
    named = read_entrants(["evolution", "base"], {"base": "random"}, KNOWN)
    assert [entrant.label for entrant in named] == ["evolution", "base"]
    assert [entrant.label for entrant in read_entrants([], {}, KNOWN)] == ["random"]


def test_options_are_written_after_the_name() -> None:
    (_, entrant) = read_entrants(["evolution:population=16:crossover=0.5"], {}, KNOWN)
    assert entrant.section == {"name": "evolution", "population": 16, "crossover": 0.5}
    assert entrant.label == "evolution:population=16:crossover=0.5"


@pytest.mark.parametrize(
    ("texts", "described", "words"),
    [
        (["evolutoin"], {}, "did you mean 'evolution'"),
        (["evolution:population"], {}, "expected name:option=value"),
        (["evolution", "evolution"], {}, "expected each once"),
        (["../x"], {"../x": "evolution"}, "expected a label of letters"),
        ([], {"x": 3}, r"compare\.controllers\.x: expected a name or a mapping"),
        ([""], {}, "expected one of"),
    ],
)
def test_bad_controllers_are_refused(texts: list[str], described: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_entrants(texts, described, KNOWN)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"repeat": 3}, "did you mean 'repeats'"),
        ({"repeats": 0}, r"compare\.repeats: expected a whole number above 0, got 0"),
        ({"repeats": True}, "expected a whole number"),
        ({"judge": {"acuracy": "x"}}, "did you mean 'accuracy'"),
        ({"target": -1}, r"compare\.target: expected a regret from 0"),
        ({"controllers": 3}, "expected a list of names or a mapping"),
    ],
)
def test_bad_settings_are_refused(section: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_settings(section, ACCURACY, KNOWN)


def test_a_comparison_from_file_to_report(compared: Path, answer: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = answer("compare", compared, "--out", out)
    assert [column["label"] for column in found["columns"]] == ["random", "small"]
    assert found["reference"]["kind"] == "table"
    assert found["checkpoints"] == [3, 6, 12, 24]
    for column in found["columns"]:
        assert column["seeds"] == 6
        assert 0 <= column["regret"]["low"] <= column["regret"]["median"] <= column["regret"]["high"]
        assert column["regret_at"]["24"] == column["regret"]
        assert column["regret_at"]["3"]["median"] >= column["regret"]["median"]
        # A controller is charged for what it tries, not for what it looks at; one in five keeps the limits.
        assert column["looked_at"] > 2 * 24
    assert found["columns"][0]["p_against_random"] is None
    with (out / "seeds.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12
    assert {row["evaluations"] for row in rows} == {"24"}
    for name in ("index.html", "comparison.png", "summary.csv", "curves.csv", "compare.yaml"):
        assert (out / name).stat().st_size > 100


def test_a_seed_is_that_of_an_ordinary_search(compared: Path, answer: Callable[..., Any], tmp_path: Path) -> None:
    answer("compare", compared, "--repeats", 2, "--out", tmp_path / "out")
    search = ["--set", "controller={name: evolution, population: 6, tournament: 3}", "--set", "seed=2"]
    found = answer("search", compared, *search, "--out", tmp_path / "run")
    with (tmp_path / "out" / "seeds" / "small" / "2.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert max(float(row["accuracy"]) for row in rows) == found["best"]["metrics"]["accuracy"]
    assert int(rows[-1]["looked_at"]) == sum(found["trials"].values())


def test_a_second_call_makes_what_is_missing_alone(
    compared: Path, nas: Callable[..., Any], answer: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    whole = answer("compare", compared, "--out", out)
    kept = out / "seeds" / "small" / "1.csv"
    before = kept.stat().st_mtime_ns
    (out / "seeds" / "random" / "3.csv").unlink()
    status, _, err = nas(["compare", compared, "--out", out])
    assert status == 0
    assert "random seed 3" in err
    assert err.count("evaluations") == 1
    assert kept.stat().st_mtime_ns == before
    assert answer("compare", compared, "--out", out) == whole
    more = answer("compare", compared, "--controllers", "small,evolution", "--repeats", 7, "--out", out)
    assert [column["seeds"] for column in more["columns"]] == [7, 7, 7]


def test_another_comparison_is_refused(compared: Path, refused: Callable[..., str], nas: Callable[..., Any]) -> None:
    assert nas(["compare", compared, "--repeats", 1, "--out", "out"])[0] == 0
    refused(["compare", compared, "--set", "budget.trials=30", "--out", "out"], "budget.trials: 24 there, 30 here")
    refused(["compare", compared, "--judge", "accuracy=size", "--out", "out"], "judge.accuracy")
    other = "compare.controllers={small: {name: evolution, population: 7, tournament: 3}}"
    refused(["compare", compared, "--set", other, "--out", "out"], "small stands there for", "population")
    refused(["compare", compared, "--out", "out/seeds"], "expected an empty folder or a comparison")


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (["--controllers", "evolutoin"], "did you mean 'evolution'", 2),
        (["--controllers", "evolution:populaton=3"], "did you mean 'population'", 2),
        (["--controllers", "evolution:population=x"], "expected population as int", 2),
        (["--judge", "accuracy"], "expected OBJECTIVE=COLUMN", 2),
        (["--judge", "accuracy=tset"], "expected one of", 2),
        (["--set", "budget.wall_clock_s=3"], "equal in trials", 2),
        (["--set", "compare=3"], "compare: expected a mapping", 2),
        (["--set", "constraints=[size <= 1]"], "none of the table's 400 architectures keeps size <= 1", 1),
    ],
)
def test_bad_calls_are_refused(
    arguments: list[str], words: str, status: int, compared: Path, refused: Callable[..., str]
) -> None:
    refused(["compare", compared, "--repeats", 1, *arguments], words, status=status)


def test_what_judges_is_withheld(
    compared: Path, answer: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The controller sees the accuracy; it is judged by the size, which here is no objective and no constraint."""
    from nas.controllers.random import RandomSearch

    shown: set[str] = set()

    def update(self: RandomSearch, trials: list[Any]) -> None:
        shown.update(name for trial in trials for name in trial.metrics)

    monkeypatch.setattr(RandomSearch, "update", update)
    arguments = ["--controllers", "random", "--repeats", 2, "--set", "constraints=[latency_ms@toy <= 1.2]"]
    found = answer("compare", compared, *arguments, "--judge", "accuracy=size", "--out", tmp_path / "out")
    assert shown == {"accuracy", "latency_ms@toy"}
    assert found["judged_by"] == ["size"]
    assert found["reference"]["best"] == found["columns"][0]["best"]["median"] + found["columns"][0]["regret"]["median"]


def test_several_objectives_are_ranked_by_hypervolume(
    table_config: Config, write_yaml: Callable[..., Path], answer: Callable[..., Any], tmp_path: Path
) -> None:
    config = write_yaml(table_config | {"budget": {"trials": 20}})
    options = ["--controllers", "evolution:population=6:tournament=3", "--repeats", 3]
    found = answer("compare", config, *options, "--out", tmp_path / "out")
    assert found["target"] == 0.99
    for column in found["columns"]:
        assert 0 < column["hypervolume_at"]["2"]["median"] <= column["hypervolume"]["median"] <= 1
    assert (tmp_path / "out" / "index.html").stat().st_size > 10_000


def test_a_space_that_is_used_up_keeps_what_it_has(compared: Path, answer: Callable[..., Any], tmp_path: Path) -> None:
    """48 of the networks keep both limits, fewer than the budget."""
    limits = "constraints=[size <= 200, latency_ms@toy <= 0.8]"
    options = ["--set", limits, "--set", "budget.trials=100", "--repeats", 2, "--out", tmp_path / "out"]
    found = answer("compare", compared, *options)
    assert all(column["found_optimum"] == 1 for column in found["columns"])
    assert all(column["regret"]["median"] == 0 for column in found["columns"])


def test_processes_make_the_same(
    compared: Path, answer: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = answer("compare", compared, "--repeats", 4, "--workers", 1, "--out", tmp_path / "alone")
    monkeypatch.setattr("nas.cli.contest._WORTH_S", 0.0)
    together = answer("compare", compared, "--repeats", 4, "--workers", 2, "--out", tmp_path / "together")
    assert together["columns"] == alone["columns"]
    for path in (tmp_path / "alone" / "seeds").rglob("*.csv"):
        twin = tmp_path / "together" / path.relative_to(tmp_path / "alone")
        assert twin.read_bytes() == path.read_bytes()
