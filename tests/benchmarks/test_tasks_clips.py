"""Clips from folders and lists, and the synthetic digits whose motion is the label."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks import tasks
from benchmarks.tasks.clip_list import read_rows
from benchmarks.tasks.moving_digits import DEFAULT_SHAPE, MOTIONS, trajectories
from benchmarks.tasks.record import ArrayTask
from nas.task import PARTS, Augmentation
from nas.video.clips import encode_clip
from searchspaces.errors import InputError

Write = Callable[..., Path]
NOISE = np.random.default_rng(0).integers(0, 256, (40, 12, 6, 8, 3), np.uint8)


def clips(root: Path, write_frames: Write, *, count: int = 5, frames: int = 12) -> Path:
    """Two classes, `count` clips each."""
    for number in range(2 * count):
        write_frames(root / "ab"[number % 2] / f"clip{number}", NOISE[number, :frames])
    return root


# -- folders -----------------------------------------------------------------------------------------------------------


def test_files_and_folders_of_frames_are_clips_alike(tmp_path: Path, write_video: Write, write_frames: Write) -> None:
    for number in range(10):
        place = tmp_path / "ab"[number % 2]
        if number < 5:
            write_frames(place / "deep" / f"clip{number}", NOISE[number])
        else:
            write_video(place / f"clip{number}.mkv", NOISE[number])
    task = tasks.create("clip-folder", path=tmp_path, input_shape=[3, 6, 8, 3], stride=2)
    assert isinstance(task, ArrayTask)
    assert task.input_shape == (3, 6, 8, 3) and task.class_names == ("a", "b")
    order = [6, 8, 0, 2, 4, 5, 7, 9, 1, 3]  # As they are read: class by class, files before the folder `deep`.
    for part in PARTS:
        expected = NOISE[[order[row] for row in task.rows[part]]][:, [3, 5, 7]]
        assert np.array_equal(task.split(part).x, expected)
        assert task.split(part).y.tolist() == [order[row] % 2 for row in task.rows[part]]


def test_windows_are_for_training_alone(tmp_path: Path, write_frames: Write) -> None:
    task = tasks.create(
        "clip-folder", path=clips(tmp_path, write_frames), input_shape=[4, 6, 8, 3], stride=2, windows=3
    )
    assert isinstance(task, ArrayTask)
    order = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    held_out = [order[row] for part in ("validation", "test") for row in task.rows[part]]
    kept = np.concatenate([task.split(part).x for part in ("validation", "test")])
    assert np.array_equal(kept, NOISE[held_out][:, [2, 4, 6, 8]])
    train = task.split("train")
    assert len(train) == 3 * (10 - len(held_out)) == len(task.rows["train"])
    assert np.array_equal(train.x[:3], NOISE[order[task.rows["train"][0]]][[[0, 2, 4, 6], [2, 4, 6, 8], [5, 7, 9, 11]]])


def test_equal_clips_are_in_one_part(tmp_path: Path, write_frames: Write) -> None:
    for number in range(40):
        write_frames(tmp_path / "ab"[number % 2] / f"clip{number}", NOISE[number // 4])
    task = tasks.create("clip-folder", path=tmp_path, frames=4)
    assert isinstance(task, ArrayTask)
    order = [*range(0, 40, 2), *range(1, 40, 2)]
    homes = [{order[row] // 4 for row in task.rows[part]} for part in PARTS]
    assert sum(map(len, homes)) == 10


def test_short_clips_are_refused_or_filled(tmp_path: Path, write_frames: Write) -> None:
    root = clips(tmp_path, write_frames, frames=3)
    with pytest.raises(InputError, match=r"frames '.*clip0': expected at least 16 frames, got 3; .* short=loop"):
        tasks.create("clip-folder", path=root)
    for short, numbers in (("loop", [0, 1, 2, 0, 1]), ("hold", [0, 1, 2, 2, 2])):
        task = tasks.create("clip-folder", path=root, input_shape=[6, 8, 3], frames=5, short=short)
        first = task.split("train").x[0]
        assert any(np.array_equal(first, clip[numbers]) for clip in NOISE)


def test_augmentation_of_clips_keeps_their_direction(tmp_path: Path, write_frames: Write) -> None:
    root = clips(tmp_path, write_frames)
    assert tasks.create("clip-folder", path=root, frames=8).augmentation == Augmentation(shift=4, flip=False)
    chosen = tasks.create("clip-folder", path=root, frames=8, shift=0, flip=True)
    assert chosen.augmentation == Augmentation(shift=0, flip=True)


BAD: dict[str, tuple[dict[str, object], str]] = {
    "no shape": ({"input_shape": [8, 8]}, r"input_shape: expected frames, height, width .* got \[8, 8\]; try \[16, 64"),
    "five sides": ({"input_shape": [1, 8, 8, 8, 3]}, r"input_shape: expected frames, height"),
    "no frames": ({"input_shape": [0, 8, 8, 3]}, r"input_shape: expected frames, .* all positive, got \[0, 8, 8, 3\]"),
    "two channels": ({"input_shape": [4, 8, 8, 2]}, r"input_shape: expected height, width and 1 or 3 channels"),
    "frames in words": ({"frames": "4"}, r"frames: expected a whole number from 1, got '4'"),
    "two wishes": ({"frames": 4, "input_shape": [5, 8, 8, 3]}, r"frames, input_shape: expected the same .* 4 and 5"),
    "stride and fps": ({"frames": 4, "stride": 1, "fps": 5}, r"stride, fps: expected one of them"),
    "fps of pictures": ({"frames": 4, "fps": 5}, r"frames '.*clip0': expected a clip that says its frames a second"),
    "windows of a whole clip": (
        {"frames": 4, "windows": 2},
        r"windows: expected 1 where the frames are spread .* got 2",
    ),
    "no windows": ({"frames": 4, "stride": 1, "windows": 0}, r"windows: expected a whole number from 1, got 0"),
    "stride too long": ({"frames": 4, "stride": 4}, r"clip0': expected at least 13 frames \(4 of them, .* got 12"),
    "negative shift": ({"frames": 4, "shift": -1}, r"shift: expected a whole number from 0, got -1"),
    "flip in words": ({"frames": 4, "flip": "yes"}, r"flip: expected true or false, got 'yes'"),
    "unknown filling": ({"frames": 4, "short": "pad"}, r"short: expected one of 3 known names, got 'pad'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_options_are_refused(case: str, tmp_path: Path, write_frames: Write) -> None:
    options, message = BAD[case]
    with pytest.raises(InputError, match=message):
        tasks.create("clip-folder", path=clips(tmp_path, write_frames), **options)


def test_bad_folders_are_refused(tmp_path: Path, write_frames: Write) -> None:
    def refuse(message: str) -> None:
        with pytest.raises(InputError, match=message) as caught:
            tasks.create("clip-folder", path=tmp_path, frames=4)
        assert "\n" not in str(caught.value)

    refuse(r"path: expected a folder for each of at least 2 classes in '.*', got none; sort the clips")
    write_frames(tmp_path / "a" / "clip", NOISE[0])
    refuse(r"got a; sort the clips into one folder per class")
    (tmp_path / "b").mkdir()
    refuse(r"path: expected clips .* in the class folder '.*b', got none; remove the folder or fill it")
    write_frames(tmp_path / "b", NOISE[1])
    refuse(r"expected the frames of each clip in a folder of their own, got pictures in the class folder '.*b' itself")
    for picture in (tmp_path / "b").glob("*.png"):
        picture.unlink()
    (tmp_path / "b" / "clip.wmv").write_bytes(b"any")
    refuse(r"video '.*clip.wmv': expected mp4, mov, avi, mkv, webm or gif, got .wmv; convert it")
    (tmp_path / "b" / "clip.wmv").unlink()
    write_frames(tmp_path / "b" / "clip", NOISE[1])
    refuse(r"rows: expected enough for a training, a validation and a test split, got 2 rows")
    Image.new("RGB", (9, 6)).save(tmp_path / "b" / "clip" / "5.png")
    refuse(r"frame '.*b/clip/5.png': expected 8 x 6 pixels, as the frames before it, got 9 x 6")
    (tmp_path / "b" / "clip" / "5.png").write_bytes(b"no picture")
    refuse(r"frame '.*b/clip/5.png': expected a whole png")


def test_a_corrupt_video_is_named(tmp_path: Path, write_video: Write, write_frames: Write) -> None:
    root = clips(tmp_path, write_frames)
    path = write_video(root / "a" / "torn.mp4", NOISE[0])
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(InputError, match=r"video '.*torn.mp4': expected a "):
        tasks.create("clip-folder", path=root, frames=4)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"video '.*torn.mp4': expected an mp4, .* begins b''"):
        tasks.create("clip-folder", path=root, frames=4)


def test_options_of_the_command_line_are_typed() -> None:
    texts = {"path": "8", "frames": "8", "stride": "2", "fps": "12.5", "flip": "true", "short": "loop", "nonsense": "1"}
    assert tasks.typed_options("clip-folder", texts) == {
        "path": "8",
        "frames": 8,
        "stride": 2,
        "fps": 12.5,
        "flip": True,
        "short": "loop",
        "nonsense": "1",
    }
    assert tasks.typed_options("clip-folder", {"fps": "fast", "frames": "1.5"}) == {"fps": "fast", "frames": "1.5"}


# -- lists -------------------------------------------------------------------------------------------------------------


def write_list(root: Path, *lines: str) -> Path:
    (root / "list.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root / "list.txt"


def test_a_list_says_which_frames_count(tmp_path: Path, write_frames: Write) -> None:
    for number in range(10):
        write_frames(tmp_path / f"clip {number}", NOISE[number])
    lines = [f"clip {number} {'run' if number % 2 else 'sit'}" for number in range(10)]
    task = tasks.create("clip-list", path=write_list(tmp_path, *lines), input_shape=[6, 6, 8, 3])
    assert isinstance(task, ArrayTask)
    assert task.class_names == ("run", "sit")
    assert np.array_equal(task.split("test").x, NOISE[task.rows["test"]][:, 1::2])
    lines = [f"clip{number} 3\t6 {number % 2}" for number in range(10)]
    for number in range(10):
        (tmp_path / f"clip {number}").rename(tmp_path / f"clip{number}")
    task = tasks.create("clip-list", path=write_list(tmp_path, *lines), input_shape=[4, 6, 8, 3])
    assert isinstance(task, ArrayTask)
    assert task.class_names == ("0", "1")
    assert np.array_equal(task.split("train").x, NOISE[task.rows["train"]][:, 2:6])


def test_clips_of_one_recording_are_in_one_part(tmp_path: Path, write_frames: Write) -> None:
    for number in range(12):
        write_frames(tmp_path / f"clip{number}", NOISE[number])
    lines = [f"clip{number} {start} {start + 3} {number % 2}" for number in range(12) for start in (1, 4, 7)]
    task = tasks.create("clip-list", path=write_list(tmp_path, *lines), input_shape=[4, 6, 8, 3])
    assert isinstance(task, ArrayTask)
    homes = [{row // 3 for row in task.rows[part].tolist()} for part in PARTS]
    assert sum(map(len, homes)) == 12 and all(homes)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"path: expected lines 'PATH START END LABEL' in '.*list.txt', got none"),
        (["# all commented out"], r"path: expected lines"),
        (["clip0"], r"line 1: expected 'PATH LABEL' or 'PATH START END LABEL' .* got 'clip0'"),
        (["clip0 a", "clip7 b"], r"line 2: expected a video file or a folder of frames, got nothing at '.*clip7'"),
        (["clip0 1 12 a", "", "clip1 0 4 b"], r"line 3: expected START and END from 1 to 12, .* got 0 and 4"),
        (["clip0 1 12 a", "clip1 9 13 b"], r"line 2: expected START and END from 1 to 12, .* got 9 and 13"),
        (["clip0 1 12 a", "clip1 9 8 b"], r"line 2: expected START and END from 1 to 12, .* got 9 and 8"),
        (["clip0 2 4 a", "clip1 1 9 b"], r"clip0', frames 2 to 4: expected at least 4 frames, got 3"),
        (["clip0 a", "clip1 a"], r"label: expected 2 to 10000 classes, got 1 \(a\)"),
        (["clip0 a", "clip1 b"], r"rows: expected enough for a training, a validation and a test split, got 2 rows"),
    ],
)
def test_bad_lists_are_refused(lines: list[str], message: str, tmp_path: Path, write_frames: Write) -> None:
    for number in range(2):
        write_frames(tmp_path / f"clip{number}", NOISE[number])
    with pytest.raises(InputError, match=message):
        tasks.create("clip-list", path=write_list(tmp_path, *lines), frames=4)


def test_a_real_list_is_read(shared_data: Path, tmp_path: Path) -> None:
    """Four clips of 15 to 18 real frames: enough for the reader, too few for a split."""
    with tarfile.open(shared_data / "video_frames_smoke" / "demo_dataset.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    path = next(tmp_path.rglob("annotations.txt"))
    rows = read_rows(path, path.parent)
    assert [(row.path.parent.name, row.start, row.end, row.label) for row in rows] == [
        ("jumping", 1, 17, "0"),
        ("jumping", 1, 18, "0"),
        ("running", 1, 15, "1"),
        ("running", 1, 15, "1"),
    ]
    host = {"height": 24, "width": 32, "colour": "RGB", "frames": 15, "stride": 1, "fps": None, "short": "refuse"}
    read = [encode_clip(host, row.path) for row in rows]
    assert all(clip.shape == (15, 24, 32, 3) and clip.std() > 10 for clip in read)
    with pytest.raises(InputError, match=r"rows: expected enough for .* got 4 rows \(4 distinct\)"):
        tasks.create("clip-list", path=path, input_shape=[15, 24, 32, 3], stride=1)


# -- moving digits -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moving() -> ArrayTask:
    task = tasks.create("moving-digits", examples=2100)
    assert isinstance(task, ArrayTask)
    return task


def test_moving_digits_say_that_they_are_synthetic(moving: ArrayTask) -> None:
    assert "synthetic" in moving.name and moving.provenance["source"].startswith("synthetic: digits of scikit-learn")
    assert moving.input_shape == DEFAULT_SHAPE and moving.class_names == MOTIONS
    assert moving.augmentation == Augmentation()
    assert moving.provenance["rows"] == {"train": 1344, "validation": 336, "test": 420}


def test_every_part_holds_each_of_its_digits_once_in_every_motion(moving: ArrayTask) -> None:
    seen: set[int] = set()
    for part in PARTS:
        digits, counts = np.unique(moving.rows[part] // len(MOTIONS), return_counts=True)
        assert (counts == len(MOTIONS)).all(), "whole digits"
        assert np.bincount(moving.split(part).y).tolist() == [len(digits)] * len(MOTIONS)
        assert not seen & set(digits.tolist())
        seen |= set(digits.tolist())


def test_a_frame_holds_the_same_pixels_whatever_the_motion(moving: ArrayTask) -> None:
    """Exactly: the pixels of any frame of a digit, sorted, are those of any other, so no statistic of them differs."""
    for part in PARTS:
        split = moving.split(part)
        frames = np.sort(split.x.reshape(len(split), 8, -1), axis=2)
        of_digit = moving.rows[part] // len(MOTIONS)
        for digit in np.unique(of_digit):
            own = frames[of_digit == digit].reshape(-1, frames.shape[2])
            assert (own == own[0]).all() and own.any()


def test_single_frames_tell_nothing_of_the_motion(moving: ArrayTask) -> None:
    """A classifier that learns the motion from whole clips is at chance on single frames."""
    from sklearn.neighbors import KNeighborsClassifier

    train, held_out = moving.split("train"), moving.split("test")
    for frame in (0, 4, 7):
        model = KNeighborsClassifier(1).fit(train.x[:, frame].reshape(len(train), -1), train.y)
        found = (model.predict(held_out.x[:, frame].reshape(len(held_out), -1)) == held_out.y).mean()
        # Within 4 standard deviations of one in seven.
        assert abs(found - 1 / 7) < 4 * np.sqrt(6 / 49 / len(held_out))
    moved = (held_out.x[:, 1:] != held_out.x[:, :-1]).any(axis=(1, 2, 3, 4))
    assert np.array_equal(moved, held_out.y != MOTIONS.index("still"))


def test_whole_clips_tell_the_motion(moving: ArrayTask) -> None:
    """From pixels alone: the shift between frames is where their circular correlation peaks, and shifts tell it all."""
    split = moving.split("validation")
    spectra = np.fft.fft2(split.x[..., 0].astype(np.float64))
    match = np.fft.ifft2(spectra[:, 1:] * spectra[:, :-1].conj()).real.reshape(len(split), 7, -1)
    down, right = (shift + 16 for shift in np.unravel_index(match.argmax(axis=2), (32, 32)))
    down, right = down % 32 - 16, right % 32 - 16
    turn = (right[:, :-1] * down[:, 1:] - down[:, :-1] * right[:, 1:]).sum(axis=1)
    named = {
        "still": ~(down.any(axis=1) | right.any(axis=1)),
        "left": (right < 0).all(axis=1) & ~down.any(axis=1),
        "right": (right > 0).all(axis=1) & ~down.any(axis=1),
        "up": (down < 0).all(axis=1) & ~right.any(axis=1),
        "down": (down > 0).all(axis=1) & ~right.any(axis=1),
        "clockwise": turn > 0,
        "counterclockwise": turn < 0,
    }
    for label, motion in enumerate(MOTIONS):
        assert np.array_equal(named[motion], split.y == label), motion


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 20), st.integers(16, 70), st.integers(16, 70), st.integers(0, 1000))
def test_trajectories_are_the_motions_they_are_called(frames: int, height: int, width: int, seed: int) -> None:
    motions = np.arange(70) % len(MOTIONS)
    rows, columns = trajectories(motions, (frames, height, width, 1), np.random.default_rng(seed))
    assert rows.shape == columns.shape == (70, frames)
    assert rows.min() >= 0 and rows.max() < height and columns.min() >= 0 and columns.max() < width
    # The short way round the torus.
    down = (np.diff(rows, axis=1) + height // 2) % height - height // 2
    right = (np.diff(columns, axis=1) + width // 2) % width - width // 2
    by_name = {name: motions == label for label, name in enumerate(MOTIONS)}
    assert not down[by_name["still"]].any() and not right[by_name["still"]].any()
    for name, along, across, sign in (
        ("left", right, down, -1),
        ("right", right, down, 1),
        ("up", down, right, -1),
        ("down", down, right, 1),
    ):
        assert (sign * along[by_name[name]] >= 1).all() and not across[by_name[name]].any()
    # The cross product of successive steps: rows run downwards, so it is positive where they turn clockwise.
    cross = (right[:, :-1] * down[:, 1:] - down[:, :-1] * right[:, 1:]).sum(axis=1)
    assert (cross[by_name["clockwise"]] > 0).all() and (cross[by_name["counterclockwise"]] < 0).all()


def test_starts_are_anywhere_with_even_odds() -> None:
    shape = (8, 16, 20, 1)
    for label in range(len(MOTIONS)):
        rows, columns = trajectories(np.full(32_000, label), shape, np.random.default_rng(label))
        for frame in (0, 5):
            counts = np.bincount(rows[:, frame] * 20 + columns[:, frame], minlength=320)
            # Chi-square of 320 places: mean 319, standard deviation 25.3; within 5 of them.
            assert abs(((counts - 100) ** 2 / 100).sum() - 319) < 5 * 25.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 2}, r"input_shape: expected at least 3 frames of 16 x 16 pixels, got 2 of 32 x 32"),
        ({"input_shape": [8, 15, 32, 1]}, r"input_shape: expected at least 3 frames .* got 8 of 15 x 32"),
        ({"examples": 6}, r"examples: expected a whole number from 7, got 6"),
        ({"examples": 7}, r"rows: expected enough for .* got 7 rows"),
        ({"motions": 3}, r"option of task 'moving-digits': expected one of 2 known names, got 'motions'"),
    ],
)
def test_bad_options_of_moving_digits(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tasks.create("moving-digits", **options)


def test_more_examples_than_digits_use_them_again() -> None:
    task = tasks.create("moving-digits", input_shape=[3, 16, 16, 1], examples=7 * 1797 + 70)
    assert isinstance(task, ArrayTask)
    homes = [set((task.rows[part] // 7 % 1797).tolist()) for part in PARTS]
    assert sum(map(len, homes)) == 1797
    assert sum(task.provenance["rows"].values()) == 7 * 1797 + 70
