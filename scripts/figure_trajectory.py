"""The trajectory of denoising with the settings of then and now, the authors' between ours."""

import sys

import matplotlib.pyplot as plt
from trajectory import ASKED, F16, setting_words, theirs

from dip_experiments.drawing.curves import Curve, band, curve_of, tabulated
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.script import Selection, run_script
from dip_experiments.drawing.style import BLUE, GREEN, ORANGE, RED, WIDTH
from dip_experiments.drawing.words import size_words
from dip_experiments.selection import select

COLOURS = {"gamma_uniform": BLUE, "gamma_one": ORANGE, "corners_aligned": GREEN, "perturbation_weak": RED}
LEAST = 20.0
"""dB from which on curves are drawn: before, all are alike."""


def draw(selection: Selection) -> Page:
    """Draws figures/trajectory: PSNR of single outputs, mean and range over the seeds, one panel a picture."""
    fitted = [(job.words, job.run) for job in selection.jobs if job.run]
    runs = [run for _, run in fitted]
    if not fitted:
        raise ValueError(selection.waiting)
    images = list(dict.fromkeys(run.settings["image"]["name"] for run in runs))
    figure, panels = plt.subplots(1, len(images), figsize=(WIDTH, 3.6), layout="constrained", squeeze=False)
    numbers: dict[str, Curve] = {}
    for image, axis in zip(images, panels[0], strict=True):
        if image == F16:
            curves = theirs(selection.scale)
            shown = Curve(curves.iteration.astype(int), curves.output)
            band(axis, shown, "black", curves.name)
            numbers[f"{image}, {curves.name}"] = shown
        for words, run in ((words, run) for words, run in fitted if words["image"]["name"] == image):
            label = f"gamma {setting_words(words, run.settings['precision'])}"
            curve = curve_of(run, "psnr_reference")
            band(axis, curve, COLOURS[words["experiment"]["setting"]], label)
            numbers[f"{image}, {label}"] = curve
        axis.set(title=image, xlabel="iteration", ylabel="PSNR of the output (dB)")
        axis.set_ylim(bottom=LEAST)
        axis.set_xlim(left=0)
        axis.legend(loc="lower right", fontsize=8)
    figure.suptitle(
        f"Denoising, sigma 25: {size_words(runs[0])}; seeds {', '.join(map(str, runs[0].seeds))}", fontsize=9
    )
    return Page(figure, tabulated(numbers, "curve", "psnr"), runs, selection.waiting)


if __name__ == "__main__":
    sys.exit(run_script("figures/trajectory", draw, select, ASKED[0]))
