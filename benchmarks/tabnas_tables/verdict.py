"""What the recorded comparison says of the paper's claim, table by table.

The claim: rejection ends within the limit, and on networks no worse than those of any shaped reward, however that was
tuned. A shaped reward is better, or worse, where the 95 % intervals of the two regrets lie apart.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from nas.rewards import REWARDS
from searchspaces.errors import InputError, unknown_name

RECORDED: Final = Path(__file__).parents[1] / "results" / "tabnas" / "policies.csv"
# Fixed before anything was compared: the most samples that were tried, and the rate of the authors' absolute reward.
EXTRA_SAMPLES, LEARNING_RATE = "64", "0.05"
End: TypeAlias = Literal["mode", "draws"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Of one table and one kind of end and regret.

    feasible: share of the policies under rejection that end within the limit.
    regret: their mean regret in points.
    shaped: how many shaped rewards there are; `better` and `worse` how many of them end so.
    best: the shaped reward with the lowest mean regret, chosen in hindsight, with its weight.
    best_regret: its mean regret in points, and `best_feasible` its share within the limit.
    """

    table: str
    feasible: float
    regret: float
    shaped: int
    better: int
    worse: int
    best: str
    best_regret: float
    best_feasible: float


def read_recorded(path: Path = RECORDED) -> list[dict[str, str]]:
    """The rows of a comparison of policies."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"comparison {path}: expected a readable file ({error}); write it with "
            "`python -m benchmarks.tabnas_tables policies`."
        ) from error
    if not rows or not {"table", "draws_regret", "mode_regret"} <= set(rows[0]):
        raise InputError(
            f"comparison {path}: expected the columns of `policies`, got others or no rows; check the path."
        )
    return rows


def verdict(rows: list[dict[str, str]], table: str, *, end: End = "draws", regret: str = "regret") -> Verdict:
    """What the rows say of one table.

    Args:
        rows: of `read_recorded`.
        table: its name, such as `letter-2`.
        end: which network a policy stands for: its most probable one, or the best to see of its draws.
        regret: `regret`, on test rows, or `seen_regret`, on those that the search was told of.
    """
    own = [row for row in rows if row["table"] == table and row["learning_rate"] == LEARNING_RATE]
    if not own:
        raise unknown_name("table", table, sorted({row["table"] for row in rows}))
    rejection = next(row for row in own if row["extra_samples"] == EXTRA_SAMPLES)
    shaped = [row for row in own if row["reward"] in REWARDS]
    column = f"{end}_{regret}"
    best = min(shaped, key=lambda row: float(row[column]))
    return Verdict(
        table=table,
        feasible=float(rejection[f"{end}_feasible"]),
        regret=float(rejection[column]),
        shaped=len(shaped),
        better=sum(float(row[f"{column}_high"]) < float(rejection[f"{column}_low"]) for row in shaped),
        worse=sum(float(row[f"{column}_low"]) > float(rejection[f"{column}_high"]) for row in shaped),
        best=f"{best['reward']} {best['beta']}",
        best_regret=float(best[column]),
        best_feasible=float(best[f"{end}_feasible"]),
    )
