"""Fixtures that several folders of tests use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from nas.evaluators.train import prepared
from nas.task import TaskDescription
from searchspaces.blocks import ConvBlock, SSDLiteHead
from searchspaces.spec import NetworkSpec

# No test depends on time, and a busy machine is no reason to fail.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# FFmpeg's encoder for a kind of file, and the pixels it takes.
ENCODERS = {
    ".avi": ("ffv1", "bgr0"),
    ".gif": ("gif", "rgb8"),
    ".mkv": ("ffv1", "bgr0"),
    ".mov": ("mjpeg", "yuvj420p"),
    ".mp4": ("mpeg4", "yuv420p"),
    ".webm": ("libvpx", "yuv420p"),
}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real measurements beside the checkout; the product does not need it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no folder of measured data beside the checkout ({folder.name!r} of a sibling folder)")
    return folder


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """Writes uint8 [T, H, W, 3] as a video; .avi and .mkv without loss. Skips the test where PyAV is absent."""
    av = pytest.importorskip("av", reason="PyAV is the extra `video`")

    def write(path: Path, frames: np.ndarray, *, rate: int = 10) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        codec, pixels = ENCODERS[path.suffix.lower()]
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture(scope="session")
def write_frames() -> Callable[..., Path]:
    """Writes uint8 [T, H, W, 3] as pictures 1.png, 2.png, … of a folder, so that order by letters is wrong."""

    def write(path: Path, frames: np.ndarray) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        for number, frame in enumerate(frames, start=1):
            Image.fromarray(frame).save(path / f"{number}.png")
        return path

    return write


@pytest.fixture(scope="session")
def tiny_detector() -> Callable[..., NetworkSpec]:
    """Makes detectors of five layers on two maps, small enough to learn digits on a canvas in seconds."""

    def make(task: TaskDescription, *, filters: int = 16) -> NetworkSpec:
        layers = (("c1", 1, 2), ("c2", 2, 2), ("c3", 4, 2), ("c4", 4, 1), ("c5", 4, 2))
        blocks = [
            ConvBlock(name=name, filters=times * filters, kernel=3, stride=stride, activation="relu6")
            for name, times, stride in layers
        ]
        head = SSDLiteHead(maps=("c4", "c5"), anchors=(3, 6), classes=len(task.class_names))
        spec = NetworkSpec(name="tiny-detector", input_shape=tuple(task.input_shape), blocks=(*blocks, head))
        return prepared(spec, task)

    return make
