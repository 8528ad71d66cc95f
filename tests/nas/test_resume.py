"""A search that is killed at any moment and started again is the search that was not killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.cli.assemble import Parts, make_engine, make_parts, make_search
from nas.config import SearchConfig, load_config, override, parse_config
from nas.controllers.catalog import CONTROLLERS
from nas.evaluators.base import Evaluator, Request
from nas.run_folder import RunFolder, read_log
from nas.search import Search
from nas.store import Event, TrialStore
from nas.trial import FINISHED, Outcome, Trial

Config = dict[str, Any]
Told = tuple[int, str, str, dict[str, float], str | None, tuple[Any, ...]]
EVOLUTION = {"name": "evolution", "population": 6, "tournament": 3}
YOUNG = {"name": "evolution", "population": 3, "tournament": 2}


class SlowEvaluator:
    """Stands for training: its metrics depend on architecture and seed; some trials fail, one metric is NaN."""

    cheap = False
    metrics = ("accuracy",)

    def __init__(self) -> None:
        self.asked: list[int] = []

    def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
        return [self._outcome(request) for request in requests]

    def _outcome(self, request: Request) -> Outcome:
        self.asked.append(request.number)
        values = [request.seed, *(index + 1 for index in request.architecture.indices)]
        rng = np.random.default_rng(values)
        kind = rng.integers(5)
        if kind == 0:
            return Outcome(state="FAILED", reason="loss is not a number", seconds=1.0)
        accuracy = float("nan") if kind == 1 else float(rng.random())
        return Outcome(state="COMPLETE", metrics={"accuracy": accuracy}, seconds=1.0, details={"epochs": int(kind)})


def told(trials: Iterable[Trial]) -> list[Told]:
    """What must be equal: everything but times."""
    return [
        (t.number, t.architecture.id, t.state, dict(t.metrics), t.reason, tuple(sorted(t.details.items())))
        for t in trials
    ]


def quiet(search: Search) -> None:
    """No progress is shown."""


def drive(
    folder: Path, config: SearchConfig, evaluator: Evaluator | None = None, *, parts: Parts | None = None
) -> list[Told]:
    """Run or continue the search in a folder to its end; `parts` spare reading the table again."""
    parts = parts or make_parts(config)
    with RunFolder(folder, config) as run:
        search = make_search(config, run, parts)
        used = evaluator or parts.evaluator
        assert used is not None
        make_engine(config).run(search, used, folder, quiet)
        return told(run.store.trials())


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[list[Event]]:
    """Every transaction that is committed from now on."""
    transactions: list[list[Event]] = []
    append = TrialStore.append

    def record(store: TrialStore, events: Iterable[Event]) -> None:
        kept = list(events)
        append(store, kept)
        transactions.append(kept)

    monkeypatch.setattr(TrialStore, "append", record)
    return transactions


def cut(folder: Path, config: SearchConfig, transactions: Sequence[Sequence[Event]]) -> set[int]:
    """A run folder whose log ends after these transactions; gives the numbers of the finished trials."""
    with RunFolder(folder, config) as run:
        run.store.append([event for transaction in transactions for event in transaction])
        return {trial.number for trial in run.store.trials() if trial.state in FINISHED}


@pytest.fixture
def slow_config(table_config: Config) -> Config:
    """Costs from the table, results from a slow evaluator."""
    return table_config | {"budget": {"trials": 10}, "objectives": ["maximize accuracy"]}


@pytest.mark.parametrize("controller", [{"name": "random"}, EVOLUTION], ids=lambda value: value["name"])
@pytest.mark.parametrize("batch", [1, 8])
def test_every_prefix_of_a_table_search_goes_on_the_same(
    controller: Config, batch: int, table_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = table_config | {"controller": controller, "engine": {"name": "serial", "batch": batch}}
    data["budget"] = {"trials": 20}
    config = parse_config(data)
    with monkeypatch.context() as patch:
        transactions = recorded(patch)
        whole = drive(tmp_path / "whole", config)
    parts = make_parts(config)
    states = [state for _, _, state, *_ in whole]
    assert states.count("COMPLETE") == 20
    assert states.count("INFEASIBLE") > 30
    assert len(transactions) == (20 if batch == 1 else 3)
    for length in range(len(transactions) + 1):
        folder = tmp_path / f"cut{length}"
        cut(folder, config, transactions[:length])
        assert drive(folder, config, parts=parts) == whole, f"cut after transaction {length}"


@pytest.mark.parametrize("controller", [{"name": "random"}, YOUNG], ids=lambda value: value["name"])
def test_every_prefix_of_a_slow_search_goes_on_the_same(
    controller: Config, slow_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse_config(slow_config | {"controller": controller})
    with monkeypatch.context() as patch:
        transactions = recorded(patch)
        whole = drive(tmp_path / "whole", config, SlowEvaluator())
    parts = make_parts(config)
    states = [state for _, _, state, *_ in whole]
    assert states.count("COMPLETE") + states.count("FAILED") == 10
    assert "FAILED" in states
    assert states.count("INFEASIBLE") > 20
    # For each trial: proposed, begun, finished.
    assert len(transactions) == 3 * 10
    for length in range(len(transactions) + 1):
        folder, evaluator = tmp_path / f"cut{length}", SlowEvaluator()
        finished = cut(folder, config, transactions[:length])
        assert drive(folder, config, evaluator, parts=parts) == whole, f"cut after transaction {length}"
        assert not finished & set(evaluator.asked), f"cut after transaction {length}: finished trials ran again"
        assert len(evaluator.asked) == len(set(evaluator.asked))


# Options with which a controller is past its first, random phase within a few trials; its defaults do for the others.
YOUNG_OPTIONS: dict[str, Config] = {
    "evolution": {"population": 3, "tournament": 2},
    "nsga2": {"population": 4},
    "predictor": {"initial": 3},
    # The other samplers take twenty times as long to look back.
    "optuna": {"sampler": "nsga2"},
}


@pytest.fixture(params=CONTROLLERS)
def any_controller(request: pytest.FixtureRequest) -> Config:
    """Every controller of the catalog in turn, with young options."""
    if request.param in ("optuna", "ray-searcher"):
        pytest.importorskip("optuna", reason="Optuna is in the extra `peers`")
    return {"name": request.param, **YOUNG_OPTIONS.get(request.param, {})}


@pytest.mark.parametrize("batch", [1, 5])
def test_every_controller_goes_on_the_same(
    batch: int, any_controller: Config, table_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after four or five of its transactions."""
    data = table_config | {"controller": any_controller, "engine": {"name": "serial", "batch": batch}}
    config = parse_config(data | {"budget": {"trials": 12}})
    with monkeypatch.context() as patch:
        transactions = recorded(patch)
        whole = drive(tmp_path / "whole", config)
    parts = make_parts(config)
    assert [state for _, _, state, *_ in whole].count("COMPLETE") == 12
    for length in range(1, len(transactions) + 1, max(2, len(transactions) // 4)):
        folder = tmp_path / f"cut{length}"
        cut(folder, config, transactions[:length])
        assert drive(folder, config, parts=parts) == whole, f"cut after transaction {length}"


def test_both_engines_propose_the_same_where_order_is_fixed(
    any_controller: Config, table_config: Config, tmp_path: Path
) -> None:
    data = table_config | {"controller": any_controller, "budget": {"trials": 10}}
    found = [
        drive(tmp_path / name, parse_config(data | {"engine": {"name": name, "batch": 3}}))
        for name in ("serial", "ray")
    ]
    assert found[0] == found[1]


def test_results_out_of_order_are_replayed_in_the_order_they_came(
    any_controller: Config, table_config: Config, tmp_path: Path
) -> None:
    """Four trials at once that end in any order; a new driver, shown the log alone, proposes what the old one does."""
    config = parse_config(table_config | {"controller": any_controller, "budget": {"trials": 100}})
    parts, rng = make_parts(config), np.random.default_rng(0)
    with RunFolder(tmp_path, config) as run:
        search = make_search(config, run, parts)
        for _ in range(3):
            begun = [search.propose() for _ in range(4)]
            trials = [trial for trial in begun if trial is not None]
            for row in rng.permutation(len(trials)):
                trial = trials[int(row)]
                metrics = {"accuracy": float(rng.random()), "latency_ms@toy": float(rng.random())}
                search.finished({trial.number: Outcome(state="COMPLETE", metrics=metrics)})
        search.flush()
        again = make_search(config, run, make_parts(config))
        expected, found = (each.propose() for each in (search, again))
        assert expected is not None
        assert found is not None
        assert (found.number, found.architecture) == (expected.number, expected.architecture)
        assert list(again.trials)[:-1] == list(search.trials)[:-1]


def test_acceptance_and_counts_are_those_of_the_whole_log(table_config: Config, tmp_path: Path) -> None:
    config = parse_config(table_config)
    parts = make_parts(config)
    assert parts.evaluator is not None
    with RunFolder(tmp_path, config) as run:
        search = make_search(config, run, parts)
        make_engine(config).run(search, parts.evaluator, tmp_path, quiet)
        again = make_search(config, run, make_parts(config))
    assert again.counts == search.counts
    assert again.acceptance == search.acceptance
    assert again.acceptance["size <= 400"].checked == len(search.trials)
    assert told(again.front()) == told(search.front())
    assert not again.wants_more()


@pytest.mark.parametrize("controller", [{"name": "random"}, EVOLUTION], ids=lambda value: value["name"])
def test_a_finished_search_is_extended_to_what_a_longer_one_would_have_been(
    controller: Config, table_config: Config, tmp_path: Path
) -> None:
    short = parse_config(table_config | {"controller": controller, "budget": {"trials": 11}})
    long = override(short, ["budget.trials=30"])
    first = drive(tmp_path / "run", short)
    assert sum(state == "COMPLETE" for _, _, state, *_ in first) == 11
    assert drive(tmp_path / "run", short) == first
    extended = drive(tmp_path / "run", long)
    assert extended[: len(first)] == first
    assert extended == drive(tmp_path / "whole", long)


def test_trials_left_running_are_run_again_with_the_same_seed(slow_config: Config, tmp_path: Path) -> None:
    config = parse_config(slow_config)
    seeds: dict[int, int] = {}

    class Dying(SlowEvaluator):
        def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
            if len(self.asked) == 3:
                seeds[requests[0].number] = requests[0].seed
                raise KeyboardInterrupt
            return super().evaluate(requests)

    class Watching(SlowEvaluator):
        def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
            for request in requests:
                assert seeds.setdefault(request.number, request.seed) == request.seed
            return super().evaluate(requests)

    with pytest.raises(KeyboardInterrupt):
        drive(tmp_path / "run", config, Dying())
    (number,) = seeds
    with read_log(tmp_path / "run") as log:
        assert [trial.number for trial in log.trials() if trial.state == "RUNNING"] == [number]
    survivor = Watching()
    assert drive(tmp_path / "run", config, survivor) == drive(tmp_path / "whole", config, SlowEvaluator())
    assert survivor.asked[0] == number


@pytest.mark.parametrize("clock", [5.5, 0.5, 8.9])
def test_the_wall_clock_leaves_a_run_that_can_be_resumed(
    clock: float, slow_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time is told by the evaluator: each trial takes one second of it."""
    config = parse_config(slow_config)
    now = [0.0]

    class Ticking(SlowEvaluator):
        def evaluate(self, requests: Sequence[Request]) -> list[Outcome]:
            (request,) = requests
            now[0] += 1.0
            if request.time_limit_s is not None and request.time_limit_s < 1.0:
                return [Outcome(state="FAILED", reason=f"over {request.time_limit_s:g} s", seconds=1.0)]
            return super().evaluate(requests)

    monkeypatch.setattr(Search.__init__, "__kwdefaults__", {"clock": lambda: now[0]})
    folder = tmp_path / "run"
    first = drive(folder, override(config, [f"budget.wall_clock_s={clock}"]), Ticking())
    done = [state for _, _, state, *_ in first if state in ("COMPLETE", "FAILED")]
    assert len(done) == int(clock)
    assert [state for _, _, state, *_ in first if state == "RUNNING"] == ["RUNNING"]
    assert drive(folder, config, Ticking()) == drive(tmp_path / "whole", config, Ticking())


def test_the_wall_clock_ends_a_long_run_of_infeasible_proposals(
    table_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proposals alone use the time up; what was looked at is kept, and counts towards giving up."""
    config = parse_config(table_config | {"constraints": ["size <= 5"], "budget": {"trials": 3, "attempts": 200}})
    ticks = iter(range(10**6))
    with monkeypatch.context() as patch:
        patch.setattr(Search.__init__, "__kwdefaults__", {"clock": lambda: next(ticks)})
        first = drive(tmp_path / "run", override(config, ["budget.wall_clock_s=50"]))
    assert 20 < len(first) < 60
    with pytest.raises(RuntimeError, match="no feasible architecture in 200 tries in a row"):
        drive(tmp_path / "run", config)
    with pytest.raises(RuntimeError, match="among the 200 looked at"):
        drive(tmp_path / "run", config)
    with pytest.raises(RuntimeError, match="among the 250 looked at"):
        drive(tmp_path / "run", override(config, ["budget.attempts=250"]))


def test_a_space_used_up_ends_the_search_and_stays_ended(table_config: Config, tmp_path: Path) -> None:
    config = parse_config(table_config | {"budget": {"trials": 10_000}, "controller": EVOLUTION})
    whole = drive(tmp_path, config)
    assert len(whole) == 400 == len({identity for _, identity, *_ in whole})
    assert drive(tmp_path, config) == whole


# -- processes that really die -----------------------------------------------------------------------------------------

_CHILDREN = """
import os, random, signal, sys, time
from pathlib import Path
from nas.cli.assemble import Parts, make_engine, make_parts, make_search
from nas.config import load_config
from nas.run_folder import RunFolder
from nas.store import TrialStore

config, runs = load_config(Path(sys.argv[1])), int(sys.argv[3])
parts = make_parts(config)
append = TrialStore.append


def drive(folder, commits, late):
    left = [commits]

    def dying(store, events):
        left[0] -= 1
        if left[0] == 0 and not late:
            os._exit(9)
        append(store, events)
        if left[0] == 0:
            os._exit(9)

    TrialStore.append = dying
    with RunFolder(folder, config) as run:
        search = make_search(config, run, parts)
        make_engine(config).run(search, parts.evaluator, folder, lambda search: None)


def child(folder, commits, late, delay):
    pid = os.fork()
    if pid == 0:
        try:
            drive(folder, commits, late)
        finally:
            os._exit(0)
    if delay is not None:
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


for number in range(runs):
    folder, deaths, rng = Path(sys.argv[2]) / str(number), 0, random.Random(number)
    for attempt in range(60):
        by_signal = number > 0
        delay = rng.uniform(0.0, 0.1) if by_signal and attempt < 15 else None
        commits = 0 if by_signal else rng.randrange(1, 12)
        if child(folder, commits, rng.random() < 0.5, delay) == 0:
            break
        deaths += 1
    print(deaths)
"""


@pytest.mark.parametrize("controller", [{"name": "random"}, EVOLUTION], ids=lambda value: value["name"])
def test_processes_killed_at_random_moments_lose_and_repeat_nothing(
    controller: Config, table_config: Config, tmp_path: Path, write_yaml: Callable[..., Path]
) -> None:
    """The children of the first run end around a commit (`os._exit`), those of the others by SIGKILL from outside."""
    one_by_one = {"engine": {"name": "serial", "batch": 1}}
    config = write_yaml(table_config | one_by_one | {"controller": controller, "budget": {"trials": 60}})
    whole = drive(tmp_path / "whole", load_config(config))
    # Every trial has two events at least, and some proposals are infeasible.
    assert len(whole) > 120
    command = [sys.executable, "-c", _CHILDREN, config, tmp_path / "runs", "3"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 5, "too few children died to show anything"
    for number in range(3):
        with read_log(tmp_path / "runs" / str(number)) as log:
            assert told(log.trials()) == whole
            ends = [event.trial for event in log.events() if event.state == "COMPLETE"]
        assert len(ends) == len(set(ends))


def test_a_killed_command_goes_on_when_it_is_given_again(
    table_config: Config, tmp_path: Path, write_yaml: Callable[..., Path]
) -> None:
    config = write_yaml(table_config | {"budget": {"trials": 60}})
    out = tmp_path / "run"
    command = [sys.executable, "-c", "from nas.cli import main; main()", "search", str(config), "--out", str(out)]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while killed.poll() is None:
        if (out / "trials.sqlite-wal").exists():
            killed.kill()
            break
        time.sleep(0.002)
    killed.wait()
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert again.returncode == 0, again.stderr
    with read_log(out) as log:
        assert told(log.trials()) == drive(tmp_path / "whole", load_config(config))
