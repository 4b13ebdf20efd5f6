"""A simulated camera's photographs restored by `dip restore`, with other methods and the clean images.

Experiment: restored_camera. Writes: figures/restored_camera. Command: make restored-camera EXTRAS=bm3d
"""

import sys
from collections.abc import Sequence

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import baseline_image, compute_baseline, denoiser, denoiser_panel
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.panels import Panel
from dip_experiments.analysis.restored_pictures import draw_restored
from dip_experiments.analysis.run_data import Array, load_image
from dip_experiments.config.settings import Settings
from dip_experiments.runner.build import compute_measurement
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Baselines, Run, Selection, stop_image

CORNER = (0.4, 0.4)
METHODS = {"lichi": "LIChI, sigma given", "bm3d": "BM3D, sigma given"}
OTHER_DRAWS = range(1, 17)
"""Seeds of the noise whose sigma is given to other methods; those of the pictures are larger (ours)."""


def draw(selection: Selection) -> Artifact:
    """Draw figures/restored_camera."""
    title = "Pictures of a simulated camera, restored without being given anything of the noise"
    return draw_restored(selection, panels, CORNER, title)


def panels(run: Run, stored_baselines: Baselines) -> list[Panel]:
    """Return a row of pictures."""
    name, sigma = stop_image("split", "mixed"), noise_level(run)
    noisy = Panel("as taken", load_image(run, "target"), run.scores("measurement", "psnr")[:1])
    others = [other(run, method, title, sigma, stored_baselines) for method, title in METHODS.items()]
    ours = Panel("restore", load_image(run, name, 0), run.scores(name, "psnr"))
    return [noisy, *others, ours, Panel("clean", load_image(run, "reference"))]


def other(run: Run, name: str, title: str, sigma: float, stored_baselines: Baselines) -> Panel:
    """Return the panel of a denoiser, which is computed of a record too if its picture is not stored."""
    method = denoiser(name, sigma)
    if baseline_image(method, run, stored_baselines) is None:
        compute_baseline(method, run, stored_baselines, lambda run: measured(run, run.seeds), shown=True)
    return denoiser_panel(run, name, title, sigma, stored_baselines)


def measured(run: Run, seeds: Sequence[int]) -> dict[str, Array]:
    """Return the measurements of these seeds, and the clean image."""
    return compute_measurement(Settings.model_validate(run.settings), seeds)


def noise_level(run: Run) -> float:
    """Return sigma in grey levels of 255, to a tenth: the deviation of other draws of the noise from their mean."""
    drawn = measured(run, OTHER_DRAWS)["measurement"].astype(float)
    return round(255 * float(drawn.var(0, ddof=1).mean() ** 0.5), 1)


if __name__ == "__main__":
    sys.exit(run_script({"figures/restored_camera": draw}, select, ["restored_camera"]))
