from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs

from nas.tables import RunTables
from reports.page import as_yaml, embedded_json, write_report
from searchspaces.errors import InputError

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\u2028"
SECTIONS = ["front", "baseline", "choices", "constraints", "promises", "latency", "networks", "provenance", "trials"]


class Page(HTMLParser):
    """What a browser would load and run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def without_plotly(text: str) -> str:
    return text.replace(get_plotlyjs(), "")


def render(runs: list[RunTables], folder: Path) -> str:
    return without_plotly(write_report(runs, folder).index_html.read_text("utf-8"))


def figures(text: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" data-plot="([^"]+)">(.*?)</script>', text, re.DOTALL)
    return {name: json.loads(body) for name, body in found}


VARIANTS: dict[str, dict[str, Any]] = {
    "usual": {},
    "one trial": {"trials": 1, "winners": 1},
    "nothing complete": {"complete": False, "winners": 0},
    "three objectives": {"objectives": ("maximize accuracy", "minimize latency_ms@host-cpu", "minimize params")},
    "all maximised": {"objectives": ("maximize accuracy", "maximize macs")},
    "one objective": {"objectives": ("maximize accuracy",)},
    "two machines": {"fingerprints": ("xeon", "pi5")},
    "no winners": {"winners": 0},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_run_gives_a_page(variant: str, make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    files = write_report([make_run(**VARIANTS[variant])], tmp_path / "report")
    text = without_plotly(files.index_html.read_text("utf-8"))
    page = Page(text)
    assert [attrs["id"] for attrs in page.all("section")] == SECTIONS
    plots = figures(text)
    drawn = [attrs["id"] for attrs in page.all("div") if "plot" in (attrs.get("class") or "").split()]
    assert drawn == list(plots)
    for figure in plots.values():
        go.Figure(figure)
    with Image.open(files.pareto_png) as picture:
        assert picture.width >= 1500
        assert picture.info["dpi"][0] == pytest.approx(300, abs=1)
    assert files.pareto_csv.read_text("utf-8").startswith("front,machine,run,number,id,label")
    rows = files.trials_csv.read_text("utf-8").splitlines()
    assert len(rows) == VARIANTS[variant].get("trials", 80) + 1


def test_a_single_objective_shows_progress(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    text = render([make_run(objectives=("maximize accuracy",))], tmp_path)
    assert "<h2>Progress</h2>" in text
    assert [name for name in figures(text) if name.startswith(("plot-front", "plot-progress", "plot-best"))] == [
        "plot-progress-0-0"
    ]


def test_three_objectives_have_a_panel_each_against_the_first(
    make_run: Callable[..., RunTables], tmp_path: Path
) -> None:
    text = render([make_run(**VARIANTS["three objectives"])], tmp_path)
    panels = [figure for name, figure in figures(text).items() if name.startswith("plot-front")]
    assert [panel["layout"]["xaxis"]["title"]["text"] for panel in panels] == [
        "latency on host-cpu (ms)",
        "parameters",
    ]


def test_machines_never_share_a_front(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    text = render([make_run(fingerprints=("xeon", "pi5"))], tmp_path)
    assert "The costs come from 2 machines (xeon; pi5)" in text
    assert {"plot-front-0-0", "plot-front-1-0"} <= set(figures(text))


def test_a_missing_baseline_is_said(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    lonely = render([make_run()], tmp_path)
    assert "No random search with the same problem" in lonely
    assert "controller=random" in lonely
    run = make_run()
    baseline = make_run(name="random-1", controller="random", seed=3)
    both = render([run, replace(baseline, config={**run.config, "controller": {"name": "random"}})], tmp_path)
    assert "No random search with the same problem" not in both
    assert [trace["name"] for trace in figures(both)["plot-best-0"]["data"]] == ["evolution", "random"]


def test_a_low_acceptance_warns(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    text = render([make_run()], tmp_path)
    assert "Only 4.4 % of the architectures met <code>latency_ms@host-cpu &lt;= 2.5</code>" in text
    assert text.count("Only ") == 1


def test_texts_of_a_run_cannot_become_markup(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    run = make_run(name=f"run {EVIL}", controller=EVIL, reason=EVIL, fingerprints=(EVIL, "b"))
    run.trials["id"] = [f"{EVIL}{number}" for number in run.trials["number"]]
    winner = run.winners[0]
    evil = replace(
        winner,
        id=EVIL,
        test={EVIL: {EVIL: 0.5}},
        blocks=({"kind": EVIL, "label": EVIL, "shape": [1]},),
        ops=winner.ops.assign(kind=EVIL),
        promised=({**winner.promised[0], "precision": EVIL},),
    )
    acceptance = run.acceptance.assign(constraint=[EVIL, "b"])
    choices = run.choices.rename(columns={"depth": EVIL}).assign(kernel=[EVIL, "b"] * 40)
    run = replace(
        run, winners=(evil,), acceptance=acceptance, choices=choices, provenance={EVIL: EVIL}, config={EVIL: EVIL}
    )
    text = render([run], tmp_path)
    page = Page(text)
    assert "<script>alert" not in text
    assert "<img" not in text
    assert len(page.all("script")) == len(figures(text)) + 2
    assert page.all("img") == []
    # Plotly reads texts as HTML of its own: no tag of a run may reach it unescaped.
    for figure in figures(text).values():
        assert not re.search(r"<(script|img)", json.dumps(figure))


def test_the_page_loads_nothing(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    text = render([make_run()], tmp_path)
    for tag, attrs in Page(text).tags:
        assert "src" not in attrs, tag
        if "href" in attrs:
            assert re.fullmatch(r"#[a-z]+|data:,|(pareto|trials)\.(csv|png)", attrs["href"] or ""), attrs
    (policy,) = [a["content"] for a in Page(text).all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "url(" not in text
    assert "@import" not in text
    assert "showSendToCloud: false" in text


def test_the_same_tables_give_the_same_bytes(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    one = write_report([make_run()], tmp_path / "one")
    other = write_report([make_run()], tmp_path / "other")
    for name in ("index_html", "pareto_png", "pareto_csv", "trials_csv"):
        assert getattr(one, name).read_bytes() == getattr(other, name).read_bytes(), name


def test_five_thousand_trials_stay_small(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    text = render([make_run(trials=5000)], tmp_path)
    assert len(text.encode("utf-8")) < 8_000_000
    assert "1000 of 5000 trials" in text
    assert text.count("<tr") < 1200


def test_configurations_of_any_container_become_yaml() -> None:
    config = MappingProxyType({"space": MappingProxyType({"input": (32, 32, 3)}), "n": np.int64(3), "p": Path("a/b")})
    assert as_yaml(config) == "space:\n  input: [32, 32, 3]\nn: 3\np: a/b\n"


def test_embedded_json_is_still_the_same_json() -> None:
    embedded = embedded_json(json.dumps({"text": EVIL}, ensure_ascii=False))
    assert not set("<>&\u2028") & set(embedded)
    assert json.loads(embedded) == {"text": EVIL}


def test_runs_need_names_of_their_own(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    for runs in ([], [make_run(), make_run()]):
        with pytest.raises(InputError, match="expected one or more runs of different names"):
            write_report(runs, tmp_path)


def test_an_unwritable_folder_is_refused(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder that can be written"):
        write_report([make_run(trials=3)], tmp_path / "file")
