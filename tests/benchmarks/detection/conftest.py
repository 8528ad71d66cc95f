"""A little data set of coloured rectangles, written in each of the formats that are read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH = 60, 80
COLOURS = {"cat": (220, 40, 40), "dog": (40, 40, 220), "eel": (40, 200, 40)}
Shapes = list[tuple[str, int, int, int, int]]


@dataclass
class Rectangles:
    """Pictures by stem, each with its boxes (label, xmin, ymin, xmax, ymax)."""

    shapes: dict[str, Shapes] = field(default_factory=dict)

    def png(self, stem: str) -> bytes:
        rng = np.random.default_rng(int(stem.removeprefix("p")))
        pixels = rng.integers(90, 110, (HEIGHT, WIDTH, 3), np.uint8)
        for label, xmin, ymin, xmax, ymax in self.shapes[stem]:
            pixels[ymin:ymax, xmin:xmax] = COLOURS[label]
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()

    def xml(self, stem: str) -> bytes:
        objects = "".join(
            f"<object><name>{label}</name><difficult>0</difficult><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
            f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>"
            for label, xmin, ymin, xmax, ymax in self.shapes[stem]
        )
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        return f"<annotation><filename>{stem}.png</filename>{size}{objects}</annotation>".encode()

    def voc(self) -> dict[str, bytes]:
        files = {f"Annotations/{stem}.xml": self.xml(stem) for stem in self.shapes}
        return files | {f"JPEGImages/{stem}.png": self.png(stem) for stem in self.shapes}

    def coco(self) -> dict[str, bytes]:
        ids = {"cat": 3, "dog": 17, "eel": 90}
        images = [
            {"id": 10 + 3 * number, "file_name": f"images/{stem}.png", "width": WIDTH, "height": HEIGHT}
            for number, stem in enumerate(self.shapes)
        ]
        annotations = [
            {
                "id": 1000 * number + place,
                "image_id": 10 + 3 * number,
                "category_id": ids[label],
                "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
                "iscrowd": 0,
            }
            for number, shapes in enumerate(self.shapes.values())
            for place, (label, xmin, ymin, xmax, ymax) in enumerate(shapes)
        ]
        categories = [{"id": number, "name": name} for name, number in [*ids.items(), ("fox", 4)]]
        data = {"images": images, "annotations": annotations, "categories": categories}
        files = {f"images/{stem}.png": self.png(stem) for stem in self.shapes}
        return {"boxes.json": json.dumps(data).encode(), **files}

    def csv(self) -> dict[str, bytes]:
        lines = ["filename,class,xmin,xmax,ymin,ymax"]
        for stem, shapes in self.shapes.items():
            lines += [f"{stem}.png,{label},{x1},{x2},{y1},{y2}" for label, x1, y1, x2, y2 in shapes]
            lines += [f"{stem}.png,,,,,"] * (not shapes)
        return {"boxes.csv": "\n".join(lines).encode()} | {f"{stem}.png": self.png(stem) for stem in self.shapes}


@pytest.fixture
def rectangles() -> Rectangles:
    """30 pictures of 1 to 3 boxes; every tenth has none."""
    rng = np.random.default_rng(0)
    made: dict[str, Shapes] = {}
    for number in range(30):
        shapes: Shapes = []
        for place in range(0 if number % 10 == 9 else 1 + number % 3):
            left, top = 25 * place + int(rng.integers(0, 5)), int(rng.integers(0, 30))
            label = ["cat", "dog", "eel"][(number + place) % 3]
            shapes.append((label, left, top, left + int(rng.integers(8, 20)), top + int(rng.integers(8, 30))))
        made[f"p{number}"] = shapes
    return Rectangles(made)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    """Writes files by name into a folder of their own."""

    def writer(files: Mapping[str, bytes]) -> Path:
        root = tmp_path / "data"
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        return root

    return writer
