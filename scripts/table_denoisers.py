"""The command restore_noisy beside what one would pick instead: quality and seconds at three strengths of noise."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dip_experiments.drawing.curves import add_row
from dip_experiments.drawing.page import Page
from dip_experiments.drawing.rivals import Rival, denoiser, rival_scores, zero_shot
from dip_experiments.drawing.script import Selection, run_script, waiting
from dip_experiments.drawing.table import NONE, NOT_RUN, table_page
from dip_experiments.selection import select
from dip_experiments.store import Run, stop_image

NOISES = {"authors25": 25.0, "gaussian10": 10.0, "gaussian50": 50.0}
"""Grey levels of 255, by the noise's name in the experiment."""
COLUMNS = ("sigma", "method", "knows_sigma", "psnr", "psnr_gap", "ssim", "iterations", "seconds", "pictures")
METHODS = {"nlm": "NLM", "tv": "TV", "wavelet": "wavelet", "dct": "sliding DCT", "bm3d": "BM3D"}
TITLES = {
    "sigma": "sigma",
    "method": "method",
    "psnr": "PSNR",
    "psnr_gap": "minus BM3D",
    "ssim": "SSIM",
    "iterations": "iterations",
    "seconds": "seconds",
    "pictures": "pictures",
}
ABOVE = """\
Denoising of colour pictures (CSet9), means over the pictures; PSNR in dB over all channels. `DIP, mixed` is what the
command restore_noisy gives: the mean of four networks where the split stops them, with as much of NLM, of the sliding
DCT and of a Wiener filter as the split chooses; `uniform`: the same with norms that start as U(0, 1), as in the PyTorch
of 2018; `DIP`: without other filters; `DIP, one replica`: the first network at its own stop. All of these estimate
sigma, and see nothing but the noisy picture. ZS-N2N is ours from its description; the methods after it are told sigma.
`iterations`: of a fit until it ended, `seconds`: wall time of one picture, of all four networks for the rows of DIP;
both in the median; time was taken on one thread, on more than one machine, while other work ran beside. `pictures`:
how many of those asked for were done."""
ASKED = (
    ["denoisers"],
    ["denoisers", "experiment.noise=authors25", "architecture.gamma=uniform"],
    ["denoisers_decoder"],
)


Scores = tuple[float, float, float, int | None]
"""PSNR in dB, SSIM, seconds, iterations of a network's fit."""


@dataclass(frozen=True)
class Row:
    """A method at one strength of noise: of how many pictures, and what it reached on those that are done."""

    title: str
    told: str
    count: int
    found: Sequence[Scores]

    @property
    def psnr(self) -> float | None:
        """Mean over the pictures in dB; None unless all are done."""
        return float(np.mean([psnr for psnr, *_ in self.found])) if len(self.found) == self.count > 0 else None

    def cells(self, sigma: float, basis: float | None) -> Sequence[str]:
        """Means over the pictures, medians of iterations and seconds; the gap only where all pictures are done."""
        numbers: Sequence[str] = (NOT_RUN, NONE, NONE, NONE, NONE)
        if self.found:
            psnr, ssim, seconds, iterations = zip(*self.found, strict=True)
            gap = NONE if self.psnr is None or basis is None else f"{self.psnr - basis:+.2f}"
            many = NONE if None in iterations else f"{np.median(iterations):.0f}"
            numbers = (f"{np.mean(psnr):.2f}", gap, f"{np.mean(ssim):.3f}", many, f"{np.median(seconds):.1f}")
        return (f"{sigma:g}", self.title, self.told, *numbers, f"{len(self.found)} of {self.count}")


def draw(study: Selection, uniform: Selection, decoder: Selection) -> Page:
    """Writes tables/denoisers."""
    asked = (study, uniform, decoder)
    columns: dict[str, list[str]] = {name: [] for name in COLUMNS}
    for noise, sigma in NOISES.items():
        found = [*networks(*(at(noise, one) for one in asked)), *others(at(noise, study), sigma)]
        basis = next(row.psnr for row in found if row.title == METHODS["bm3d"])
        for row in found:
            add_row(columns, *row.cells(sigma, basis))
    return table_page(columns, TITLES, [run for one in asked for run in one.runs], ABOVE, waiting(*asked))


def at(noise: str, asked: Selection) -> Selection:
    """Those of one noise."""
    return replace(asked, jobs=tuple(job for job in asked.jobs if job.words["experiment"]["noise"] == noise))


def networks(study: Selection, uniform: Selection, decoder: Selection) -> Iterator[Row]:
    """Rows of the fitted networks; with the norms' start of 2018 only where that was asked for."""
    yield network("DIP, mixed", study, stop_image("split", "mixed"))
    if uniform.jobs:
        yield network("DIP, mixed, uniform", uniform, stop_image("split", "mixed"))
    yield network("DIP", study, stop_image("split", "mean"))
    yield network("DIP, one replica", study, stop_image("split", "average"))
    yield network("deep decoder", decoder, "output")


def network(title: str, asked: Selection, image: str) -> Row:
    """What one of the images of its runs reached, of the first replica where there are several."""
    return Row(title, "no", len(asked.jobs), [ours(run, image) for run in asked.runs])


def ours(run: Run, image: str) -> Scores:
    """The numbers of one of a run's images."""
    scores, summary = run.summary["scores"][image], run.summary
    return scores["psnr"][0], scores["ssim"][0], summary["wall_seconds"], summary["iterations"]


def others(study: Selection, sigma: float) -> Iterator[Row]:
    """Rows of the other methods, on what the first network of each run saw."""
    rivals: dict[str, tuple[str, Rival]] = {"ZS-N2N": ("no", zero_shot(study.scale))}
    rivals |= {title: ("yes", denoiser(name, sigma)) for name, title in METHODS.items()}
    for title, (told, rival) in rivals.items():
        found = [rival_scores(rival, run, study.baselines) for run in study.runs]
        yield Row(title, told, len(study.jobs), [(*scores, None) for scores in found if scores])


if __name__ == "__main__":
    sys.exit(run_script("tables/denoisers", draw, select, *ASKED))
