"""Writes a report: one offline page, a picture for papers, and the tables as CSV."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from nas.tables import RunTables
from reports.anytime import compare_runs
from reports.csv_files import all_trials, save_front_csv, save_trials_csv
from reports.fronts import build_fronts
from reports.sections import page_sections
from reports.static import save_front_png
from searchspaces.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """Where the parts of a report were written."""

    index_html: Path
    pareto_png: Path
    pareto_csv: Path
    trials_csv: Path


def write_report(runs: Sequence[RunTables], out: Path) -> ReportFiles:
    """Writes `index.html`, `pareto.png`, `pareto.csv` and `trials.csv` into the folder `out`.

    Trials whose costs come from different machines, and runs of different tasks, get fronts of their own, and the
    page says so. Runs whose controller is `random` are the baseline of the others with the same problem. The same
    tables give the same bytes.

    Raises:
        InputError: there are no runs, two share a name, or the folder cannot be written.
    """
    _check_names(runs)
    fronts, comparisons = build_fronts(runs), compare_runs(runs)
    trials = all_trials(runs, fronts)
    files = ReportFiles(
        index_html=out / "index.html",
        pareto_png=out / "pareto.png",
        pareto_csv=out / "pareto.csv",
        trials_csv=out / "trials.csv",
    )
    page = render_page("page.html.j2", page_sections(runs, fronts, comparisons, trials))
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_front_csv(fronts, files.pareto_csv)
        save_trials_csv(trials, files.trials_csv)
        save_front_png(fronts, comparisons, files.pareto_png)
        files.index_html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"out: expected a folder that can be written, got {str(out)!r} ({error.strerror}); choose another folder."
        ) from error
    return files


def render_page(template: str, sections: Mapping[str, Any]) -> str:
    """The page of a template as HTML, with styles, scripts and data inside it.

    Its content security policy names the two scripts by hash and forbids every load from elsewhere, so that
    neither a figure nor a text from a trial can run code or reach the network.
    """
    environment = Environment(
        loader=PackageLoader("reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["embedded"] = embedded_json
    environment.filters["yaml"] = as_yaml
    folder = resources.files("reports")
    plotly_js, page_js = get_plotlyjs(), (folder / "page.js").read_text("utf-8")
    return environment.get_template(template).render(
        # These come from packages, never from a run.
        style=Markup((folder / "page.css").read_text("utf-8")),
        plotly_js=Markup(plotly_js),
        page_js=Markup(page_js),
        script_hashes=[_hash(plotly_js), _hash(page_js)],
        **sections,
    )


def embedded_json(figure_json: str) -> Markup:
    """JSON as it may stand within a `<script>` element: nothing in it can end the element."""
    safe = figure_json
    for character in "<>&\u2028\u2029":
        safe = safe.replace(character, f"\\u{ord(character):04x}")
    return Markup(safe)


def as_yaml(values: Mapping[str, Any]) -> str:
    """A configuration as YAML, whatever containers and scalars it is made of."""
    plain = json.loads(json.dumps(dict(values), default=_plain))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=88)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return value.item() if hasattr(value, "item") else str(value)


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _check_names(runs: Sequence[RunTables]) -> None:
    names = [run.name for run in runs]
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"runs: expected one or more runs of different names, got {names}; give each run a name of its own."
        )
