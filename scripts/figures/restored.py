"""Two noisy images restored by `dip restore`, with other methods and the clean images.

Experiment: restored. Writes: figures/restored. Command: make restored EXTRAS=bm3d
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import denoiser_panel
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.panels import Panel
from dip_experiments.analysis.restored_pictures import draw_restored
from dip_experiments.analysis.run_data import load_image
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Baselines, Run, Selection, stop_image

SIGMA = 25.0
"""Noise level of the images, which the baselines are given."""
CORNER = (0.3, 0.35)
METHODS = {"nlm": "NLM", "bm3d": "BM3D"}


def draw(selection: Selection) -> Artifact:
    """Draw figures/restored."""
    return draw_restored(selection, panels, CORNER, f"A noisy picture restored from itself, sigma {SIGMA:g}")


def panels(run: Run, stored_baselines: Baselines) -> list[Panel]:
    """Return a row of pictures."""
    name = stop_image("split", "mixed")
    noisy = Panel("noisy", load_image(run, "target"), run.scores("measurement", "psnr")[:1])
    others = [denoiser_panel(run, method, title, SIGMA, stored_baselines) for method, title in METHODS.items()]
    ours = Panel("dip restore", load_image(run, name, 0), run.scores(name, "psnr"))
    return [noisy, *others, ours, Panel("clean", load_image(run, "reference"))]


if __name__ == "__main__":
    sys.exit(run_script({"figures/restored": draw}, select, ["restored"]))
