"""What table and figure of the trajectory share: its settings in words, and what others' curves stand beside ours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dip_experiments.drawing.script import Selection
from dip_experiments.published import code_curves, trajectory
from dip_experiments.store import Run

Array = NDArray[np.float64]
WORDS = {
    "gamma_uniform": "uniform",
    "gamma_one": "one (today)",
    "corners_aligned": "uniform, corners aligned",
    "perturbation_weak": "uniform, sigma_p 1/50",
}
F16 = "cset9/f16"
ASKED = (
    ["trajectory"],
    ["trajectory", "image=cset9/house", "experiment.setting=gamma_uniform", "precision=float32,bf16"],
)
"""The grid, and one setting in both precisions."""


@dataclass(frozen=True)
class Theirs:
    """Curves of F16 that are not ours: `iteration` "n", `output` "seeds n" and, where it is known, `average`, in dB."""

    name: str
    iteration: Array
    output: Array
    average: Array | None = None


def theirs(scale: str) -> Theirs:
    """At scale paper the authors' pictures; below it their public code, run on the middle of the picture."""
    if scale == "paper":
        iterations, psnr = trajectory("f16")
        return Theirs("the authors' pictures", iterations + 1, psnr[None])
    curves = code_curves("f16_middle128")
    return Theirs("the authors' code", curves["iteration"], curves["psnr_output"], curves["psnr_average"])


def setting_words(run: Run) -> str:
    """What a run tries, in words; its precision, if that is not float32."""
    said = WORDS[run.settings["experiment"]["setting"]]
    return said if run.settings["precision"] == "float32" else f"{said}, {run.settings['precision']}"


def runs_of(selection: Selection, both: Selection) -> list[Run]:
    """The runs of the grid, and of the one setting in both precisions, picture by picture."""
    found = {run.name: run for one in (selection, both) for run in one.runs}
    return sorted(found.values(), key=lambda run: str(run.settings["image"]["name"]))
