"""The paper's super-resolution numbers: Set5 and Set14, x4 and x8, ours, published and of other methods.

Experiments: table_super_resolution, pixels_super_resolution.
Writes: tables/super_resolution. Command: make table-super-resolution
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import baseline_columns, upsampler
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.paper_rows import PIXELS, Mean, Numbers, Part, Table
from dip_experiments.analysis.paper_table import paper_table
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Baselines, Run, Selection

METRIC = "psnr_y_authors"
METHODS = ("nearest", "bicubic", "lanczos")
PRINTED = Mean("", "last", {"published": {"method": "dip"}, "published_bicubic": {"method": "bicubic"}})
DEEP_PRIOR = {"x4": ("deep_prior", ""), "x8": ("deep_prior_005", "perturbation .05")}
"""The project page's name of the authors' method, and a remark; it has two perturbations at x8."""
TITLES = {
    "image": "image",
    "ours": "ours",
    "averaged": "averaged",
    "bicubic": "bicubic",
    "lanczos": "Lanczos",
    "pixels_tv": "pixels, TV",
    "published": "published",
    "published_bicubic": "their bicubic",
}
BELOW = """\
PSNR in dB of the brightness, without the borders, as in the authors' tables; SSIM between 0 and 1, over the whole
picture; every number of ours is the mean over the seeds. More columns are in the CSV, there by these names:

- `ours`: the last output, the authors' choice; `ssim` is of it. `spread`: largest minus smallest seed. `averaged`:
  the running average of all outputs.
- `nearest`, `bicubic`, `lanczos`: the small picture enlarged by these. `pixels_tv`: no network, the pixels
  themselves fitted with total variation. `minutes`: wall time of one run, all seeds.
- `published_bicubic`: the authors enlarged a small picture that was itself made by *bicubic* reduction. The task,
  theirs and ours, measures one made by Lanczos reduction; from that one, as in `bicubic`, the same method is about
  0.3 dB better (Set5, x4). Compare `ours` with `bicubic`."""


def part(dataset: str, setting: str) -> Part:
    """Return the rows of one data set at one factor."""
    method, remark = DEEP_PRIOR[setting]
    methods = {
        "published": {"method": method},
        "published_bicubic": {"method": "bicubic"},
        "published_tv_prior": {"method": "tv_prior"},
    }
    return Part(dataset, setting, {"table": "super_resolution", "setting": setting}, methods, [PRINTED], remark)


def measure(run: Run, stored_baselines: Baselines) -> Numbers:
    """Measure ours, and the other methods from the small picture."""
    factor = run.settings["task"]["factor"]
    return {
        "last": run.scores("output", METRIC),
        "averaged": run.scores("average", METRIC),
        "ssim": run.scores("output", "ssim"),
        **baseline_columns({name: upsampler(name, factor) for name in METHODS}, METRIC, run, stored_baselines),
    }


def draw(fits: Selection, plain: Selection) -> Artifact:
    """Draw tables/super_resolution, complete or not."""
    return paper_table(TABLE, fits, plain)


TABLE = Table(
    name="super_resolution",
    metric=METRIC,
    ours="last",
    columns=("averaged", "ssim", *METHODS),
    baselines=("bicubic", "lanczos", PIXELS),
    parts=[part(dataset, setting) for setting in DEEP_PRIOR for dataset in ("set5", "set14")],
    setting=lambda config: f"x{config['task']['factor']}",
    measure=measure,
    last=lambda run: run.scores("output", METRIC),
    titles=TITLES,
    above="Super-resolution, 4 and 8 times, of Set5 and Set14.",
    below=BELOW,
)

REQUESTS = (["table_super_resolution"], ["pixels_super_resolution"])

if __name__ == "__main__":
    sys.exit(run_script({"tables/super_resolution": draw}, select, *REQUESTS))
