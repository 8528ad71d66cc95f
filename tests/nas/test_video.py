"""Frames of videos and folders, which of them a network sees, and what it is fed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nas.video.clips import encode_clip, encode_windows
from nas.video.frames import FrameFolder, VideoFile, open_source
from nas.video.sampling import SHORT, Sampling
from searchspaces.errors import InputError, MissingError

Write = Callable[..., Path]
# Twelve flat frames, each 20 levels brighter: what came out can be read off the mean.
SHADES = np.arange(12) * 20
FRAMES = np.broadcast_to(SHADES[:, None, None, None], (12, 16, 24, 3)).astype(np.uint8)
LOSSLESS = (".avi", ".mkv")


def host(sampling: Sampling, size: tuple[int, int] = (16, 24), colour: str = "RGB") -> dict[str, object]:
    return {"height": size[0], "width": size[1], "colour": colour, **sampling.to_dict()}


# -- which frames ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "count", "rate", "numbers"),
    [
        ({"frames": 4}, 12, None, [1, 4, 7, 10]),
        ({"frames": 4}, 4, None, [0, 1, 2, 3]),
        ({"frames": 3}, 10, None, [1, 5, 8]),
        ({"frames": 1}, 9, None, [4]),
        ({"frames": 4, "stride": 1}, 12, None, [4, 5, 6, 7]),
        ({"frames": 4, "stride": 2}, 12, None, [2, 4, 6, 8]),
        ({"frames": 4, "stride": 2}, 7, None, [0, 2, 4, 6]),
        ({"frames": 3, "fps": 5}, 20, 25.0, [4, 9, 14]),
        ({"frames": 4, "fps": 10}, 20, 25.0, [6, 8, 11, 13]),
        ({"frames": 3, "fps": 25}, 5, 25.0, [1, 2, 3]),
        ({"frames": 5, "short": "loop"}, 3, None, [0, 1, 2, 0, 1]),
        ({"frames": 5, "short": "hold"}, 3, None, [0, 1, 2, 2, 2]),
        ({"frames": 3, "stride": 2, "short": "loop"}, 3, None, [0, 2, 1]),
        ({"frames": 3, "stride": 2, "short": "hold"}, 3, None, [0, 2, 2]),
    ],
)
def test_frames_seen(options: dict[str, object], count: int, rate: float | None, numbers: list[int]) -> None:
    assert Sampling(**options).numbers(count, rate, what="it").tolist() == numbers


@given(
    st.integers(1, 20),
    st.one_of(st.none(), st.integers(1, 9), st.floats(0.5, 60)),
    st.integers(1, 200),
    st.integers(1, 7),
    st.sampled_from(SHORT),
)
def test_windows_lie_in_the_clip_and_hold_the_centred_one(
    frames: int, spacing: int | float | None, count: int, many: int, short: str
) -> None:
    named = {"stride": spacing} if isinstance(spacing, int) else {"fps": spacing}
    sampling = Sampling(frames=frames, short=short, **named)
    try:
        windows = sampling.windows(count, 60.0, many, what="it")
    except InputError as error:
        assert short == "refuse" and f"got {count}" in str(error)
        return
    assert windows.shape == (many, frames)
    assert windows.min() >= 0 and windows.max() < count
    steps = np.diff(windows, axis=1)
    if short == "refuse":
        assert not steps.size or ((steps > 0).all() and steps.max() - steps.min() <= 1), "evenly spaced"
    if many % 2:
        assert windows[many // 2].tolist() == sampling.numbers(count, 60.0, what="it").tolist()
    if many > 1 and short == "refuse" and spacing is not None:
        assert windows[0, 0] == 0 and windows[-1, -1] == count - 1, "from the clip's start to its end"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, r"frames: expected a whole number from 1, got 0"),
        ({"frames": 2.0}, r"frames: expected a whole number from 1, got 2.0"),
        ({"frames": 4, "stride": 0}, r"stride: expected a whole number from 1, got 0"),
        ({"frames": 4, "stride": True}, r"stride: expected a whole number from 1, got True"),
        ({"frames": 4, "fps": 0}, r"fps: expected frames a second above 0, got 0"),
        ({"frames": 4, "fps": float("inf")}, r"fps: expected frames a second above 0, got inf"),
        ({"frames": 4, "fps": "5"}, r"fps: expected frames a second above 0, got '5'"),
        ({"frames": 4, "fps": 5, "stride": 2}, r"stride, fps: expected one of them, got stride=2 and fps=5"),
        ({"frames": 4, "short": "cut"}, r"short: expected one of 3 known names, got 'cut'"),
    ],
)
def test_bad_sampling_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sampling(**options)


@pytest.mark.parametrize(
    ("options", "count", "rate", "message"),
    [
        ({"frames": 4}, 3, None, r"it: expected at least 4 frames, got 3; .* short=loop or short=hold"),
        ({"frames": 4, "stride": 3}, 9, None, r"it: expected at least 10 frames \(4 of them, evenly spaced\), got 9"),
        ({"frames": 1}, 0, None, r"it: expected frames, got none"),
        ({"frames": 1, "short": "loop"}, 0, None, r"it: expected frames, got none"),
        ({"frames": 2, "fps": 5}, 9, None, r"it: expected a clip that says its frames a second, got none; use stride"),
        ({"frames": 2, "fps": 30}, 9, 25.0, r"it: expected at least 30 frames a second, got 25; lower fps"),
    ],
)
def test_clips_that_do_not_have_the_frames(
    options: dict[str, object], count: int, rate: float | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Sampling(**options).numbers(count, rate, what="it")


# -- frames ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".avi", ".gif", ".mkv", ".mov", ".mp4", ".webm", ".MP4"])
def test_videos_give_their_frames_in_order(suffix: str, tmp_path: Path, write_video: Write) -> None:
    source = open_source(write_video(tmp_path / f"a{suffix}", FRAMES))
    assert isinstance(source, VideoFile)
    assert (source.count(), source.rate) == (12, 10.0)
    frames = list(source.frames())
    assert all(frame.shape == (16, 24, 3) and frame.dtype == np.uint8 for frame in frames)
    tolerance = 0 if suffix in LOSSLESS else 9
    assert np.abs(np.stack(frames).mean(axis=(1, 2, 3)) - SHADES).max() <= tolerance
    chosen = np.stack(list(source.frames([2, 3, 11])))
    assert np.array_equal(chosen, np.stack(frames)[[2, 3, 11]])


def test_frame_folders_are_in_natural_order(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path, FRAMES)
    (tmp_path / "._1.png").write_bytes(b"a Mac's shadow")
    (tmp_path / "notes.txt").write_text("no frame")
    source = open_source(tmp_path)
    assert isinstance(source, FrameFolder)
    assert (source.count(), source.rate) == (12, None)
    assert [int(frame.mean()) for frame in source.frames()] == SHADES.tolist()
    assert [int(frame.mean()) for frame in source.frames([0, 9])] == [0, 180]


def test_video_and_folder_of_its_frames_are_fed_alike(tmp_path: Path, write_video: Write, write_frames: Write) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (9, 16, 24, 3), np.uint8)
    video, folder = write_video(tmp_path / "a.mkv", frames), write_frames(tmp_path / "b", frames)
    for colour, channels in (("RGB", 3), ("L", 1)):
        wanted = host(Sampling(frames=3, stride=2), (7, 5), colour)
        clip = encode_clip(wanted, video)
        assert clip.shape == (3, 7, 5, channels) and clip.dtype == np.uint8
        assert np.array_equal(clip, encode_clip(wanted, folder))


def test_pixels_of_the_right_size_come_out_as_they_are(tmp_path: Path, write_frames: Write) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (6, 16, 24, 3), np.uint8)
    folder = write_frames(tmp_path, frames)
    assert np.array_equal(encode_clip(host(Sampling(frames=4, stride=1)), folder), frames[1:5])
    windows = encode_windows(host(Sampling(frames=2, stride=2)), open_source(folder), 3)
    assert np.array_equal(windows, frames[[[0, 2], [1, 3], [3, 5]]])


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_odd_sizes_and_single_frames(suffix: str, tmp_path: Path, write_video: Write) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 17, 23, 3), np.uint8)
    path = write_video(tmp_path / f"a{suffix}", frames)
    assert np.array_equal(encode_clip(host(Sampling(frames=1), (17, 23)), path), frames)
    assert encode_clip(host(Sampling(frames=3, short="hold"), (5, 31), "L"), path).shape == (3, 5, 31, 1)


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_frames_recorded_lying_are_turned_upright(quarter: int, tmp_path: Path, write_video: Write) -> None:
    import av

    upright = np.zeros((2, 16, 24, 3), np.uint8)
    upright[:, :8, :12] = 255
    lying = np.rot90(upright, -quarter, axes=(1, 2)).copy()
    path = write_video(tmp_path / "a.mp4", lying)
    # The display matrix of the track header (ISO 14496-12, 8.3.2), which phones write.
    data, cos, sin = bytearray(path.read_bytes()), (1, 0, -1, 0)[quarter], (0, 1, 0, -1)[quarter]
    plain = b"".join(number.to_bytes(4, "big") for number in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    numbers = (cos << 16, -sin << 16, 0, sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    turned = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    track = data.index(plain, data.index(b"tkhd"))
    data[track : track + 36] = turned
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).rotation % 360 == 90 * quarter
    frame = next(open_source(path).frames())
    assert frame.shape == (16, 24, 3)
    assert np.abs(frame.astype(int) - upright[0]).mean() < 6


# -- bad files ---------------------------------------------------------------------------------------------------------


def test_videos_that_are_none(tmp_path: Path, write_video: Write) -> None:
    good = write_video(tmp_path / "good.mp4", FRAMES).read_bytes()
    cases = {
        "empty.mp4": (b"", r"video '.*empty.mp4': expected an mp4, mov, .* begins b''; convert it"),
        "text.avi": (b"no video at all", r"video '.*text.avi': expected an mp4, .* begins b'no video at all'"),
        # FFmpeg would take it for a playlist and open what it names.
        "list.mp4": (b"#EXTM3U\n/etc/passwd\n", r"video '.*list.mp4': expected an mp4, .* begins b'#EXTM3U"),
        "half.mp4": (good[: len(good) // 2], r"video '.*half.mp4': expected a (whole video|file with pictures), got"),
        "head.mkv": (b"\x1aE\xdf\xa3" + bytes(99), r"video '.*head.mkv': expected a whole video"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            list(open_source(tmp_path / name).frames())


def test_a_video_damaged_half_way_names_the_frame(tmp_path: Path, write_video: Write) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 24, 3), np.uint8)
    path = write_video(tmp_path / "a.avi", noise)
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: int(0.6 * len(data))])
    with pytest.raises(InputError, match=r"video '.*a.avi': expected a whole video, .* (after|before) .*frame"):
        encode_clip(host(Sampling(frames=4)), path)


def test_titles_in_another_encoding_do_not_matter(tmp_path: Path, write_video: Write) -> None:
    path = write_video(tmp_path / "a.mkv", FRAMES)
    data = path.read_bytes()
    assert b"Lavf" in data
    path.write_bytes(data.replace(b"Lavf", b"L\xe4vf"))
    assert len(list(open_source(path).frames())) == 12


def test_a_video_of_an_unknown_codec_is_refused(tmp_path: Path, write_video: Write) -> None:
    path = write_video(tmp_path / "a.mkv", FRAMES)
    data = path.read_bytes()
    assert b"V_FFV1" in data
    path.write_bytes(data.replace(b"V_FFV1", b"V_ZZZZ"))
    with pytest.raises(
        InputError, match=r"a.mkv': expected a whole video, .* before the first frame \(of an unknown c"
    ):
        open_source(path)


def test_a_video_without_frames_is_refused(tmp_path: Path, write_video: Write) -> None:
    path = write_video(tmp_path / "a.mkv", FRAMES)
    data = path.read_bytes()
    # Header and tracks are whole; the cluster with the frames (EBML id 1F43B675) is gone.
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])
    with pytest.raises(InputError, match=r"video '.*a.mkv': expected (frames, got none|a whole video)"):
        encode_clip(host(Sampling(frames=4)), path)


def test_sound_without_pictures_is_refused(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(InputError, match=r"a.mkv': expected a file with pictures, got sound alone or a cut file"):
        open_source(path)


def test_a_damaged_video_is_decoded_or_refused(tmp_path: Path, write_video: Write) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (6, 16, 24, 3), np.uint8)
    wanted, refused = host(Sampling(frames=4, short="hold"), (8, 8)), 0
    for suffix in (".avi", ".gif", ".mkv", ".mov", ".mp4", ".webm"):
        data = write_video(tmp_path / f"good{suffix}", frames).read_bytes()
        path = tmp_path / f"bad{suffix}"
        for _ in range(60):
            changed = bytearray(data)
            for _ in range(rng.integers(1, 9)):
                # Headers are where damage has the strangest effects.
                changed[rng.integers(min(len(changed), 600) if rng.random() < 0.5 else len(changed))] = rng.integers(
                    256
                )
            path.write_bytes(changed[: rng.integers(1, len(changed))] if rng.random() < 0.3 else changed)
            try:
                assert encode_clip(wanted, path).shape == (4, 8, 8, 3)
            except InputError as error:
                assert str(path) in str(error)
                refused += 1
    assert refused


def test_bad_frame_folders(tmp_path: Path, write_frames: Write) -> None:
    with pytest.raises(InputError, match=r"video '.*nowhere': expected a video file or a folder of frames"):
        open_source(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"frames '.*empty': expected pictures .* got none"):
        open_source(tmp_path / "empty")
    write_frames(tmp_path / "torn", FRAMES)
    (tmp_path / "torn" / "7.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(InputError, match=r"frame '.*7.png': expected a whole png"):
        encode_clip(host(Sampling(frames=12)), tmp_path / "torn")
    write_frames(tmp_path / "mixed", FRAMES)
    Image.new("RGB", (24, 17)).save(tmp_path / "mixed" / "3.png")
    with pytest.raises(InputError, match=r"frame '.*3.png': expected 24 x 16 pixels, as the frames before it, got 24"):
        encode_clip(host(Sampling(frames=12)), tmp_path / "mixed")


def test_without_pyav_folders_are_read_and_videos_ask_for_it(
    tmp_path: Path, write_frames: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    write_frames(tmp_path / "a", FRAMES)
    assert encode_clip(host(Sampling(frames=4)), tmp_path / "a").shape == (4, 16, 24, 3)
    (tmp_path / "a.mp4").write_bytes(b"any")
    with pytest.raises(MissingError, match=r"a.mp4': expected PyAV .* `pip install av` \(the extra `video`\), or"):
        open_source(tmp_path / "a.mp4")
