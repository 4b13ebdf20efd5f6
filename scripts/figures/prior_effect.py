"""The paper's supplement, "prior effect": super-resolution by pixels, by total variation, and by the network.

Experiment: prior_effect. Writes: figures/prior_effect. Command: make reproduce-prior-effect
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import Curve, curve_of, plot_band
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import format_size
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.run_data import load_image, load_output
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.analysis.table import tabulate_curves
from dip_experiments.published import find_one
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

PRIORS = {
    ("pixels", "none"): ("pixels alone", ORANGE, "no_prior"),
    ("pixels", "tv"): ("pixels + TV", GREEN, "tv_prior"),
    ("skip", "none"): ("network", BLUE, "deep_prior"),
    ("skip", "tv"): ("network + TV", RED, None),
}
"""By architecture and regularizer: name, colour, and what the authors' results on their page are called."""
CORNER = (0.45, 0.6)


def draw(selection: Selection) -> Artifact:
    """Draw figures/prior_effect."""
    runs = {prior(run): run for run in selection.complete_runs}
    if set(runs) != set(PRIORS):
        raise ValueError("the figure shows both architectures with both regularizers; leave these overrides out")
    curves: dict[str, Curve] = {}
    panels, first = [], next(iter(runs.values()))
    for key, (name, _, published) in PRIORS.items():
        run = runs[key]
        curves[name] = curve_of(run, "psnr_reference")
        page = f"\n(page: {theirs(run, published)})" if published else "\n(ours)"
        panels.append(
            Panel(name + page, load_output(run, run.summary["iterations"]), run.scores("output", "psnr_y_authors"))
        )
    panels.append(Panel("original\n", load_image(first, "reference")))
    figure, (pictures, plot) = sheet(row_height(panels) + 0.1, 2.6)
    show_row(pictures, panels, CORNER)
    axis = plot.subplots()
    for (name, colour, _), curve in zip(PRIORS.values(), curves.values(), strict=True):
        plot_band(axis, curve, colour, name)
    axis.set(xscale="log", xlabel="iteration", ylabel="PSNR, all channels (dB)")
    axis.legend(fontsize=8)
    caption = f"{first.settings['image']['name']}, {format_size(runs['skip', 'none'])}, {len(first.seeds)} seeds"
    title = (
        "Prior effect: x4 super-resolution, outputs of the last iteration; below them PSNR as in the authors' tables"
    )
    figure.suptitle(f"{title}\n{caption}; their page's numbers are of the whole picture", fontsize=9)
    return Artifact(figure, tabulate_curves(curves, "prior", "psnr"), list(runs.values()))


def prior(run: Run) -> tuple[str, str]:
    """Return architecture and regularizer."""
    return run.settings["architecture"]["name"], run.settings["regularizer"]["name"]


def theirs(run: Run, method: str) -> str:
    """Return the authors' number for the full image."""
    dataset, image = run.settings["image"]["name"].split("/")
    where = {"table": "super_resolution", "setting": f"x{run.settings['task']['factor']}"}
    return f"{find_one(dataset=dataset, image=image, method=method, metric='psnr_y_authors', **where).value:.2f} dB"


if __name__ == "__main__":
    sys.exit(run_script({"figures/prior_effect": draw}, select, ["prior_effect"]))
