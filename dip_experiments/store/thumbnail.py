"""The thumbnail of a run: target, average and last output side by side, small enough for git."""

import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from dip_experiments.store.run import Run

THUMBNAIL = "thumbnail.png"
"""Name of the file in a record's folder, which shows all `PARTS`."""
PARTS = ("target", "average", "output")
SIDE, COLOURS = 64, 256
"""Pixels of the short side; colours of the palette, which makes the file a third as large."""


def thumbnail_images(run: Run) -> dict[str, Path]:
    """Return which of the `PARTS` a run stores of its first successful seed, and their files."""
    if not run.replicas:
        return {}
    first = run.replicas[0]
    outputs = sorted((run.folder / "images").glob(f"iteration-*-replica{first}.png"))
    paths = [run.image("target", first), run.image("average", first), *outputs[-1:]]
    return {name: path for name, path in zip(PARTS, paths, strict=False) if path.exists()}


def make_thumbnail(images: Iterable[Path]) -> bytes:
    """Return images side by side as one PNG, each scaled to a short side of `SIDE` pixels, in `COLOURS` colours."""
    small = [_small(image) for image in images]
    strip = Image.new("RGB", (sum(one.width for one in small), max(one.height for one in small)))
    left = 0
    for one in small:
        strip.paste(one, (left, 0))
        left += one.width
    encoded = io.BytesIO()
    strip.quantize(COLOURS).save(encoded, format="PNG", optimize=True)
    return encoded.getvalue()


def _small(path: Path) -> Image.Image:
    """Return a picture of 8 or 16 bits per channel in RGB, as small as a thumbnail shows it."""
    with Image.open(path) as picture:
        levels = picture.point(lambda level: level / 256).convert("L") if picture.mode.startswith("I") else picture
        width, height = (round(length * SIDE / min(picture.size)) for length in picture.size)
        return levels.convert("RGB").resize((width, height))
