"""`python -m benchmarks.kills`: every controller's search killed by SIGKILL at 50 random moments, and begun again."""

from __future__ import annotations

import csv
import platform
import random
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click

from benchmarks.speed.table_search import write_table
from hardware_profiles.fingerprint import host_fingerprint
from nas.cli.assemble import Parts, make_engine, make_parts, make_search
from nas.config import SearchConfig, parse_config
from nas.controllers.catalog import CONTROLLERS
from nas.run_folder import RunFolder, read_log
from nas.search import Search
from nas.trial import FINISHED, Trial
from searchspaces.errors import NoResultError

RESULT = Path(__file__).parents[1] / "results" / "kills.csv"
# Options with which a controller is past its random phase well before the end.
_YOUNG: dict[str, dict[str, Any]] = {
    "evolution": {"population": 12, "tournament": 4},
    "nsga2": {"population": 8},
}
_LIMIT_S = 600
_MOST_CHANGES, _MOST_S = 8, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one controller's searches.

    kills: processes that were killed while they searched. searches: that were brought to their end this way.
    equal: searches whose log told the same as that of the search nobody disturbed. repeated: trials that finished, and
    were finished again.
    """

    controller: str
    trials: int
    kills: int
    searches: int
    equal: int
    repeated: int


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--controllers", default=",".join(CONTROLLERS), show_default=True)
@click.option("--kills", default=50, show_default=True, type=click.IntRange(1), help="Of each controller.")
@click.option("--trials", default=40, show_default=True, type=click.IntRange(2), help="Of each search.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the moments.")
@click.option("--csv", "table", default=RESULT, show_default=True, type=click.Path(path_type=Path, dir_okay=False))
def main(controllers: str, kills: int, trials: int, seed: int, table: Path) -> None:
    """Kill, begin again, and compare with the search that nobody disturbed; the exit status is 1 where one differs."""
    rows = []
    for name in controllers.split(","):
        row = kill_and_compare(name, kills=kills, trials=trials, seed=seed)
        searches = f"{row.searches} searches of {row.trials} trials"
        click.echo(f"{name}: {row.kills} kills over {searches}; {row.equal} as undisturbed, {row.repeated} repeated")
        rows.append(row)
    _write(rows, table)
    if any(row.equal < row.searches or row.repeated for row in rows):
        sys.exit(1)


def kill_and_compare(name: str, *, kills: int, trials: int, seed: int) -> Row:
    """Searches one after the other, each killed until it ends, until there were enough kills."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = parse_config(_config(name, write_table(folder / "table.csv"), trials))
        parts = make_parts(config)
        _drive(config, parts, folder / "whole", None)
        whole = _told(folder / "whole")
        deaths = searches = equal = repeated = 0
        while deaths < kills:
            run, alive = folder / f"run{searches}", False
            while not alive:
                # A few trials a life, so that all of a search is met; the seconds are those of a trial or two.
                life = (rng.randrange(_MOST_CHANGES), rng.uniform(0.0, _MOST_S)) if deaths < kills else None
                alive = _drive(config, parts, run, life)
                deaths += not alive
            searches += 1
            equal += _told(run) == whole
            repeated += _repeated(run)
    return Row(controller=name, trials=trials, kills=deaths, searches=searches, equal=equal, repeated=repeated)


def _config(name: str, table: Path, trials: int) -> dict[str, Any]:
    return {
        "space": {"name": "tabnas", "input": [54], "classes": 7, "layers": 3},
        "evaluator": {"name": "table", "path": str(table)},
        "controller": {"name": name, **_YOUNG.get(name, {})},
        "objectives": ["maximize accuracy", "minimize params"],
        "constraints": ["params <= 12000"],
        "budget": {"trials": trials},
        "engine": {"name": "serial", "batch": 1},
        "seed": 1,
    }


def _drive(config: SearchConfig, parts: Parts, folder: Path, life: tuple[int, float] | None) -> bool:
    """Let a process continue the search; whether it came to the end.

    life: how many changes it may report before it is killed, and how many seconds later.
    """
    context = get_context("fork")
    hears, says = context.Pipe(duplex=False)
    process = context.Process(target=_continue, args=(config, parts, folder, says))
    process.start()
    # Only the other end stays open in the process, so that its end is heard.
    says.close()
    changes, seconds = (sys.maxsize, 0.0) if life is None else life
    with suppress(EOFError):
        for _ in range(changes):
            hears.recv()
    if life is not None:
        time.sleep(seconds)
        process.kill()
    process.join(_LIMIT_S)
    if process.exitcode == -signal.SIGKILL:
        return False
    if process.exitcode:
        raise NoResultError(f"{config.controller['name']}: its process ended with status {process.exitcode}")
    return True


def _continue(config: SearchConfig, parts: Parts, folder: Path, says: Connection) -> None:
    """In the process that gets killed: continue the search in its folder to the end, and tell of every change."""

    def tell(search: Search) -> None:
        says.send(None)

    with RunFolder(folder, config) as run:
        search = make_search(config, run, parts)
        if parts.evaluator is not None:
            make_engine(config).run(search, parts.evaluator, folder, tell)


def _told(folder: Path) -> list[tuple[Any, ...]]:
    """What must be equal: everything but times."""
    with read_log(folder) as log:
        return [_plain(trial) for trial in log.trials()]


def _plain(trial: Trial) -> tuple[Any, ...]:
    return trial.number, trial.architecture.id, trial.state, dict(trial.metrics), trial.reason


def _repeated(folder: Path) -> int:
    with read_log(folder) as log:
        ends = [event.trial for event in log.events() if event.state in FINISHED]
    return len(ends) - len(set(ends))


def _write(rows: Sequence[Row], path: Path) -> None:
    known = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()} {host_fingerprint('any').id}",
        "command": shlex.join(["python", "-m", "benchmarks.kills", *sys.argv[1:]]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.DictWriter(stream, [*known, *(field.name for field in fields(Row))], lineterminator="\n")
        out.writeheader()
        out.writerows({**known, **asdict(row)} for row in rows)
    click.echo(f"written to {path}")


if __name__ == "__main__":
    main()
