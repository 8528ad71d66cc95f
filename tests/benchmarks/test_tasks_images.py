"""Pictures: decoding, orientation, transparency, depth, size; and what digits and CIFAR-10 make of theirs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import tasks
from benchmarks.tasks.images import encode_image, image_preprocessing, resize_images
from benchmarks.tasks.record import ArrayTask
from benchmarks.tasks.scikit_learn import _digits_table
from nas.task import Augmentation

HOST = image_preprocessing((2, 4, 3)).host
GREY = image_preprocessing((2, 4, 1)).host


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_pixels_of_the_right_size_come_out_as_they_are() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    for kind in ("PNG", "BMP"):
        assert np.array_equal(encode_image(HOST, saved(Image.fromarray(pixels), kind)), pixels)
    assert np.array_equal(encode_image(HOST, saved(Image.fromarray(pixels), "WEBP", lossless=True)), pixels)


def test_grey_is_repeated_and_colour_is_made_grey() -> None:
    grey = np.arange(8, dtype=np.uint8).reshape(2, 4)
    assert np.array_equal(encode_image(HOST, saved(Image.fromarray(grey))), np.repeat(grey[..., None], 3, axis=2))
    colour = np.repeat(grey[..., None], 3, axis=2)
    assert np.array_equal(encode_image(GREY, saved(Image.fromarray(colour))), grey[..., None])


def test_transparent_pixels_are_white() -> None:
    pixels = np.zeros((2, 4, 4), np.uint8)
    pixels[0, :, 3] = 255
    encoded = encode_image(HOST, saved(Image.fromarray(pixels)))
    assert (encoded[0] == 0).all() and (encoded[1] == 255).all()


def test_sixteen_bit_grey_keeps_its_range() -> None:
    deep = np.array([[0, 257, 32896, 65535]] * 2, np.uint16)
    assert encode_image(GREY, saved(Image.fromarray(deep)))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_exif_orientation_is_followed() -> None:
    upright = np.zeros((2, 4, 3), np.uint8)
    upright[0] = 255
    lying = Image.fromarray(np.rot90(upright).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn a quarter clockwise to see it upright.
    assert np.array_equal(encode_image(HOST, saved(lying, exif=exif)), upright)


def test_larger_pictures_are_averaged_and_stretched() -> None:
    pixels = np.zeros((200, 8, 3), np.uint8)
    pixels[:100] = 255
    encoded = encode_image(HOST, saved(Image.fromarray(pixels)))
    assert encoded.shape == (2, 4, 3) and (encoded[0] > 200).all() and (encoded[1] < 55).all()


def test_arrays_are_resized_as_pictures_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 5, 1), np.uint8)
    one_by_one = [encode_image(HOST, saved(Image.fromarray(one[..., 0]))) for one in pixels]
    assert np.array_equal(resize_images(HOST, pixels), np.stack(one_by_one))


def test_the_graph_takes_the_pixels_to_one_range() -> None:
    preprocessing = image_preprocessing((8, 8, 1))
    assert preprocessing.scale is not None and preprocessing.offset is not None
    ends = [value * preprocessing.scale[0] + preprocessing.offset[0] for value in (0, 255)]
    assert ends == pytest.approx([-1, 1])


def test_digits_are_the_set_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    expected = load_digits()
    assert np.array_equal(_digits_table(), np.column_stack([expected.data, expected.target]))
    task = tasks.create("digits")
    assert isinstance(task, ArrayTask)
    rows = task.rows["train"]
    assert np.array_equal(task.split("train").x[..., 0], np.rint(expected.images[rows] * 255 / 16).astype(np.uint8))
    assert np.array_equal(task.split("train").y, expected.target[rows])


def test_digits_do_without_the_file_inside_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    direct = _digits_table()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert np.array_equal(_digits_table(), direct)


@pytest.mark.parametrize(("shape", "shift"), [((8, 8, 1), 0), ((32, 32, 3), 2), ((16, 24, 1), 1)])
def test_digits_of_any_size(shape: tuple[int, int, int], shift: int) -> None:
    task = tasks.create("digits", input_shape=shape)
    assert task.input_shape == shape and task.split("test").x.shape == (359, *shape)
    assert task.augmentation == Augmentation(shift=shift, flip=False)
    assert task.split("train").x.max() > 240


def test_binary_cifar10_keeps_planes_and_official_test(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (60, 32, 32, 3), np.uint8)
    y = np.arange(60) % 10
    x[3] = x[53]  # A training image that the official test set has too.
    for number, name in enumerate([*(f"data_batch_{batch}" for batch in range(1, 6)), "test_batch"]):
        chosen = slice(10 * number, 10 * number + 10)
        records = np.concatenate([y[chosen, None], x[chosen].transpose(0, 3, 1, 2).reshape(10, -1)], axis=1)
        (tmp_path / f"{name}.bin").write_bytes(records.astype(np.uint8).tobytes())
    task = tasks.create("cifar10", path=tmp_path)
    assert isinstance(task, ArrayTask)
    assert np.array_equal(task.split("test").x, x[50:]) and np.array_equal(task.split("test").y, y[50:])
    assert task.provenance["copies_dropped"] == 1 and task.provenance["rows"]["test"] == 10
    assert np.array_equal(task.split("train").x, x[task.rows["train"]])
    assert 3 not in np.concatenate([task.rows["train"], task.rows["validation"]])
    assert task.augmentation == Augmentation(shift=4, flip=True)


def test_a_cifar10_subset_is_stratified_and_keeps_its_test_images(shared_data: Path) -> None:
    options = {"path": shared_data / "cifar10_jpeg", "rows": 200, "test_rows": 50, "input_shape": [16, 16, 3]}
    one, two = (tasks.create("cifar10", seed=seed, **options) for seed in (0, 1))
    assert one.split("train").x.shape == (160, 16, 16, 3)
    assert np.bincount(one.split("test").y).tolist() == [5] * 10
    assert np.bincount(one.split("train").y).tolist() == [16] * 10
    assert np.array_equal(one.split("test").x, two.split("test").x)


def folder_of(root: Path, names: list[str], *, shade: int = 0) -> None:
    for index, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), shade + index, np.uint8)).save(path)


def test_image_folder_parts_are_respected(tmp_path: Path) -> None:
    names = [f"{label}/{number}.png" for label in ("9", "10") for number in range(4)]
    folder_of(tmp_path / "train", names)
    folder_of(tmp_path / "val", names, shade=50)
    folder_of(tmp_path / "test", names, shade=100)
    task = tasks.create("image-folder", path=tmp_path, input_shape=[4, 4, 3])
    assert task.class_names == ("9", "10")
    assert task.provenance["rows"] == {"train": 8, "validation": 8, "test": 8}
    assert task.provenance["drawn_by_seed"] == []
    # In reading order: folder 10 comes before 9, and the label follows the class, not the order.
    assert task.split("validation").x[:, 0, 0, 0].tolist() == [54, 55, 56, 57, 50, 51, 52, 53]
    assert task.split("validation").y.tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_image_folder_skips_what_is_no_picture(tmp_path: Path) -> None:
    folder_of(tmp_path, [f"{label}/in/{number}.PNG" for label in "ab" for number in range(6)])
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "a" / ".hidden.png").write_bytes(b"no picture")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "README.md").write_text("about")
    task = tasks.create("image-folder", path=tmp_path, input_shape=[4, 4, 1])
    assert sum(task.provenance["rows"].values()) == 12 and task.class_names == ("a", "b")
