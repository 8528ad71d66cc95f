from __future__ import annotations

from typing import Any

import pytest

from nas.options import call_with_options
from searchspaces.errors import InputError


class Thing:
    def __init__(
        self,
        space: str,
        *,
        path: str,
        count: int = 3,
        share: float = 0.5,
        deep: bool = False,
        columns: dict[str, str] | None = None,
    ) -> None:
        self.given = (space, path, count, share, deep, columns)


def function(*, count: int = 3) -> int:
    return count


def test_options_reach_the_class_and_the_rest_keeps_its_default() -> None:
    made = call_with_options("thing", Thing, {"path": "p", "share": 1, "columns": {"a": "b"}}, "space")
    assert made.given == ("space", "p", 3, 1, False, {"a": "b"})


def test_options_reach_a_function() -> None:
    assert call_with_options("function", function, {"count": 5}) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"path": "p", "cuont": 2},
            "option of thing: expected one of 5 known .* got 'cuont'; did you mean 'count'",
        ),
        ({"path": "p", "space": "s"}, "got 'space'"),
        ({"path": "p", "self": 1}, "got 'self'"),
        ({"pth": "p"}, "did you mean 'path'"),
        ({}, "thing: expected the option path, got none; add path"),
        ({"count": 3}, r"expected the option path, got \['count'\]"),
        ({"path": 3}, "expected path as str, got 3; write one"),
        ({"path": "p", "count": 2.0}, "expected count as int, got 2.0; the default is 3"),
        ({"path": "p", "count": True}, "expected count as int, got True"),
        ({"path": "p", "count": "2"}, "expected count as int, got '2'"),
        ({"path": "p", "count": None}, "expected count as int, got None"),
        ({"path": "p", "share": "half"}, "expected share as float, got 'half'; the default is 0.5"),
        ({"path": "p", "share": False}, "expected share as float, got False"),
        ({"path": "p", "deep": 1}, "expected deep as bool, got 1"),
    ],
)
def test_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call_with_options("thing", Thing, options, "space")
