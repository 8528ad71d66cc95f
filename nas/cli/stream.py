"""`nas stream`: what a streaming .tflite sees in a video, a folder of frames or a camera, frame by frame."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import json_option, print_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nas.streaming.classifier import StreamingClassifier


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("source")
@click.option("--every", default=1, show_default=True, type=click.IntRange(1), help="Answer at every N-th frame fed.")
@click.option("--stride", type=click.IntRange(1), help="Feed every N-th frame; default as the network was trained.")
@click.option("--frames", "limit", type=click.IntRange(1), help="Stop after so many frames.")
@click.option("--top", "count", default=3, show_default=True, type=click.IntRange(1), help="Classes an answer.")
@click.option("--resize", is_flag=True, help="Stretch frames of another size instead of refusing them.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Of the interpreter.")
@json_option
def stream(
    file: Path,
    source: str,
    every: int,
    stride: int | None,
    limit: int | None,
    count: int,
    resize: bool,
    threads: int,
    as_json: bool,
) -> None:
    """Feed SOURCE to the streaming network FILE.tflite, one frame at a time, and print the likeliest classes so far.

    SOURCE is a video file, a folder of pictures, or a camera's number. The last frame is always answered.
    """
    from nas.streaming.classifier import StreamingClassifier

    network = StreamingClassifier(file, resize=resize, threads=threads)
    answers: list[dict[str, Any]] = []
    last: NDArray[np.float32] | None = None
    # A folder that is called 0 is no camera.
    is_camera = source.isdecimal() and not Path(source).exists()
    with closing(network.run(int(source) if is_camera else source, stride=stride)) as running:
        for last in running:
            if network.frames_seen % every == 0:
                answers.append(_answer(network, last, count, as_json))
            if network.frames_seen == limit:
                break
    if last is not None and (not answers or answers[-1]["frame"] != network.frames_seen):
        answers.append(_answer(network, last, count, as_json))
    if as_json:
        print_json(
            {
                "file": str(file),
                "source": source,
                "frame_shape": list(network.frame_shape),
                "labels": list(network.labels),
                "states": len(network.signature.states),
                "state_bytes": network.state_bytes,
                "frames": network.frames_seen,
                "answers": answers,
            }
        )


def _answer(
    network: StreamingClassifier, probabilities: NDArray[np.float32], count: int, as_json: bool
) -> dict[str, Any]:
    """The record of one answer; printed at once for people, who may be watching a camera."""
    top = network.top(probabilities, count)
    if not as_json:
        click.echo(f"frame {network.frames_seen}: " + ", ".join(f"{name} {value:.3f}" for name, value in top))
    return {
        "frame": network.frames_seen,
        "top": [{"class": name, "probability": value} for name, value in top],
    }
