"""What table and figure of the trajectory share: its settings in words, and what others' curves stand beside ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.published import code_curves, trajectory

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


def setting_words(words: Mapping[str, Any], precision: str) -> str:
    """What a job of these words tries, in words; the precision of its run, if that is not float32.

    The run itself may be another experiment's: the settings of trajectory are in its words only.
    """
    said = WORDS[words["experiment"]["setting"]]
    return said if precision == "float32" else f"{said}, {precision}"
