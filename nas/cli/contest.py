"""Runs the seeds of a comparison, keeps each as soon as it is done, and goes on where an earlier call stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from nas.cli.assemble import Parts, make_engine, make_parts, make_problem, search_over
from nas.comparing.course import Course, run_peer
from nas.comparing.entrant import Entrant
from nas.comparing.record import SeedRecord, load_record, save_record
from nas.comparing.settings import Settings
from nas.comparing.withheld import Withheld
from nas.config import SearchConfig
from nas.trial import Trial
from searchspaces.errors import InputError, NoResultError

if TYPE_CHECKING:
    from nas.search import Search

COMPARISON = "compare.yaml"
_MAY_DIFFER = ("controller", "engine")
# Processes are worth their start (reading the table again) when this much work is left.
_WORTH_S = 20.0
# What is left is handed out in so many portions a process, so that none waits long for another.
_PORTIONS = 4

Told = Callable[[SeedRecord, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A comparison in its folder.

    Attributes:
        config: the search that is compared on; its controller is each entrant in turn.
        settings: who, how often, judged by what.
        out: the folder.
        workers: processes, at most.
        feasible: feasible evaluations a peer gets, fewer than the budget where that is dear and its second column is
            not read to the end.
    """

    config: SearchConfig
    settings: Settings
    out: Path
    workers: int = 1
    feasible: int | None = None

    @property
    def seeds(self) -> range:
        """The seed of the configuration and those after it: each is that of an ordinary search."""
        return range(self.config.seed, self.config.seed + self.settings.repeats)

    def run(self, parts: Parts, told: Told) -> dict[str, list[SeedRecord]]:
        """Every record by label, seeds in order; `told` hears of each new one, how many are done, and of how many."""
        self._take_folder()
        units = [(entrant, seed) for seed in self.seeds for entrant in self.settings.entrants]
        missing = [unit for unit in units if not self.path(*unit).is_file()]
        done = len(units) - len(missing)
        for record in self._make(missing, parts):
            done += 1
            told(record, done, len(units))
        found: dict[str, list[SeedRecord]] = {}
        for entrant in self.settings.entrants:
            found[entrant.label] = [
                load_record(entrant.label, seed, self.config.objectives, self.path(entrant, seed))
                for seed in self.seeds
            ]
        return found

    def path(self, entrant: Entrant, seed: int) -> Path:
        """Where one seed is kept."""
        return self.out / "seeds" / entrant.label / f"{seed}.csv"

    def run_seed(self, entrant: Entrant, seed: int, parts: Parts) -> SeedRecord:
        """Run one seed of one entrant and keep it: the search that `nas search --set seed=…` would make."""
        record = seed_record(self, entrant, seed, parts)
        save_record(record, self.config.objectives, self.path(entrant, seed))
        return record

    def _make(self, units: Sequence[tuple[Entrant, int]], parts: Parts) -> Iterator[SeedRecord]:
        """Here, one after the other, until it is plain that processes pay."""
        start = time.monotonic()
        for index, unit in enumerate(units):
            left = (time.monotonic() - start) / max(index, 1) * (len(units) - index)
            is_cheap = parts.evaluator is not None and parts.evaluator.cheap
            # Entrants take turns, so a whole round tells what a round costs.
            if self.workers > 1 and is_cheap and index >= len(self.settings.entrants) and left > _WORTH_S:
                yield from self._in_processes(units[index:])
                return
            yield self.run_seed(*unit, parts)

    def _in_processes(self, units: Sequence[tuple[Entrant, int]]) -> Iterator[SeedRecord]:
        from concurrent.futures import ProcessPoolExecutor, as_completed
        from multiprocessing import get_context

        portions = min(len(units), _PORTIONS * self.workers)
        pool = ProcessPoolExecutor(max_workers=min(self.workers, portions), mp_context=get_context("spawn"))
        try:
            jobs = [pool.submit(_run_units, self, units[start::portions]) for start in range(portions)]
            for job in as_completed(jobs):
                yield from job.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _take_folder(self) -> None:
        """Make the folder, or go on with the same comparison; an `InputError` says what differs."""
        from nas.config import differences

        same = {name: value for name, value in self.config.to_dict().items() if name not in _MAY_DIFFER}
        same["judge"] = dict(self.settings.judge)
        path = self.out / COMPARISON
        known: dict[str, Any] = {}
        if path.is_file():
            try:
                known = yaml.safe_load(path.read_text(encoding="utf-8"))
                found = list(differences(known["search"], same))
                controllers = dict(known["controllers"])
            except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
                raise InputError(
                    f"{path}: expected the description of a comparison ({error}); give another --out."
                ) from error
            if found:
                raise InputError(
                    f"{self.out}: it holds another comparison ({'; '.join(found)}); give another --out folder, or the "
                    "configuration it was started with."
                )
        elif self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise InputError(
                f"{self.out}: expected an empty folder or a comparison, got other files; give another --out folder."
            )
        else:
            controllers = {}
        for entrant in self.settings.entrants:
            there = controllers.setdefault(entrant.label, entrant.section)
            if there != entrant.section:
                raise InputError(
                    f"{self.out}: {entrant.label} stands there for {there}, got {entrant.section}; "
                    "give it another label, or give another --out folder."
                )
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f"{COMPARISON}.new")
            text = yaml.safe_dump({"search": same, "controllers": controllers}, sort_keys=False, allow_unicode=True)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise InputError(f"{self.out}: cannot be written ({error.strerror}); give another --out folder.") from error


