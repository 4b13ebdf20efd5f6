"""Stored images of a run's first seed: paths and titles."""

import re
from pathlib import Path
from typing import Any

from PIL import Image

from dip_experiments.store import PARTS, THUMBNAIL, Run, make_thumbnail, thumbnail_images

NAMES = {
    "target": "what it saw",
    "reference": "clean picture",
    "mask": "known pixels",
    "flash": "flash picture",
    "unperturbed": "output, latent unperturbed",
    "average": "average, at the end",
    "posterior_mean": "mean of posterior samples",
    "posterior_deviation": "their spread (largest: white)",
    "linearised": "linearised fit",
    "nearest": "nearest point of the linearised fit",
}
STORED = re.compile(r"(?P<name>.+)-replica(?P<replica>\d+)\.png")
AT = re.compile(r"(?P<kind>iteration|average)-(?P<at>\d{6})")
STOP = re.compile(r"stop-(?P<rule>.+)-(?P<what>output|average|mean|mixed)")


def pictures(run: Run) -> dict[str, Path]:
    """Return the first seed's pictures by name, as `Run.image` takes it."""
    matches = ((STORED.fullmatch(path.name), path) for path in sorted((run.folder / "images").glob("*.png")))
    found = [(match["name"], int(match["replica"]), path) for match, path in matches if match]
    return {name: path for name, replica, path in found if replica == (0 if name == "flash" else run.replicas[0])}


def thumbnail_parts(run: Run) -> list[str]:
    """Return the images in a run's thumbnail: those of its record's, else those that it stores."""
    return [*PARTS] if (run.folder / THUMBNAIL).exists() else list(thumbnail_images(run))


def thumbnail(run: Run) -> bytes:
    """Return the thumbnail of a run that has `thumbnail_parts`."""
    stored = run.folder / THUMBNAIL
    return stored.read_bytes() if stored.exists() else make_thumbnail(thumbnail_images(run).values())


def described(run: Run) -> dict[str, Any]:
    """Return `outputs` and `averages` by iteration, `others` by title, each a picture's name; `size` in pixels,
    `thumbnail`: its parts.

    `against`: the picture that errors are against, `reference`, or what it saw if that is as large; None if neither.
    """
    found = pictures(run)
    timed = {name: match for name in found if (match := AT.fullmatch(name))}
    at = {
        kind: {int(match["at"]): name for name, match in timed.items() if match["kind"] == kind}
        for kind in ("iteration", "average")
    }
    if "average" in found:
        at["average"].setdefault(run.summary["iterations"], "average")
    others = {name: _title(name) for name in found if name not in timed}
    sizes = {name: size_of(path) for name, path in found.items()}
    fitted = next((sizes[name] for name in (*at["iteration"].values(), "average", "reference") if name in sizes), None)
    against = next((name for name in ("reference", "target") if fitted and sizes.get(name) == fitted), None)
    return {
        "seed": run.seeds[0],
        "outputs": at["iteration"],
        "averages": at["average"],
        "others": others,
        "size": fitted or next(iter(sizes.values()), None),
        "against": against,
        "thumbnail": thumbnail_parts(run),
    }


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height of a picture, in pixels."""
    with Image.open(path) as picture:
        return picture.size


def _title(name: str) -> str:
    if stop := STOP.fullmatch(name):
        return f"{stop['what']} where {stop['rule'].replace('_', ' ')} stops"
    return NAMES.get(name, name.replace("_", " "))
