"""Denoising of photographs at three noise levels: quality and seconds of `dip restore` and of others.

Experiments: denoisers, denoisers_decoder. Writes: tables/denoisers. Command: make table-denoisers EXTRAS=bm3d
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import Baseline, baseline_scores, denoiser, filters, zero_shot
from dip_experiments.analysis.confidence import picture_interval
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.independence import count_independent
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, stop_image, waiting

NOISES = {"authors25": 25.0, "gaussian10": 10.0, "gaussian50": 50.0}
"""Grey levels of 255, by the noise's name in the experiment."""
COLUMNS = (
    "sigma", "method", "knows_sigma", "psnr", "psnr_gap", "gap_low", "gap_high", "interval", "ssim", "iterations",
    "seconds", "pictures",
)  # fmt: skip
METHODS = {
    "nlm": "NLM",
    "tv": "TV",
    "wavelet": "wavelet",
    "dct": "sliding DCT",
    "nl_ridge": "NL-Ridge",
    "lichi": "LIChI",
    "bm3d": "BM3D",
}
TITLES = {
    "sigma": "sigma",
    "method": "method",
    "psnr": "PSNR",
    "psnr_gap": "minus BM3D",
    "interval": "95 % interval",
    "ssim": "SSIM",
    "seconds": "seconds",
    "pictures": "pictures",
}
ABOVE = """\
Denoising of colour pictures (CSet9), means over the pictures; PSNR in dB over all channels. `DIP, mixed` is what
`dip restore` gives: the mean of four networks where the split stops them, with as much of the sliding DCT,
NL-Ridge, LIChI and a Wiener filter as the split chooses; `DIP`: the networks alone; `DIP, one replica`: the first
network at its own stop; `filters alone`: that mixture without a network. In these four the noise and its clipping are
estimated. They, the deep decoder and ZS-N2N, which is ours from its description, see nothing but the noisy picture; the
methods after it are told sigma. `minus BM3D`: picture by picture, their mean with Student's interval over the pictures.
`seconds`: wall time of one picture, of all four networks for the rows of DIP, in the median; time was taken on one
thread, on more than one machine, while other work ran beside (of NL-Ridge and LIChI it is processor time). `pictures`:
how many of those asked for were done. Iterations are in the CSV."""
REQUESTS = (["denoisers"], ["denoisers_decoder"])
MIXED, FILTERS = "DIP, mixed", "filters alone"
"""Titles of the two rows whose difference is what the networks add."""


Scores = tuple[float, float, float, int | None]
"""PSNR in dB, SSIM, seconds, iterations of a network's fit."""


@dataclass(frozen=True)
class Row:
    """A method at one strength of noise: of how many pictures, and what it reached on those that are done, by name."""

    title: str
    knows_sigma: str
    count: int
    found: Mapping[str, Scores]

    @property
    def psnr(self) -> dict[str, float]:
        """PSNR in dB by picture; nothing unless all are done."""
        return {name: psnr for name, (psnr, *_) in self.found.items()} if len(self.found) == self.count else {}

    def gap(self, basis: "Row") -> Sequence[str]:
        """Return the mean difference to another method's PSNR and its interval over the pictures, if all are done."""
        pairs = {name: [psnr - basis.psnr[name]] for name, psnr in self.psnr.items() if name in basis.psnr}
        if not pairs:
            return (NONE,) * 4
        found = picture_interval(pairs)
        if self.title == basis.title:
            return (f"{found.value:+.2f}", *(NONE,) * 3)
        return f"{found.value:+.2f}", f"{found.low:.3f}", f"{found.high:.3f}", found.text

    def cells(self, sigma: float, basis: "Row") -> Sequence[str]:
        """Return means over the pictures, medians of iterations and seconds; the gap only where all are done."""
        numbers: Sequence[str] = (NOT_RUN, *[NONE] * 7)
        if self.found:
            psnr, ssim, seconds, iterations = zip(*self.found.values(), strict=True)
            many = NONE if None in iterations else f"{np.median(iterations):.0f}"
            means = f"{np.mean(psnr):.2f}", f"{np.mean(ssim):.3f}"
            numbers = (means[0], *self.gap(basis), means[1], many, f"{np.median(seconds):.1f}")
        return (f"{sigma:g}", self.title, self.knows_sigma, *numbers, f"{len(self.found)} of {self.count}")


def draw(study: Selection, decoder: Selection) -> Artifact:
    """Draw tables/denoisers."""
    rows, added = [], []
    for noise, sigma in NOISES.items():
        found = [*networks(at(noise, study), at(noise, decoder)), *others(at(noise, study), sigma)]
        named = {row.title: row for row in found}
        rows += [row.cells(sigma, named[METHODS["bm3d"]]) for row in found]
        added.append(f"{describe_added(named[MIXED], named[FILTERS])} at sigma {sigma:g}")
    above = f"{ABOVE} What the networks add to the filters: {', '.join(added)}. {describe_draws(study)}"
    return make_table(table_of(rows, COLUMNS), TITLES, [*study.runs, *decoder.runs], above, waiting(study, decoder))


def describe_added(mixed: Row, filters_alone: Row) -> str:
    """Say by how much one row is above another, with the interval over the pictures."""
    gap, *_, interval = mixed.gap(filters_alone)
    return "not known" if gap == NONE else f"{gap} dB ({interval})"


def describe_draws(study: Selection) -> str:
    """Say how many draws stand behind each strength, as all rows of one share them; empty without runs."""
    counts = {sigma: count_independent(at(noise, study).runs).noise_draws for noise, sigma in NOISES.items()}
    knows_sigma = ", ".join(f"{count} at sigma {sigma:g}" for sigma, count in counts.items() if count)
    return f"Independent noise draws: {knows_sigma}." if knows_sigma else ""


def at(noise: str, selection: Selection) -> Selection:
    """Return those of one noise."""
    return replace(selection, jobs=tuple(job for job in selection.jobs if job.config["experiment"]["noise"] == noise))


def networks(study: Selection, decoder: Selection) -> Iterator[Row]:
    """Return rows of the fitted networks."""
    yield network(MIXED, study, stop_image("split", "mixed"))
    yield network("DIP", study, stop_image("split", "mean"))
    yield network("DIP, one replica", study, stop_image("split", "average"))
    yield network("deep decoder", decoder, "output")


def network(title: str, selection: Selection, image: str) -> Row:
    """Return the scores of one of the images of its runs, of the first replica."""
    return Row(
        title, "no", len(selection.jobs), {picture_name(run.settings): ours(run, image) for run in selection.runs}
    )


def ours(run: Run, image: str) -> Scores:
    """Return the numbers of one of a run's images."""
    scores, summary = run.summary["scores"][image], run.summary
    return scores["psnr"][0], scores["ssim"][0], summary["wall_seconds"], summary["iterations"]


def others(study: Selection, sigma: float) -> Iterator[Row]:
    """Return rows of the other methods, on what the first network of each run saw."""
    baselines: dict[str, tuple[str, Baseline]] = {
        FILTERS: ("no", filters()),
        "ZS-N2N": ("no", zero_shot(study.scale)),
    }
    baselines |= {title: ("yes", denoiser(name, sigma)) for name, title in METHODS.items()}
    for title, (knows_sigma, baseline) in baselines.items():
        found = {picture_name(run.settings): baseline_scores(baseline, run, study.baselines) for run in study.runs}
        scores = {name: (*numbers, None) for name, numbers in found.items() if numbers}
        yield Row(title, knows_sigma, len(study.jobs), scores)


if __name__ == "__main__":
    sys.exit(run_script({"tables/denoisers": draw}, select, *REQUESTS))
