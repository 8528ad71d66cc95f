"""The live line of a search on a terminal; plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from nas.search import Search

_REFRESH_S = 0.2
_LINE_EVERY_S = 10.0


class SearchProgress:
    """Shows trials done, feasible share, best, front size and time left. Writes to stderr. A context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.live import Live

        self._quiet = quiet
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True, auto_refresh=False)
        self._start = self._last = time.monotonic()
        self._first_done: int | None = None

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._live.stop()

    def __call__(self, search: Search) -> None:
        """Show where the search stands, if enough time has passed since it was shown."""
        now = time.monotonic()
        done = search.counts["COMPLETE"] + search.counts["FAILED"]
        if self._first_done is None:
            self._first_done = done
        every = _REFRESH_S if self._live.is_started else _LINE_EVERY_S
        if self._quiet or (now - self._last < every and done < search.budget.trials):
            return
        self._last = now
        line = self._line(search, done, now)
        if self._live.is_started:
            from rich.text import Text

            self._live.update(Text(line), refresh=True)
        else:
            click.echo(line, err=True)

    def _line(self, search: Search, done: int, now: float) -> str:
        looked_at = len(search.trials)
        feasible = 1 - search.counts["INFEASIBLE"] / looked_at if looked_at else 1.0
        parts = [f"{done}/{search.budget.trials} trials", f"feasible {feasible:.0%}"]
        if front := search.front():
            objective = search.objectives[0]
            best = front[0].metrics[objective.metric]
            parts += [f"best {objective.metric} {best:.4g}", f"front {len(front)}"]
        fresh = done - (self._first_done or 0)
        if fresh > 0 and done < search.budget.trials:
            left = (now - self._start) / fresh * (search.budget.trials - done)
            limit = search.seconds_left()
            parts.append(f"about {_duration(left if limit is None else min(left, max(0.0, limit)))} left")
        if search.counts["FAILED"]:
            parts.append(f"failed {search.counts['FAILED']}")
        return " · ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
