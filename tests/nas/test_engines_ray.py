"""The Ray engine on real Ray: processes, retries, limits, early stopping, clusters."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from nas.config import Budget
from nas.controllers.random import RandomSearch
from nas.engines.ray_tune import RayEngine
from nas.evaluators.base import Request
from nas.pareto import Objective
from nas.problem import Problem
from nas.proposing import Proposer
from nas.search import Search
from nas.store import TrialStore
from nas.trial import Outcome
from searchspaces.errors import InputError, MissingError
from searchspaces.tabnas import TabNAS

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore")]


MakeSearch = Callable[..., Search]


@pytest.fixture
def make_search() -> Iterator[MakeSearch]:
    """Makes searches in a folder; their logs are closed after the test."""
    with ExitStack() as stores:

        def make(folder: Path, *, clock: Callable[[], float] = time.monotonic, **budget: Any) -> Search:
            space, objectives = TabNAS((4,), 3), (Objective(metric="accuracy", direction="maximize"),)
            problem = Problem(space=space, objectives=objectives)
            controller = RandomSearch(problem)
            return Search(
                store=stores.enter_context(TrialStore(folder / "trials.sqlite")),
                controller=controller,
                proposer=Proposer(problem, controller, seed=3),
                objectives=objectives,
                budget=Budget(**budget),
                seed=3,
                clock=clock,
            )

        yield make


def make_evaluator(act: Callable[[Request], dict[str, Any]]) -> Any:
    """An evaluator that workers get by value: they cannot import this file."""

    class Made:
        cheap = False
        metrics = ("accuracy",)

        def evaluate(self, requests: list[Request]) -> list[Outcome]:
            outcomes = []
            for request in requests:
                details = act(request)
                accuracy = 1 / (1 + request.number)
                outcomes.append(Outcome(state="COMPLETE", metrics={"accuracy": accuracy}, details=details))
            return outcomes

    return Made()


@pytest.fixture(scope="module", autouse=True)
def tests_by_value() -> Iterator[None]:
    """Functions of this file travel to workers as code."""
    from ray import cloudpickle

    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture(scope="class")
def local_ray() -> Iterator[None]:
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def quiet(search: Search) -> None:
    """Progress that shows nothing."""


@pytest.mark.usefixtures("local_ray")
class TestLocal:
    @pytest.mark.parametrize(("trials_per_process", "expected"), [(1, [1, 1, 1]), (2, [2, 2, 1])])
    def test_a_process_runs_a_bounded_number_of_trials(
        self, tmp_path: Path, make_search: MakeSearch, trials_per_process: int, expected: list[int]
    ) -> None:
        search = make_search(tmp_path, trials=sum(expected))
        evaluator = make_evaluator(lambda request: {"pid": os.getpid(), "seed": request.seed})
        RayEngine(workers=1, trials_per_process=trials_per_process).run(search, evaluator, tmp_path, quiet)
        trials = search.complete()
        shares = Counter(trial.details["pid"] for trial in trials)
        assert list(shares.values()) == expected
        assert os.getpid() not in shares
        assert [trial.details["seed"] for trial in trials] == [search.trial_seed(trial.number) for trial in trials]

    def test_a_process_that_dies_is_started_again(self, tmp_path: Path, make_search: MakeSearch) -> None:
        marks = tmp_path / "marks"
        marks.mkdir()

        def die_once(request: Request) -> dict[str, Any]:
            mark = marks / str(request.number)
            if not mark.exists():
                mark.touch()
                os._exit(1)
            return {}

        search = make_search(tmp_path, trials=2)
        RayEngine(workers=2, retries=1).run(search, make_evaluator(die_once), tmp_path, quiet)
        assert search.counts["COMPLETE"] == 2

    def test_a_process_that_always_dies_is_one_failed_trial(self, tmp_path: Path, make_search: MakeSearch) -> None:
        def die_at_one(request: Request) -> dict[str, Any]:
            if request.number == 1:
                os._exit(1)
            return {}

        search = make_search(tmp_path, trials=3)
        RayEngine(workers=2, retries=1).run(search, make_evaluator(die_at_one), tmp_path, quiet)
        assert search.counts["COMPLETE"] == 2
        assert search.trials[1].state == "FAILED"
        assert "died" in (search.trials[1].reason or "")

    def test_the_wall_clock_leaves_running_trials_to_be_resumed(self, tmp_path: Path, make_search: MakeSearch) -> None:
        now = [0.0]

        def hang_from_two_on(request: Request) -> dict[str, Any]:
            time.sleep(0 if request.number < 2 else 600)
            return {}

        def run_out(search: Search) -> None:
            if search.counts["COMPLETE"] == search.counts["RUNNING"] == 2:
                now[0] = 13.0

        search = make_search(tmp_path, clock=lambda: now[0], trials=5, wall_clock_s=12)
        RayEngine(workers=2).run(search, make_evaluator(hang_from_two_on), tmp_path, run_out)
        assert search.counts == {"COMPLETE": 2, "INFEASIBLE": 0, "FAILED": 0, "RUNNING": 2, "PROPOSED": 0}
        assert [trial.number for trial in search.pending()] == [2, 3]
        again = make_search(tmp_path, trials=5)
        RayEngine(workers=2).run(again, make_evaluator(lambda request: {}), tmp_path, quiet)
        assert again.counts["COMPLETE"] == 5
        assert [again.trials[n].architecture for n in range(4)] == [search.trials[n].architecture for n in range(4)]

    def test_asha_stops_the_worse_early(self, tmp_path: Path, make_search: MakeSearch) -> None:
        def epochs(request: Request) -> dict[str, Any]:
            for epoch in range(1, 10):
                request.report(epoch, {"accuracy": 1 / (1 + request.number)})
                time.sleep(0.2)
            return {"epochs": 9}

        search = make_search(tmp_path, trials=6)
        engine = RayEngine(workers=1, scheduler={"name": "asha", "grace_epochs": 1, "reduction": 3})
        engine.run(search, make_evaluator(epochs), tmp_path, quiet)
        trials = search.complete()
        assert len(trials) == 6
        assert trials[0].details["epochs"] == 9
        stopped = [trial for trial in trials if trial.details.get("stopped") == "asha"]
        assert stopped
        assert all(trial.details["epochs"] < 9 for trial in stopped)
        assert all(trial.metrics["accuracy"] == pytest.approx(1 / (1 + trial.number)) for trial in trials)

    def test_tune_forgets_finished_trials(self, tmp_path: Path, make_search: MakeSearch) -> None:
        from ray.tune.experiment import Trial

        def kept() -> int:
            gc.collect()
            return sum(type(each) is Trial for each in gc.get_objects())

        before, alive = kept(), []

        def count(search: Search) -> None:
            if search.counts["COMPLETE"] >= 4:
                alive.append(kept() - before)

        search = make_search(tmp_path, trials=5)
        RayEngine(workers=1).run(search, make_evaluator(lambda request: {}), tmp_path, count)
        assert search.counts["COMPLETE"] == 5
        # The one that just ended, the one that starts, and the one after.
        assert max(alive) <= 3

    def test_an_error_in_the_evaluator_fails_its_trial(self, tmp_path: Path, make_search: MakeSearch) -> None:
        def fail(request: Request) -> dict[str, Any]:
            raise KeyError("boom")

        search = make_search(tmp_path, trials=2)
        RayEngine(workers=2, retries=0).run(search, make_evaluator(fail), tmp_path, quiet)
        assert search.counts["FAILED"] == 2


def test_a_search_outlives_the_death_of_a_node(tmp_path: Path, make_search: MakeSearch) -> None:
    """Two nodes; one is killed while trials run on both. Its workers get this package with the job."""
    from ray.cluster_utils import Cluster

    def act(request: Request) -> dict[str, Any]:
        time.sleep(1.0)
        sent = [folder for folder in sys.path if "py_modules" in folder and (Path(folder) / "nas").is_dir()]
        return {"sent": sent}

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    killed = []

    def kill_at_two(search: Search) -> None:
        if search.counts["COMPLETE"] >= 2 and not killed:
            killed.append(search.counts["RUNNING"])
            cluster.remove_node(second, allow_graceful=False)

    try:
        search = make_search(tmp_path, trials=8)
        RayEngine(address=cluster.address, workers=2).run(search, make_evaluator(act), tmp_path, kill_at_two)
    finally:
        cluster.shutdown()
    assert killed
    assert search.counts == {"COMPLETE": 8, "INFEASIBLE": 0, "FAILED": 0, "RUNNING": 0, "PROPOSED": 0}
    finished = [trial.architecture for trial in search.complete()]
    assert len(set(finished)) == 8
    assert all(trial.details["sent"] for trial in search.complete())
    reread = make_search(tmp_path, trials=8)
    assert [trial.architecture for trial in reread.complete()] == finished


def test_no_cluster_at_the_address(tmp_path: Path, make_search: MakeSearch) -> None:
    search = make_search(tmp_path, trials=1)
    with pytest.raises(MissingError, match="no cluster at"):
        RayEngine(address="127.0.0.1:1").run(search, make_evaluator(lambda request: {}), tmp_path, quiet)


@pytest.mark.parametrize(
    "options",
    [
        {"workers": -1},
        {"cpus_per_trial": 0},
        {"retries": -1},
        {"trials_per_process": 0},
        {"batch": 0},
        {"scheduler": {"name": "ahsa"}},
    ],
)
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="engine ray"):
        RayEngine(**options)
