"""Errors of predictions, against figures found by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nas.held_out import HeldOut, held_out_errors
from searchspaces.errors import InputError


def test_figures_found_by_hand():
    measured = np.array([10.0, 20.0, 40.0, 80.0])
    errors = held_out_errors(np.array([10.4, 18.2, 88.0, 80.0]), measured)
    # Of six pairs one is in the wrong order; ranks 1 2 4 3 against 1 2 3 4.
    assert errors.kendall == pytest.approx(4 / 6)
    assert errors.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert errors.mape == pytest.approx((0.04 + 0.09 + 1.2 + 0) / 4)
    assert (errors.rows, errors.within_5pct, errors.within_10pct) == (4, 0.5, 0.75)
    assert str(errors) == (
        "Spearman 0.800, Kendall 0.667, MAPE 33.25%, within 5 %: 50.0%, within 10 %: 75.0% (4 rows held out)"
    )
    assert HeldOut(**errors.to_dict()) == errors


def test_what_has_no_answer_is_none():
    flat = held_out_errors(np.array([1.0, 2.0]), np.array([3.0, 3.0]))
    assert flat.spearman is flat.kendall is None
    zero = held_out_errors(np.array([1.0, 2.0]), np.array([0.0, 3.0]))
    assert zero.mape is zero.within_5pct is zero.within_10pct is None
    assert "Spearman 1.000" in str(zero)
    assert "no relative error" in str(zero)
    assert "Spearman undefined" in str(flat)


@pytest.mark.parametrize(
    ("predicted", "measured", "words"),
    [
        ([1.0], [1.0], "expected 2 or more of both kinds, got 1 and 1"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "got 2 and 3"),
        ([1.0, np.nan], [1.0, 2.0], "expected finite numbers"),
    ],
)
def test_rows_that_are_refused(predicted, measured, words):
    with pytest.raises(InputError, match=words):
        held_out_errors(np.array(predicted), np.array(measured))
