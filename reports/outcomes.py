"""What became of a run's trials: states, reasons, acceptance of constraints, budget used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from nas.tables import STATES, RunTables
from reports.fronts import Front
from reports.words import format_duration, format_percent, format_value, metric_label, shorten

MOST_REASONS = 12
# Below this share of accepted samples a search mostly looks for a feasible point.
LOW_ACCEPTANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """How often one constraint let a sampled architecture through."""

    run: str
    constraint: str
    checked: int
    accepted: int
    rate: float

    @property
    def is_low(self) -> bool:
        return self.checked > 0 and self.rate < LOW_ACCEPTANCE


def state_counts(run: RunTables) -> dict[str, int]:
    """Trials by state, every state named."""
    counts = run.trials["state"].value_counts()
    return {state: int(counts.get(state, 0)) for state in STATES}


def refusals(runs: Sequence[RunTables]) -> pd.DataFrame:
    """Reasons of INFEASIBLE and FAILED trials: run, state, reason, trials; the rare ones under `other`."""
    rows = []
    for run in runs:
        ended = run.trials[run.trials["state"].isin(["INFEASIBLE", "FAILED"])]
        reasons = ended["reason"].fillna("no reason recorded").astype(str).map(lambda text: shorten(text, 70))
        counts = reasons.groupby([ended["state"], reasons]).size()
        rows += [(run.name, state, reason, int(n)) for (state, reason), n in counts.items()]
    table = pd.DataFrame(rows, columns=["run", "state", "reason", "trials"])
    totals = table.groupby("reason")["trials"].sum().sort_values(ascending=False, kind="stable")
    kept = set(totals.index[:MOST_REASONS])
    table["reason"] = [reason if reason in kept else "other" for reason in table["reason"]]
    return table.groupby(["run", "state", "reason"], as_index=False, sort=False)["trials"].sum()


def acceptances(runs: Sequence[RunTables]) -> tuple[Acceptance, ...]:
    """The acceptance rates of all runs, in order."""
    return tuple(
        Acceptance(
            run=run.name,
            constraint=str(row["constraint"]),
            checked=int(row["checked"]),
            accepted=int(row["accepted"]),
            rate=float(row["rate"]),
        )
        for run in runs
        for row in run.acceptance.to_dict("records")
    )


def feasible_share(run: RunTables) -> float:
    """Share of the run's checked trials that met every constraint; NaN while there are none."""
    counts = state_counts(run)
    feasible = counts["COMPLETE"] + counts["FAILED"] + counts["RUNNING"]
    decided = feasible + counts["INFEASIBLE"]
    return feasible / decided if decided else math.nan


def elapsed_s(run: RunTables) -> float:
    """From the start of the first trial to the end of the last, in seconds; NaN while none has ended."""
    ended = run.trials.dropna(subset=["finished_at"])
    if len(ended) == 0:
        return math.nan
    started = ended["finished_at"] - ended["seconds"].fillna(0)
    return float(ended["finished_at"].max() - started.min())


def budget_used(run: RunTables) -> str:
    """`64 trained of a budget of 64 trials, 12 min 3 s of 30 min`, as far as the budget names limits."""
    budget = run.config.get("budget")
    limits = budget if isinstance(budget, Mapping) else {}
    counts = state_counts(run)
    done = counts["COMPLETE"] + counts["FAILED"]
    limit = limits.get("trials")
    parts = [f"{done} trained of a budget of {limit} trials" if limit else f"{done} trained"]
    spent = elapsed_s(run)
    if math.isfinite(spent):
        limit = limits.get("wall_clock_s")
        parts.append(format_duration(spent) + (f" of {format_duration(float(limit))}" if limit else ""))
    return ", ".join(parts)


def answer(runs: Sequence[RunTables], fronts: Sequence[Front]) -> str:
    """The report in a few plain sentences: what is best, what is the compromise, what ties with them."""
    front = max(fronts, key=lambda item: len(item.points), default=None)
    if front is None or len(front.points) == 0:
        waiting = any(run.trials["state"].isin(["RUNNING", "PROPOSED"]).any() for run in runs)
        return f"No trial is complete{' yet' if waiting else ''}, so there is no front to show."
    members = front.members
    points = front.points[front.points["label"] != ""].set_index("label")
    objective = front.objectives[0]
    word = "highest" if objective.direction == "maximize" else "lowest"
    best = points.loc["best"]
    where = f"Of {len(fronts)} fronts the fullest is that of {front.fingerprint or ', '.join(front.runs)}. "
    text = where if len(fronts) > 1 else ""
    text += f"The {word} {metric_label(objective.metric)} is {_values(best, front)} ({_trial(best, front)}). "
    if "knee" in points.index:
        knee = points.loc["knee"]
        text += f"At the knee of the front, {_trial(knee, front)} offers {_values(knee, front)}. "
    several = len(members) != 1
    if len(front.objectives) > 1 or several:
        text += f"{len(members)} network{'s are' if several else ' is'} on the front. "
    tied = int((front.points["status"] == "tied").sum())
    if tied:
        text += f"{tied} more cannot be told apart from {'one of them' if several else 'it'}."
    return text.strip()


def effort(run: RunTables) -> str:
    """What a run took: budget used, feasible share, failures."""
    counts = state_counts(run)
    parts = [f"Budget used: {budget_used(run)}."]
    share = feasible_share(run)
    if math.isfinite(share):
        parts.append(
            f"{format_percent(share)} of the proposed architectures met the constraints "
            f"({counts['INFEASIBLE']} refused before training)."
        )
    if counts["FAILED"]:
        parts.append(f"{counts['FAILED']} failed in training.")
    return " ".join(parts)


def _trial(row: pd.Series, front: Front) -> str:
    of_run = f" of {row['run']}" if len(front.runs) > 1 else ""
    return f"trial #{row['number']}{of_run}"


def _values(row: pd.Series, front: Front) -> str:
    first, *others = front.objectives
    text = format_value(first.metric, row[first.metric])
    if others:
        named = [f"{format_value(o.metric, row[o.metric])} {metric_label(o.metric)}" for o in others]
        text += " at " + " and ".join(named)
    return text
