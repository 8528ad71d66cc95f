from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from nas.tables import RunTables
from reports.choices import MOST_AXES, MOST_LINES, choice_texts, parallel_axes
from reports.fronts import build_fronts


def test_constant_choices_are_left_out(make_run: Callable[..., RunTables]) -> None:
    run = make_run()
    parallel = parallel_axes(build_fronts([run])[0], [run])
    assert parallel is not None
    assert parallel.choices == (12, 11)
    titles = [axis.title for axis in parallel.axes]
    assert "input" not in titles
    assert len(titles) == MOST_AXES + 2
    assert titles[-2:] == ["accuracy", "latency on host-cpu (ms)"]


def test_the_choice_that_decides_is_kept(make_run: Callable[..., RunTables]) -> None:
    run = make_run()
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"noise{i}": rng.integers(0, 3, len(run.trials)) for i in range(30)})
    table["decides"] = (run.trials["accuracy"] > 0.95).astype(int)
    table.insert(0, "number", run.trials["number"])
    parallel = parallel_axes(build_fronts([run])[0], [replace(run, choices=table)])
    assert parallel is not None
    assert "decides" in [axis.title for axis in parallel.axes]


def test_heights_lie_on_the_axes_and_the_front_is_whole(make_run: Callable[..., RunTables]) -> None:
    run = make_run(trials=1200)
    front = build_fronts([run])[0]
    parallel = parallel_axes(front, [run])
    assert parallel is not None
    assert len(parallel.groups) == MOST_LINES < parallel.trials == len(front.points)
    assert parallel.groups.count("front") == len(front.members)
    assert ((parallel.heights >= 0) & (parallel.heights <= 1)).all()


def test_nothing_to_show(make_run: Callable[..., RunTables]) -> None:
    run = make_run(trials=1, winners=0)
    assert parallel_axes(build_fronts([run])[0], [run]) is None
    bare = replace(make_run(), choices=pd.DataFrame())
    assert parallel_axes(build_fronts([bare])[0], [bare]) is None


def test_texts_name_the_choices(make_run: Callable[..., RunTables]) -> None:
    run = make_run(trials=3)
    front = build_fronts([run])[0]
    texts = choice_texts(front, [run], limit=10)
    assert texts.iloc[0].startswith(f"input 32, depth {run.choices['depth'].iloc[0]}")
    hidden = choice_texts(front, [run], limit=0)[front.points["status"] == "dominated"]
    assert (hidden == "").all()