def seed_record(contest: Contest, entrant: Entrant, seed: int, parts: Parts) -> SeedRecord:
    """One seed of one entrant: in memory where an evaluation is cheap, else as a run folder of its own."""
    from benchmarks.peers.catalog import PEERS, find_peer

    if parts.evaluator is None:
        raise InputError("compare: expected an evaluator, got none; write for example evaluator: {name: table, …}.")
    config = replace(contest.config, seed=seed)
    judged_by = contest.settings.judged_by(config.objectives)
    if entrant.name in PEERS:
        problem = make_problem(config, parts)
        course = Course(
            problem=problem,
            evaluator=parts.evaluator,
            judged_by=judged_by,
            trials=config.budget.trials,
            feasible=contest.feasible,
        )
        return run_peer(find_peer(entrant), course, label=entrant.label, seed=seed)
    config = replace(config, controller=entrant.section)
    if parts.evaluator.cheap:
        search = _searched_in_memory(config, parts, judged_by)
    else:
        search = _searched_in_folder(config, parts, contest.out / "runs" / entrant.label / str(seed))
    return _record(search, entrant.label, seed, parts, judged_by)


def _searched_in_memory(config: SearchConfig, parts: Parts, judged_by: Sequence[str]) -> Search:
    from nas.engines.serial import SerialEngine
    from nas.store import MemoryLog

    assert parts.evaluator is not None  # noqa: S101 (the caller has checked)
    engine = make_engine(config) if config.engine["name"] == "serial" else SerialEngine()
    search = search_over(config, MemoryLog(), parts)
    hidden = [metric for metric in judged_by if metric not in config.metrics]
    try:
        engine.run(search, Withheld(parts.evaluator, hidden), Path(), _quiet)
    except NoResultError:
        # Nothing feasible was found: that is this entrant's result.
        return search
    return search


def _searched_in_folder(config: SearchConfig, parts: Parts, folder: Path) -> Search:
    """An ordinary search, which `nas status` and `nas report` understand, and which goes on by itself."""
    from nas.cli.assemble import make_search
    from nas.run_folder import RunFolder

    assert parts.evaluator is not None  # noqa: S101 (the caller has checked)
    with RunFolder(folder, config) as run:
        search = make_search(config, run, parts)
        try:
            make_engine(config).run(search, parts.evaluator, folder, _quiet)
        except NoResultError:
            return search
    return search


def _record(search: Search, label: str, seed: int, parts: Parts, judged_by: Sequence[str]) -> SeedRecord:
    from nas.evaluators.base import Request

    trials = sorted(
        (trial for trial in search.trials.values() if trial.state in ("COMPLETE", "FAILED")),
        key=lambda trial: (trial.at, trial.number),
    )
    metrics = [objective.metric for objective in search.objectives]
    judged = [trial.metrics for trial in trials]
    if parts.evaluator is not None and parts.evaluator.cheap:
        requests = [Request(number=trial.number, architecture=trial.architecture, seed=0) for trial in trials]
        outcomes = parts.evaluator.evaluate(requests)
        judged = [{**trial.metrics, **outcome.metrics} for trial, outcome in zip(trials, outcomes, strict=True)]
    return SeedRecord(
        label=label,
        seed=seed,
        ids=tuple(trial.architecture.id for trial in trials),
        looked_at=np.array([trial.number + 1 for trial in trials], dtype=np.int64),
        feasible=np.ones(len(trials), dtype=np.bool_),
        seen=_values([_told(trial) for trial in trials], metrics),
        judged=_values(judged, judged_by),
    )


def _told(trial: Trial) -> Any:
    return trial.metrics if trial.state == "COMPLETE" else {}


def _values(rows: Sequence[Any], metrics: Sequence[str]) -> Any:
    found = [[np.nan if row.get(metric) is None else row[metric] for metric in metrics] for row in rows]
    return np.array(found, dtype=np.float64).reshape(len(rows), len(metrics))


def _quiet(search: Search) -> None:
    """Progress is told by the seed."""


def _run_units(contest: Contest, units: Sequence[tuple[Entrant, int]]) -> list[SeedRecord]:
    """In a process of the pool: the table is read once for all of them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parts = make_parts(contest.config)
    return [contest.run_seed(*unit, parts) for unit in units]
