"""Writes the report of a comparison: one offline page, a picture, and the tables as CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nas.tables import ComparisonTables
from reports.comparison_figures import comparison_blocks, measures
from reports.comparison_static import save_comparison_png
from reports.page import render_page
from reports.words import format_percent, format_value
from searchspaces.errors import InputError

# A difference is called one below this p.
SIGNIFICANT = 0.05
_LEAST_P = 1e-4


def write_comparison(tables: ComparisonTables, out: Path) -> tuple[Path, ...]:
    """Writes `index.html`, `comparison.png`, `summary.csv`, `curves.csv` and `seeds.csv` into the folder `out`.

    The same tables give the same bytes.

    Raises:
        InputError: the folder cannot be written.
    """
    page, picture = out / "index.html", out / "comparison.png"
    csv_files = {"summary.csv": tables.columns, "curves.csv": tables.curves, "seeds.csv": tables.seeds}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, table in csv_files.items():
            table.to_csv(out / name, index=False, lineterminator="\n")
        save_comparison_png(tables, picture)
        page.write_text(render_page("comparison.html.j2", comparison_sections(tables)), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"out: expected a folder that can be written, got {str(out)!r} ({error.strerror}); choose another folder."
        ) from error
    return (page, picture, *(out / name for name in csv_files))


def comparison_sections(tables: ComparisonTables) -> dict[str, Any]:
    """The variables of `comparison.html.j2`."""
    measure, several = measures(tables)[0], len(tables.objectives) > 1
    return {
        "title": f"{tables.described['space']}: {len(tables.columns)} columns compared",
        "answer": answer(tables),
        "described": tables.described,
        "reference": tables.reference,
        "best_value": format_value(tables.objectives[0].metric, float(tables.reference["best"])),
        "blocks": comparison_blocks(tables),
        "several": several,
        "measure": measure,
        "heads": [f"after {trials:,}" for trials in tables.at],
        "rows": [_row(tables, row, measure) for row in tables.columns.to_dict("records")],
        "target": _target(tables),
        "has_peers": bool(tables.columns["peer"].any()),
        "config": tables.config,
    }


def answer(tables: ComparisonTables) -> str:
    """Who is ahead, by how much, and whether the seeds bear it out."""
    best = tables.columns[tables.columns["is_best"]].iloc[0]
    measure = measures(tables)[0]
    ahead = (
        f"{best['label']} is ahead after {tables.at[-1]:,} trials: median {measure} {_amount(tables, best, measure)}"
    )
    random = tables.columns[tables.columns["controller"] == "random"].iloc[0]
    if best["label"] == random["label"]:
        return f"{ahead}. No controller is better than random search here."
    ahead += f", random search {_amount(tables, random, measure)}. "
    p = best["p_against_random"]
    verdict = "more than chance" if p < SIGNIFICANT else "within what chance gives"
    equals = [
        row["label"]
        for row in tables.columns.to_dict("records")
        if not row["is_best"] and not row["p_against_best"] < SIGNIFICANT
    ]
    shown = _p(p) if p < _LEAST_P else f"= {_p(p)}"
    text = f"{ahead}That difference over {int(best['seeds'])} seeds is {verdict} (p {shown}). "
    if equals:
        text += f"Not told apart from it: {', '.join(equals)}."
    return text.strip()


def _row(tables: ComparisonTables, row: Mapping[str, Any], measure: str) -> dict[str, Any]:
    return {
        "label": row["label"],
        "is_best": bool(row["is_best"]),
        "charged": row["charged"],
        "options": row["options"],
        "at": [
            (
                _number(tables, measure, row[f"{measure}_at.{trials}.median"]),
                _between(tables, measure, row[f"{measure}_at.{trials}.low"], row[f"{measure}_at.{trials}.high"]),
            )
            for trials in tables.at
        ],
        "mean": _number(tables, measure, row[f"{measure}.mean"]),
        "mean_interval": _between(tables, measure, row[f"{measure}.mean_low"], row[f"{measure}.mean_high"]),
        "optimum": format_percent(float(row["found_optimum"])),
        "reached": format_percent(float(row["trials_to_target.reached"])),
        "trials": _count(row["trials_to_target.median"]),
        "looked_at": _count(row["looked_at"]),
        "p_random": _p(row["p_against_random"]),
        "p_best": _p(row["p_against_best"]),
        "superiority": format_percent(float(row["superiority_over_random"])),
    }


def _target(tables: ComparisonTables) -> str:
    target = float(tables.described["target"])
    if len(tables.objectives) > 1:
        return f"{format_percent(target)} of the hypervolume"
    return "the optimum" if target == 0 else f"a regret of {_number(tables, 'regret', target)}"


def _amount(tables: ComparisonTables, row: Mapping[str, Any], measure: str) -> str:
    return _number(tables, measure, row[f"{measure}.median"])


def _number(tables: ComparisonTables, measure: str, value: float) -> str:
    """A figure of a measure; regret in the unit of its objective."""
    if not math.isfinite(value):
        return "none yet" if measure == "regret" else "–"
    if measure == "hypervolume":
        return format_percent(value)
    return "0" if value == 0 else format_value(tables.objectives[0].metric, float(value))


def _between(tables: ComparisonTables, measure: str, low: float, high: float) -> str:
    if not math.isfinite(low):
        return ""
    return f"{_number(tables, measure, low)} to {_number(tables, measure, high)}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "not by half"


def _p(value: float) -> str:
    if value is None or pd.isna(value):
        return "–"
    return f"< {_LEAST_P:.4f}" if value < _LEAST_P else f"{value:.2g}"
