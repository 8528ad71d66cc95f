"""The page in a real browser, without a window; skipped where there is none."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from nas.tables import ComparisonTables, RunTables
from reports.comparison_page import write_comparison
from reports.page import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
TIME_LIMIT_S = 120

# Holds the page in a frame as wide as a telephone, sorts its table, and writes what it finds into its own body.
HARNESS = """<!doctype html><body><iframe id="f" src="index.html" style="width:400px;height:900px"></iframe>
<pre id="found"></pre><script>
document.getElementById("f").onload = (event) => {
  const page = event.target.contentDocument;
  const root = page.documentElement;
  const heads = [...page.querySelectorAll("#trial-table th button")];
  const column = heads.findIndex((head) => head.textContent === "accuracy");
  const read = () => [...page.querySelectorAll("#trial-table tbody tr")].map((row) => row.cells[column].textContent);
  heads[column].click();
  const rising = read();
  heads[column].click();
  const falling = read();
  page.querySelector('.pager button[data-step="1"]').click();
  document.getElementById("found").textContent = JSON.stringify({
    ready: root.dataset.ready, width: root.clientWidth, content: root.scrollWidth, rising, falling,
    pager: page.querySelector(".pager span").textContent,
    wide: [...page.querySelectorAll(".plot")].filter(
      (plot) => plot.style.minWidth === "0px" && plot.clientWidth > 400).length,
  });
};
</script></body>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a browser made of a page."""

    dom: str
    console: list[str]
    requests: list[str]


def visit(page: Path, profile: Path) -> Visit:
    """Opens a local page in a browser that has a profile of its own and no names to resolve."""
    log = profile / "net.json"
    profile.mkdir()
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--disable-sync",
        "--no-first-run",
        "--allow-file-access-from-files",
        "--enable-logging=stderr",
        "--v=0",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
        f"--log-net-log={log}",
        "--window-size=1400,3000",
        "--virtual-time-budget=10000",
        "--dump-dom",
        page.as_uri(),
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=os.environ | {"HOME": str(profile)},
        start_new_session=True,
    )
    try:
        dom, errors = process.communicate(timeout=TIME_LIMIT_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Visit(
        dom=dom,
        console=[line for line in errors.splitlines() if "CONSOLE" in line],
        requests=page_requests(log.read_text("utf-8", errors="replace")),
    )


def page_requests(log: str) -> list[str]:
    """Addresses that a local page asked for; the browser's own requests belong to no page."""
    of_pages = [line for line in log.splitlines() if '"network_isolation_key":"file://' in line]
    return [match.group(1) for line in of_pages if (match := re.search(r'"url":"((?:https?|wss?):[^"]*)"', line))]


def test_the_watch_sees_errors_and_requests(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<img src="http://example.invalid/x.png"><script>undefinedFunction()</script>', "utf-8")
    seen = visit(page, tmp_path / "profile")
    assert any("undefinedFunction" in line for line in seen.console)
    assert any("example.invalid" in url for url in seen.requests)


def test_the_page_draws_everything_and_asks_for_nothing(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    run = make_run(reason="</script><script>undefinedFunction()</script>")
    baseline = make_run(name="random-1", controller="random", seed=3, winners=0)
    baseline = replace(baseline, config={**run.config, "controller": {"name": "random"}})
    files = write_report([run, baseline], tmp_path / "report")
    seen = visit(files.index_html, tmp_path / "profile")
    assert seen.console == []
    assert seen.requests == []
    assert 'data-ready="true"' in seen.dom
    plots = re.findall(r'<script type="application/json" data-plot="([^"]+)"', seen.dom)
    assert len(plots) == 7
    for name in plots:
        start = seen.dom.index(f'id="{name}"')
        assert 'class="main-svg"' in seen.dom[start : start + 3000], name
    assert "scatterlayer" in seen.dom
    assert seen.dom.count('<svg class="network"') == 3


FRAME = """<!doctype html><body><iframe id="f" src="index.html" style="width:400px;height:900px"></iframe>
<pre id="found"></pre><script>
document.getElementById("f").onload = (event) => {
  const root = event.target.contentDocument.documentElement;
  document.getElementById("found").textContent = JSON.stringify({
    ready: root.dataset.ready, width: root.clientWidth, content: root.scrollWidth,
  });
};
</script></body>"""


def test_a_comparison_draws_everything_and_fits_a_telephone(
    make_comparison: Callable[..., ComparisonTables], tmp_path: Path
) -> None:
    page, *_ = write_comparison(make_comparison(peer="</script><script>undefinedFunction()"), tmp_path / "report")
    seen = visit(page, tmp_path / "profile")
    assert (seen.console, seen.requests) == ([], [])
    assert 'data-ready="true"' in seen.dom
    plots = re.findall(r'<script type="application/json" data-plot="([^"]+)"', seen.dom)
    assert plots == ["plot-regret", "plot-best", "plot-seeds"]
    for name in plots:
        start = seen.dom.index(f'id="{name}"')
        assert 'class="main-svg"' in seen.dom[start : start + 3000], name
    harness = page.with_name("frame.html")
    harness.write_text(FRAME, "utf-8")
    framed = visit(harness, tmp_path / "profile-frame")
    match = re.search(r'<pre id="found">(.*?)</pre>', framed.dom, re.DOTALL)
    assert match, framed.console
    found = json.loads(match.group(1))
    assert found["ready"] == "true"
    assert found["content"] <= found["width"] <= 400


def test_the_page_fits_a_telephone_and_its_table_sorts(make_run: Callable[..., RunTables], tmp_path: Path) -> None:
    write_report([make_run()], tmp_path / "report")
    harness = tmp_path / "report" / "harness.html"
    harness.write_text(HARNESS, "utf-8")
    seen = visit(harness, tmp_path / "profile")
    match = re.search(r'<pre id="found">(.*?)</pre>', seen.dom, re.DOTALL)
    assert match, seen.console
    found = json.loads(match.group(1))
    assert (found["ready"], found["pager"]) == ("true", "page 2 of 4")
    assert found["content"] <= found["width"] <= 400
    assert found["wide"] == 0
    rising = [float(cell.removesuffix(" %")) for cell in found["rising"] if cell != "–"]
    falling = [float(cell.removesuffix(" %")) for cell in found["falling"] if cell != "–"]
    assert len(rising) == len(falling) == 25
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > rising[-1]
