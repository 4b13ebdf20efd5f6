"""The paper's super-resolution numbers: Set5 and Set14, 4 and 8 times larger, beside ours and other methods'."""

import sys

import numpy as np

from dip_experiments.baselines import UPSAMPLERS
from dip_experiments.drawing.comparison import (
    Array,
    Mean,
    Numbers,
    Part,
    Table,
    last_output,
    run_table,
    scores,
)
from dip_experiments.drawing.figures import stored
from dip_experiments.metrics import psnr_y_authors, ssim
from dip_experiments.store import Run

PRINTED = Mean("", "last", {"published": {"method": "dip"}, "published_bicubic": {"method": "bicubic"}})
DEEP_PRIOR = {"x4": ("deep_prior", ""), "x8": ("deep_prior_005", "perturbation .05")}
"""The page's name for the authors' method, and what is to be said of it; it has two perturbations at x8."""
BELOW = """\
PSNR in dB of the brightness, without the borders, as in the authors' tables; SSIM between 0 and 1, over the whole
picture; every number of ours is the mean over the seeds.

- `ours`: the last output, the authors' choice; `ssim` is of it. `spread`: largest minus smallest seed. `averaged`:
  the running average of all outputs.
- `nearest`, `bicubic`, `lanczos`: the small picture enlarged by these. `pixels_tv`: no network, the pixels
  themselves fitted with total variation. `minutes`: wall time of one run, all seeds.
- `published_bicubic`: the authors enlarged a small picture that was itself made by *bicubic* reduction. The task,
  theirs and ours, measures one made by Lanczos reduction; from that one, as in `bicubic`, the same method is about
  0.3 dB better (Set5, x4). Compare `ours` with `bicubic`."""


def part(dataset: str, setting: str) -> Part:
    """The rows of one data set at one factor."""
    method, remark = DEEP_PRIOR[setting]
    methods = {
        "published": {"method": method},
        "published_bicubic": {"method": "bicubic"},
        "published_tv_prior": {"method": "tv_prior"},
    }
    return Part(dataset, setting, {"table": "super_resolution", "setting": setting}, methods, [PRINTED], remark)


def measure(run: Run) -> Numbers:
    """All from the stored pictures, the other methods' from the small one."""
    small, reference = stored(run, "target", 0), stored(run, "reference", 0)
    factor = run.settings["task"]["factor"]
    return {
        "last": last(run),
        "averaged": scores(run, "average", psnr_y_authors),
        "ssim": scores(run, last_output(run), ssim),
        **{name: np.array([psnr_y_authors(f(small, factor), reference)]) for name, f in UPSAMPLERS.items()},
    }


def last(run: Run) -> Array:
    """Of the last output."""
    return scores(run, last_output(run), psnr_y_authors)


TABLE = Table(
    name="super_resolution",
    metric="psnr_y_authors",
    ours="last",
    columns=("averaged", "ssim", *UPSAMPLERS),
    parts=[part(dataset, setting) for setting in DEEP_PRIOR for dataset in ("set5", "set14")],
    setting=lambda run: f"x{run.settings['task']['factor']}",
    measure=measure,
    last=last,
    above="Super-resolution, 4 and 8 times, of Set5 and Set14.",
    below=BELOW,
)

if __name__ == "__main__":
    sys.exit(run_table(TABLE))
