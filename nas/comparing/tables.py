"""A comparison as tables: what its report reads, and what its CSV files hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas.comparing.statistics import median_interval
from nas.comparing.summary import Column
from nas.tables import ComparisonTables

if TYPE_CHECKING:
    import pandas as pd


def comparison_tables(
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, Any]],
    *,
    described: Mapping[str, Any],
    reference: Mapping[str, Any],
    at: Sequence[int],
    config: Mapping[str, Any],
) -> ComparisonTables:
    """Tables of columns and of what `summarise` said about them."""
    import pandas as pd

    return ComparisonTables(
        described=described,
        reference=reference,
        objectives=columns[0].truth.objectives,
        columns=pd.DataFrame([dict(_flat(row)) for row in rows]),
        curves=pd.concat([curve for column in columns for curve in _curves(column)], ignore_index=True),
        seeds=pd.DataFrame([row for column in columns for row in _seeds(column, described["target"])]),
        at=tuple(at),
        config=config,
    )


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested figures under dotted names; options as one text."""
    for name, value in record.items():
        if name == "options":
            yield name, ", ".join(f"{key}={item}" for key, item in value.items())
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _curves(column: Column) -> Iterator[pd.DataFrame]:
    measures = {"best": column.best, "regret": column.loss}
    if len(column.volume):
        measures["hypervolume"] = column.volume
    for measure, values in measures.items():
        yield _curve(column.label, measure, values)


def _curve(label: str, measure: str, values: NDArray[np.float64]) -> pd.DataFrame:
    """The rows at which a curve changes, the first and the last."""
    import pandas as pd

    median, low, high = median_interval(values)
    known = np.isfinite(values).all(axis=0)
    mean = np.where(known, np.where(np.isfinite(values), values, 0.0).mean(axis=0), np.nan)
    table = np.nan_to_num(np.stack([median, low, high, mean]), nan=-1.0, posinf=-2.0, neginf=-3.0)
    kept = np.ones(table.shape[1], dtype=np.bool_)
    kept[1:-1] = (table[:, 1:-1] != table[:, :-2]).any(axis=0)
    return pd.DataFrame(
        {
            "label": label,
            "measure": measure,
            "trials": np.flatnonzero(kept) + 1,
            "median": median[kept],
            "low": low[kept],
            "high": high[kept],
            "mean": mean[kept],
        }
    )


def _seeds(column: Column, target: float) -> Iterator[dict[str, Any]]:
    reached = column.trials_to(target)
    for index, record in enumerate(column.records):
        row = {
            "label": column.label,
            "seed": record.seed,
            "best": column.best[index, -1],
            "regret": column.loss[index, -1],
            "trials_to_target": reached[index],
            "evaluations": len(record),
            "looked_at": int(record.looked_at[-1]) if len(record) else 0,
        }
        yield row | ({"hypervolume": column.volume[index, -1]} if len(column.volume) else {})
