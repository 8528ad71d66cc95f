"""What the recorded comparison on tables of trained networks says; making it and the tables anew takes minutes."""

from __future__ import annotations

from benchmarks.reproduce.networks import Networks
from benchmarks.tabnas_tables.verdict import read_recorded, verdict

_WITHIN = 0.95


def rejection_within(networks: Networks, table: str) -> str:
    """`yes` where under rejection 95 % of the policies stand for a network within the limit."""
    return "yes" if verdict(read_recorded(), table, end="mode").feasible >= _WITHIN else "no"


def shaped_better(networks: Networks, table: str, *, regret: str = "regret") -> int:
    """How many shaped rewards end on better networks than rejection, the best of 50 draws: `shaped_better adult-2`."""
    return verdict(read_recorded(), table, regret=regret).better
