"""The command restore_noisy beside what one would pick instead: quality and seconds at three strengths of noise."""

import sys
from collections.abc import Iterator, Sequence

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
METHODS = {"nlm": "NLM", "tv": "TV", "wavelet": "wavelet", "dct": "sliding DCT", "bm3d": "BM3D"}
TITLES = {
    "sigma": "sigma",
    "method": "method",
    "knows_sigma": "told sigma?",
    "psnr": "PSNR",
    "psnr_gap": "minus BM3D",
    "ssim": "SSIM",
    "seconds": "seconds",
    "pictures": "pictures",
}
ABOVE = """\
Denoising of colour pictures (CSet9), means over the pictures; PSNR in dB over all channels. `DIP, mixed` is what the
command restore_noisy gives: the mean of four networks where the split stops them, with as much of NLM, of the sliding
DCT and of a Wiener filter as the split chooses; `DIP` the same without these, `DIP, one replica` the first network at
its own stop. These estimate sigma, and see nothing but the noisy picture. ZS-N2N is ours from its description.
`seconds`: wall time of one picture in the median, of all four networks for the rows of DIP; taken on one thread while
other work ran beside. `pictures`: how many of nine were done."""


def draw(study: Selection, decoder: Selection) -> Page:
    """Writes tables/denoisers."""
    columns: dict[str, list[str]] = {name: [] for name in TITLES}
    for noise, sigma in NOISES.items():
        for cells in rows(study, decoder, noise, sigma):
            add_row(columns, *cells)
    return table_page(columns, TITLES, [*study.runs, *decoder.runs], ABOVE, waiting(study, decoder))


def rows(study: Selection, decoder: Selection, noise: str, sigma: float) -> Iterator[Sequence[str]]:
    """All methods at one strength of noise."""
    runs, decoders = (
        [run for run in one.runs if run.settings["experiment"]["noise"] == noise] for one in (study, decoder)
    )
    count = sum(job.words["experiment"]["noise"] == noise for job in study.jobs)
    found: dict[str, tuple[str, list[tuple[float, float, float]]]] = {
        "DIP, mixed": ("no", [ours(run, stop_image("split", "mixed")) for run in runs]),
        "DIP": ("no", [ours(run, stop_image("split", "mean")) for run in runs]),
        "DIP, one replica": ("no", [ours(run, stop_image("split", "average")) for run in runs]),
        "deep decoder": ("no", [ours(run, "output") for run in decoders]),
    }
    others: dict[str, tuple[str, Rival]] = {"ZS-N2N": ("no", zero_shot(study.scale))}
    others |= {title: ("yes", denoiser(name, sigma)) for name, title in METHODS.items()}
    for title, (told, rival) in others.items():
        found[title] = (told, [scores for run in runs if (scores := rival_scores(rival, run, study.baselines))])
    whole = {title: np.array(numbers) for title, (_, numbers) in found.items() if len(numbers) == count > 0}
    basis = whole["BM3D"][:, 0].mean() if "BM3D" in whole else None
    for title, (told, numbers) in found.items():
        cells = means(numbers, basis if title in whole else None)
        yield (f"{sigma:g}", title, told, *cells, f"{len(numbers)} of {count}")


def means(numbers: Sequence[tuple[float, float, float]], basis: float | None) -> Sequence[str]:
    """Mean PSNR, that less BM3D's where both have all pictures, mean SSIM, the median of the seconds."""
    if not numbers:
        return (NOT_RUN, NONE, NONE, NONE)
    (psnr, ssim, _), seconds = np.mean(numbers, axis=0), np.median([seconds for *_, seconds in numbers])
    return (f"{psnr:.2f}", NONE if basis is None else f"{psnr - basis:+.2f}", f"{ssim:.3f}", f"{seconds:.1f}")


def ours(run: Run, image: str) -> tuple[float, float, float]:
    """PSNR, SSIM and seconds of one of a run's images, of the first replica where there are several."""
    scores = run.summary["scores"][image]
    return scores["psnr"][0], scores["ssim"][0], run.summary["wall_seconds"]


if __name__ == "__main__":
    sys.exit(run_script("tables/denoisers", draw, select, ["denoisers"], ["denoisers_decoder"]))
