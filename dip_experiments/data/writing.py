"""Check where a restored picture may be written, and write it."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dip_experiments.data.layers import Array
from dip_experiments.data.reading import PLAIN, Form, read_layers
from dip_experiments.store import write_image, write_text

PLACE = "{image}"
"""In a name: the picture's."""


def expanded(output: str, image_path: str | None, image_name: str) -> str:
    """Return `output` with {image} replaced by the picture's name: that of its file without ending, or `set14-lenna`.

    Raises ValueError for any other brace.
    """
    parts = output.split(PLACE)
    if any(brace in part for part in parts for brace in "{}"):
        raise ValueError(f"output={output}: of names in braces only {PLACE} is known, the picture's name; use that")
    return (Path(image_path).stem if image_path else image_name.replace("/", "-")).join(parts)


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Raise ValueError unless `path` is a name for a new or another PNG than those that the run reads.

    Written to in earnest, as permissions say nothing of read-only or full disks and of names that are too long; leaves
    nothing behind.
    """
    setting = f"output={_short(path)}"
    if path.suffix.lower() != ".png":
        raise ValueError(f"{setting}: only PNG is written, which loses nothing; give a name that ends in .png")
    for link in (path, *path.parents):
        if os.path.islink(link) and not os.path.exists(link):
            raise ValueError(f"{setting}: {link} is a link to what is not there; remove it or give another name")
    if os.path.isdir(path):
        raise ValueError(f"{setting}: a folder; give the name of a file in it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"{setting}: a pipe, socket or device; give the name of a file")
    if any(os.path.exists(path) and os.path.exists(given) and path.samefile(given) for given in inputs):
        raise ValueError(f"{setting}: would overwrite the input; give another name")
    _try_writing(path, setting)


def write_output(path: Path, image: Array, like: str | None, form: Form = PLAIN) -> None:
    """Write "c h w" in [0, 1] as PNG with the precision and the colour space of the file `like`, of 8 bits without one.

    Raises ValueError with what to do if the disk does not.
    """
    layers = read_layers(Path(like), form=form) if like else None
    bits, colour_space = (layers.bits, layers.colour_space) if layers else (8, ())
    if len(image) < 3 and layers and layers.channels == 3 and any(kind == b"iCCP" for kind, _ in colour_space):
        image = np.concatenate([image[:1]] * 3 + [image[1:]])  # a profile of colours is for three channels
    try:
        write_image(path, image, bits, colour_space)
    except OSError as error:
        raise ValueError(
            f"output={_short(path)}: not written ({error.strerror or error}), the fit itself is kept; "
            "make room or give another name, and ask again"
        ) from None


def _try_writing(path: Path, setting: str) -> None:
    """Write the same name in a folder of the same disk that is gone afterwards."""
    absolute = path.absolute()
    nearest = next(folder for folder in absolute.parents if os.path.exists(folder))
    try:
        with tempfile.TemporaryDirectory(dir=nearest) as folder:
            write_text(Path(folder) / absolute.relative_to(nearest), "?")
    except OSError as error:
        what = "name" if len(os.fsencode(path.name)) > 200 else "folder"
        raise ValueError(
            f"{setting}: cannot write in {nearest} ({error.strerror}); choose another {what} with output="
        ) from None


def _short(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 120 else f"{text[:60]}...{text[-20:]}"
