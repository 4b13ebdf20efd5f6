"""Write the restored image of a run where the user wants it."""

from pathlib import Path

from dip_experiments.config.settings import Settings
from dip_experiments.data.layers import Array
from dip_experiments.data.pictures import Frame, Known, local, sources, with_alpha
from dip_experiments.data.reading import Form, bit_depth, read_image
from dip_experiments.data.writing import check_output, expanded, write_output
from dip_experiments.store import Run, stop_image


def image_frame(settings: Settings) -> Frame:
    """Return the part of the input images that is used."""
    image = settings.image
    return Frame(image.size, image.fit, image.multiple, Form(image.page, image.white), image.window)


def output_bits(settings: Settings) -> int:
    """Return the bits per channel of a restored picture."""
    return bit_depth(settings.image.path, image_frame(settings).form)


def check_export(settings: Settings) -> None:
    """Raise ValueError unless the restored image can be written to `settings.output`."""
    if settings.output:
        path = Path(expanded(settings.output, settings.image.path, settings.image.name))
        read = sources(settings.image.name, settings.image.path, settings.task.extra_inputs(settings.image.name))
        check_output(path, map(local, read.values()))


def restored_image(run: Run, settings: Settings) -> Path:
    """Return the file of the restored image of a finished run.

    It is the mean of the replicas where the rule of `settings` stopped them, else the average of the first replica that
    did not fail.
    """
    stop = run.summary.get("stopping", {}).get(settings.stopping.name)
    if stop and stop["joint"] is not None:
        return run.image(stop_image(settings.stopping.name, "mixed" if "mix" in stop else "mean"), 0)
    return run.image("average", run.replicas[0])


def export_image(run: Run, settings: Settings) -> str:
    """Write the restored image, with the alpha channel of the input image, and return its path.

    Raises:
        ValueError: If it cannot be written.
    """
    image = read_image(restored_image(run, settings))
    if settings.blend:
        measurement = run.measured()["measurement"][run.replicas[0]]  # the stored picture of it has 8 bits
        image = blended(image, measurement, settings)
    mask = run.image("mask", run.replicas[0])
    known = read_image(mask).min(0, keepdims=True) > 0.5 if mask.exists() else None
    return write_restored(image, settings, known)


def blended(image: Array, measurement: Array, settings: Settings) -> Array:
    """Return a restored image "c h w" with the part of the given one that `settings` ask for."""
    return (1 - settings.blend) * image + settings.blend * measurement


def write_restored(image: Array, settings: Settings, known: Known | None = None) -> str:
    """Write a restored image "c h w" as `settings.output`, and return its path.

    Args:
        image: In [0, 1].
        settings: Those of the request: depth, colour profile and alpha are those of its file.
        known: Mask "1 h w"; what was filled in is opaque.

    Raises:
        ValueError: If it cannot be written.
    """
    path = expanded(settings.output or "", settings.image.path, settings.image.name)
    frame = image_frame(settings)
    restored = with_alpha(image, settings.image.path, frame, known)
    write_output(Path(path), restored, settings.image.path, frame.form)
    return path
