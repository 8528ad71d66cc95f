"""Ray Tune places trials on processes and machines; the search decides, and the driver's log is the truth.

Tune gets one trial at a time from a `Searcher` that asks our search, runs it in a process that trains a bounded number
of trials (so that memory goes back with it), restarts it when its node dies, and tells the searcher how it ended.
Nothing of Tune's own state is needed to continue: a new Tuner is fed from the log.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.engines.base import Progress
from nas.engines.batches import run_batches
from nas.engines.heap import share_arenas
from nas.engines.ray_connect import LOCAL, connect, prepare_token
from nas.evaluators.base import Evaluator, Request
from nas.options import call_with_options
from nas.search import Search
from searchspaces.errors import InputError, unknown_name
from searchspaces.space import Architecture

_GRACE_S = 60.0
# No result files beside our log, no table of its own on the terminal, and a last report without metrics is fine.
_TUNE_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
}


class RayEngine:
    """Trials on a Ray cluster.

    Args:
        address: ``local`` starts one here; ``auto`` or ``host:port`` joins a running one, and sends it this package.
        workers: trials at once; by default as many as the cluster's processors allow.
        cpus_per_trial: processors a trial holds, which is how many threads it computes with.
        gpus_per_trial: graphics processors a trial holds.
        retries: how often a trial is started again after its process or node died.
        trials_per_process: how many trials a process runs, one after the other, before a new one takes its place.
        batch: proposals a cheap evaluator gets at once; those run in the driver.
        scheduler: Tune's own early stopping by one metric, as ``{name: asha, metric: accuracy, grace_epochs: 1,
            reduction: 3}``; without a metric it goes by the evaluator's first.
        storage: a folder or URL all nodes can write, for Tune's own files; by default the run folder.
    """

    def __init__(
        self,
        *,
        address: str = LOCAL,
        workers: int = 0,
        cpus_per_trial: float = 1,
        gpus_per_trial: float = 0,
        retries: int = 2,
        trials_per_process: int = 16,
        batch: int = 32,
        scheduler: dict[str, Any] | None = None,
        storage: str | None = None,
    ) -> None:
        bounds = {
            "workers": workers >= 0,
            "cpus_per_trial": cpus_per_trial > 0,
            "gpus_per_trial": gpus_per_trial >= 0,
            "retries": retries >= 0,
            "trials_per_process": trials_per_process >= 1,
            "batch": batch >= 1,
        }
        for name, holds in bounds.items():
            if not holds:
                raise InputError(f"engine ray: {name} is out of range; leave it out for its default.")
        self._address, self._workers, self._storage = address, workers, storage
        self._resources = {"cpu": cpus_per_trial, "gpu": gpus_per_trial}
        self._retries, self._batch, self._scheduler = retries, batch, dict(scheduler or {})
        self._trials_per_process = trials_per_process
        if self._scheduler and self._scheduler.get("name") != "asha":
            raise unknown_name("engine ray: scheduler", self._scheduler.get("name"), ["asha"])

    def run(self, search: Search, evaluator: Evaluator, folder: Path, progress: Progress) -> None:
        """Drive trials until the budget is spent; those the wall clock cuts are left to be resumed."""
        progress(search)
        if evaluator.cheap:
            run_batches(search, evaluator, self._batch, progress)
            return
        if not search.pending() and not search.wants_more():
            return
        prepare_token(self._address)
        share_arenas()
        import ray

        started = not ray.is_initialized()
        if started:
            connect(self._address, workers=self._workers, cpus_per_trial=self._resources["cpu"])
        try:
            self._tune(search, evaluator, folder, progress)
        finally:
            search.flush()
            if started:
                ray.shutdown()

    def _tune(self, search: Search, evaluator: Evaluator, folder: Path, progress: Progress) -> None:
        import ray
        from ray import tune

        from nas.engines.ray_feed import Feed, OutOfTime, Started

        for name, value in _TUNE_SETTINGS.items():
            os.environ.setdefault(name, value)
        logging.getLogger("ray.tune").setLevel(logging.ERROR)
        trainable = tune.with_resources(
            tune.with_parameters(run_trial, evaluator=evaluator), {key: n for key, n in self._resources.items() if n}
        )
        storage = self._storage or str((folder / "ray").resolve())
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=Feed(search, progress),
                scheduler=self._make_scheduler(search, evaluator),
                num_samples=-1,
                max_concurrent_trials=self._workers or max(1, int(ray.cluster_resources().get("CPU", 1))),
                reuse_actors=self._trials_per_process > 1,
            ),
            run_config=tune.RunConfig(
                name=f"tune-{time.time_ns()}",
                storage_path=storage,
                verbose=0,
                stop=OutOfTime(search),
                failure_config=tune.FailureConfig(max_failures=self._retries),
                callbacks=[Started(search, progress)],
            ),
        )
        tuner.fit()

    def _make_scheduler(self, search: Search, evaluator: Evaluator) -> Any:
        from nas.engines.ray_housekeeping import FirstComeFirstServed, SearchDecides

        if search.stops_early:
            if self._scheduler:
                raise InputError("engine ray: expected stopping or a scheduler, got both; drop one of them.")
            return SearchDecides(search=search, trials_per_process=self._trials_per_process)
        if not self._scheduler:
            return FirstComeFirstServed(trials_per_process=self._trials_per_process)
        options = {"metric": evaluator.metrics[0], **self._scheduler}
        del options["name"]
        return call_with_options("engine ray: scheduler asha", _make_asha, options, self._trials_per_process)


def run_trial(config: Mapping[str, Any], evaluator: Evaluator) -> None:
    """What a worker does: evaluate one architecture, report each epoch, then the outcome."""
    import faulthandler
    import json
    from dataclasses import asdict

    from ray import tune

    # A trial that early stopping ends has to leave the process before the next one comes.
    os.environ.setdefault("TUNE_FUNCTION_THREAD_TIMEOUT_S", f"{_GRACE_S:.0f}")
    limit = config["time_limit_s"]
    if limit is not None:
        # A training that no longer answers is ended with its process; Tune then counts a failure.
        faulthandler.dump_traceback_later(1.5 * limit + _GRACE_S, exit=True)

    def report(epoch: int, metrics: Mapping[str, float]) -> bool:
        tune.report({**metrics, "epoch": epoch})
        return True

    architecture = Architecture(config["space"], tuple(config["indices"]))
    request = Request(
        number=config["number"],
        architecture=architecture,
        seed=config["seed"],
        time_limit_s=limit,
        report=report,
    )
    (outcome,) = evaluator.evaluate([request])
    faulthandler.cancel_dump_traceback_later()
    # As text, because Tune flattens nested results before it hands them to a searcher.
    tune.report({"epoch": outcome.details.get("epochs", 0) + 1, "outcome": json.dumps(asdict(outcome))})


def _make_asha(
    trials_per_process: int, *, metric: str, grace_epochs: int = 1, reduction: int = 3, max_epochs: int = 100
) -> Any:
    from nas.engines.ray_housekeeping import SuccessiveHalving

    return SuccessiveHalving(
        trials_per_process=trials_per_process,
        time_attr="epoch",
        metric=metric,
        mode="max",
        max_t=max_epochs + 1,
        grace_period=grace_epochs,
        reduction_factor=reduction,
    )
