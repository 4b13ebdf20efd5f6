"""Plot curves of several runs, finished or not, in one figure."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib import colormaps

from dip_experiments.analysis.artifact import METADATA
from dip_experiments.analysis.curves import first_curve, plot_band
from dip_experiments.analysis.labels import differing_settings, format_network, format_task
from dip_experiments.analysis.style import WIDTH, style
from dip_experiments.store import Run, atomic

MOST_SETTINGS = 4
"""Number of settings that the legend names at most."""


def plot_runs(runs: Sequence[Run], path: Path) -> None:
    """Plot PSNR and loss over the logarithm of the iteration: mean over a run's seeds, and their range.

    Raises ValueError for a run without curves.
    """
    style()
    figure, (quality, loss) = plt.subplots(1, 2, figsize=(1.2 * WIDTH, 0.55 * WIDTH), layout="constrained")
    columns = []
    for index, (run, label) in enumerate(zip(runs, run_labels(runs), strict=True)):
        column, curve = first_curve(run)
        columns.append(column)
        plot_band(quality, curve, colormaps["tab10"](index % 10), label)
        plot_band(loss, first_curve(run, ["loss"])[1], colormaps["tab10"](index % 10), label)
    quality.set(title="PSNR, dB: " + ", ".join(dict.fromkeys(columns)), xlabel="iteration", xscale="log")
    loss.set(title="loss", xlabel="iteration", xscale="log", yscale="log")
    figure.legend(*loss.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(runs), 4))
    with atomic(path) as file:
        figure.savefig(file, format="png", metadata=METADATA["png"])
    plt.close(figure)


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Return for each run the start of its id, image, task and network; if these agree, the settings that differ."""
    configs = [run.settings for run in runs]
    plain = [f"{one['image']['name']}\n{format_task(one)}, {format_network(one['architecture'])}" for one in configs]
    settings = [differing_settings(one, {}) for one in configs]
    apart = [key for key in settings[0] if len({other.get(key) for other in settings}) > 1]
    details = ["".join(f"\n{key} {one[key]}" for key in apart[:MOST_SETTINGS] if key in one) for one in settings]
    return [
        f"{run.name[:8]} {what}{more if plain.count(what) > 1 else ''}"
        for run, what, more in zip(runs, plain, details, strict=True)
    ]
