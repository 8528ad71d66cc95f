"""Mirroring and cropping: boxes go where their pixels go."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection.augment import Example, crop, mirror, random_crop

SIDE = 64


def example(*boxes: tuple[int, int, int, int], channels: int = 3) -> Example:
    """A dark picture with a bright rectangle at each of the boxes (pixels); class and brightness go together."""
    image = np.zeros((SIDE, SIDE, channels), np.uint8)
    for label, (ymin, xmin, ymax, xmax) in enumerate(boxes):
        image[ymin:ymax, xmin:xmax] = 100 + 50 * label
    count = len(boxes)
    return Example(
        image=image,
        boxes=np.array(boxes, np.float32).reshape(-1, 4) / SIDE,
        classes=np.arange(count),
        ignored=np.zeros(count, bool),
    )


def bright_box(image: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(image[..., 0] > 50)
    return np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]) / SIDE


def test_mirror_twice_is_nothing_and_once_moves_boxes_with_their_pixels() -> None:
    given_ = example((10, 4, 30, 20))
    once = mirror(given_)
    np.testing.assert_allclose(once.boxes[0], bright_box(once.image))
    twice = mirror(once)
    np.testing.assert_array_equal(twice.image, given_.image)
    np.testing.assert_allclose(twice.boxes, given_.boxes, atol=1e-7)


def test_a_crop_enlarges_what_it_holds_and_cuts_what_it_crosses() -> None:
    given_ = example((8, 8, 24, 24), (20, 36, 60, 60))
    cut = crop(given_, np.array([0, 0, 0.5, 0.5], np.float32))
    np.testing.assert_allclose(cut.boxes, [[0.25, 0.25, 0.75, 0.75]], atol=1e-6)
    assert cut.classes.tolist() == [0]
    assert np.abs(bright_box(cut.image) - cut.boxes[0]).max() <= 1.5 / SIDE
    lower = crop(given_, np.array([0.5, 0.5, 1, 0.875], np.float32))
    assert lower.classes.tolist() == [1]
    assert lower.boxes[0, 0] == 0 and lower.boxes[0, 3] == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3]))
def test_random_crops_keep_boxes_on_their_pixels(seed: int, channels: int) -> None:
    given_ = example((16, 20, 40, 52), channels=channels)
    cut = random_crop(given_, np.random.default_rng(seed))
    assert cut.image.shape == given_.image.shape and cut.image.dtype == np.uint8
    assert cut.classes.tolist() == [0]  # a crop that loses the only object is not taken
    ymin, xmin, ymax, xmax = cut.boxes[0]
    assert 0 <= ymin < ymax <= 1 and 0 <= xmin < xmax <= 1
    assert np.abs(bright_box(cut.image) - cut.boxes[0]).max() < 0.08


def test_crops_differ_by_seed_and_leave_some_pictures_whole() -> None:
    given_ = example((16, 20, 40, 52), (2, 2, 10, 10))
    cuts = [random_crop(given_, np.random.default_rng(seed)) for seed in range(60)]
    whole = sum(cut is given_ for cut in cuts)
    assert 2 <= whole <= 40  # one in seven is asked to be, and crops that overlap enough are often not found
    assert len({cut.image.tobytes() for cut in cuts}) > 30
    empty = example()
    assert random_crop(empty, np.random.default_rng(1)) is empty
