"""Figure 9 of the paper: features of a classifier inverted, layer by layer, by the network and by pixels.

Experiments: fig9, fig9_pixels. Writes: figures/fig9. Command: make reproduce-fig9
"""

import sys
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import describe_fit
from dip_experiments.analysis.panels import show
from dip_experiments.analysis.run_data import final_values, load_image
from dip_experiments.analysis.style import WIDTH, sheet
from dip_experiments.analysis.table import tabulate
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

Array = NDArray[np.float64]
PRIORS = {("skip", "none"): "network", ("pixels", "tv"): "pixels + TV", ("pixels", "none"): "pixels alone"}
"""By architecture and regularizer, from the top row on."""
HIGH = 0.25
"""Cycles per pixel from which on a frequency is high: half of the highest along an axis (ours)."""
TEXT = 0.45
"""Inches below and above a row of pictures."""


def draw(network: Selection, pixels: Selection) -> Artifact:
    """Draw figures/fig9."""
    runs = [*network.complete_runs, *pixels.complete_runs]
    by_place = {(name_of(run), layer_of(run)): run for run in runs}
    names = [name for name in PRIORS.values() if any(name == prior for prior, _ in by_place)]
    layers = list(dict.fromkeys(layer for _, layer in by_place))
    if len(by_place) < len(runs):
        raise ValueError("the figure shows one run of each layer and prior; leave out what asks for several")
    original = load_image(runs[0], "reference")
    height = WIDTH / (1 + len(layers)) * original.shape[1] / original.shape[2] + TEXT
    figure, (part,) = sheet(height * len(names))
    axes = part.subplots(len(names), 1 + len(layers), squeeze=False)
    for name, (first, *others) in zip(names, axes, strict=True):
        show(first, original, "original", name)
        for layer, axis in zip(layers, others, strict=True):
            if (run := by_place.get((name, layer))) is None:
                axis.set_axis_off()
                continue
            show(axis, load_image(run, "unperturbed"), layer, f"{np.mean(features_db(run)):.1f} dB")
    caption = describe_fit(runs[:1], network.scale, original)
    title = "Figure 9: features inverted, last outputs; below them signal to error of the features"
    figure.suptitle(f"{title}\n{runs[0].settings['task']['classifier']['name']}; {caption}", fontsize=9)
    return Artifact(figure, numbers(by_place), runs)


def name_of(run: Run) -> str:
    """Return the name of the prior. Raises ValueError for another one than the figure has."""
    prior = run.settings["architecture"]["name"], run.settings["regularizer"]["name"]
    if prior not in PRIORS:
        raise ValueError(f"the figure has no row for {' with '.join(prior)}; leave these overrides out")
    return PRIORS[prior]


def layer_of(run: Run) -> str:
    """Return the layer whose features are inverted."""
    return str(run.settings["task"]["layer"])


def features_db(run: Run) -> Array:
    """Return -10 log10 of |Phi(x) - Phi(x0)|^2 / |Phi(x0)|^2 at the last iteration, one per seed."""
    return final_values(run, "psnr_measurement")


def high_shares(run: Run) -> Array:
    """Return the part of each picture's energy that high frequencies have, one per seed."""
    return np.array([high_share(load_image(run, "unperturbed", replica)) for replica in run.replicas])


def high_share(picture: Array) -> float:
    """Return the part of the energy of a picture "c h w", less its mean, above HIGH cycles per pixel."""
    power = np.abs(np.fft.fft2(picture - picture.mean((1, 2), keepdims=True))) ** 2
    down, across = (np.fft.fftfreq(side) for side in picture.shape[1:])
    return float(power[:, np.hypot(down[:, None], across) > HIGH].sum() / power.sum())


def numbers(by_place: Mapping[tuple[str, str], Run]) -> pd.DataFrame:
    """Return of each prior and layer: the features' ratio, PSNR of the picture, and the share of high frequencies."""
    measures: Mapping[str, Callable[[Run], Sequence[float] | Array]] = {
        "features_db": features_db,
        "psnr": lambda run: run.scores("unperturbed", "psnr"),
        "high_frequencies": high_shares,
    }
    tables = [
        tabulate(((*place, measure(run)) for place, run in by_place.items()), "prior", "layer", name)
        for name, measure in measures.items()
    ]
    return pd.concat([table.set_index(["prior", "layer"]) for table in tables], axis=1).reset_index()


if __name__ == "__main__":
    sys.exit(run_script({"figures/fig9": draw}, select, ["fig9"], ["fig9_pixels"]))
