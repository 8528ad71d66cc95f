"""SSD's anchors: the published count and sizes, their order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from models.detection.anchors import AnchorConfig, ssd_anchors
from searchspaces.errors import InputError

MAPS_320 = [(side, side) for side in (20, 10, 5, 3, 2, 1)]


def test_published_count_at_320() -> None:
    anchors = ssd_anchors(MAPS_320, (320, 320))
    assert anchors.shape == (2034, 4)
    assert anchors.dtype == np.float32
    assert (anchors[:, :2] > 0).all() and (anchors[:, :2] < 1).all()


def test_scales_rise_from_a_fifth_to_nearly_all() -> None:
    shapes = AnchorConfig().shapes(6)
    assert [len(each) for each in shapes] == [3, 6, 6, 6, 6, 6]
    assert shapes[0] == [(0.1, 1.0), (pytest.approx(0.2), 2.0), (pytest.approx(0.2), 0.5)]
    assert [each[0][0] for each in shapes[1:]] == pytest.approx([0.35, 0.5, 0.65, 0.8, 0.95])
    assert [each[5][0] for each in shapes[1:]] == pytest.approx(
        [(0.35 * 0.5) ** 0.5, (0.5 * 0.65) ** 0.5, (0.65 * 0.8) ** 0.5, (0.8 * 0.95) ** 0.5, 0.95**0.5]
    )
    assert [ratio for _, ratio in shapes[1]] == pytest.approx([1, 2, 1 / 2, 3, 1 / 3, 1])


def test_rows_go_by_map_then_row_then_place_then_shape() -> None:
    anchors = ssd_anchors([(2, 3), (1, 1)], (64, 96))
    assert len(anchors) == 2 * 3 * 3 + 6
    first_map = anchors[:18].reshape(2, 3, 3, 4)
    np.testing.assert_allclose(first_map[:, 0, 0, 0], [0.25, 0.75])
    np.testing.assert_allclose(first_map[0, :, 0, 1], [1 / 6, 3 / 6, 5 / 6], rtol=1e-6)
    assert np.ptp(first_map[..., 2:], axis=(0, 1)).max() == 0
    np.testing.assert_allclose(anchors[18:, :2], 0.5)


def test_a_square_is_square_in_pixels_and_a_ratio_is_width_to_height() -> None:
    height, width = 64, 96
    anchors = ssd_anchors([(1, 1), (1, 1)], (height, width))
    pixels = anchors[:, 2:] * (height, width)
    np.testing.assert_allclose(pixels[:, 1] / pixels[:, 0], [1, 2, 0.5, 1, 2, 0.5, 3, 1 / 3, 1], rtol=1e-5)
    np.testing.assert_allclose(pixels[0], 0.1 * height, rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(pixels.prod(axis=1))[3], 0.95 * height, rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"min_scale": 0.0}, {"max_scale": 1.1}, {"min_scale": 0.96}, {"first_scale": 0.0}, {"aspect_ratios": ()}],
)
def test_config_refuses(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        AnchorConfig(**options)


@pytest.mark.parametrize("maps", [[], [(0, 2)]])
def test_no_map_is_refused(maps: list[tuple[int, int]]) -> None:
    with pytest.raises(InputError, match="sides of 1 or more"):
        ssd_anchors(maps, (32, 32))
