"""Table 1 of the paper: half of the pixels missing in eleven grey images, ours, published and of other methods.

Experiments: table_inpainting, pixels_inpainting. Writes: tables/inpainting. Command: make table-inpainting
"""

import sys

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import baseline_columns, inpainter
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.paper_rows import PIXELS, Mean, Numbers, Part, Table
from dip_experiments.analysis.paper_table import paper_table
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Baselines, Run, Selection

SETTING = "50 % missing"
METHODS = ("nearest", "biharmonic")
WHERE = {"table": "inpainting", "setting": "missing50"}
PICTURE = {"published": {"method": "dip"}, "published_papyan": {"method": "papyan", "source": "CVPR Table 1"}}
PRINTED = Mean("", "unperturbed", {"published": {"method": "dip"}, "published_papyan": {"method": "papyan"}})
TITLES = {
    "image": "image",
    "ours": "ours",
    "averaged": "averaged",
    "ssim": "SSIM",
    "biharmonic": "biharmonic",
    "pixels_tv": "pixels, TV",
    "published": "published",
    "published_papyan": "Papyan",
}
BELOW = """\
PSNR in dB over all pixels, the known ones too, SSIM between 0 and 1; every number of ours is the mean over the seeds.
More columns are in the CSV, there by these names:

- `ours`: the output for the unperturbed latent after the last iteration, the authors' choice; `ssim` is of it.
  `spread`: largest minus smallest seed. `last`: the last output, for a perturbed latent. `averaged`: the running
  average of all outputs.
- `nearest`: the nearest known pixel. `biharmonic`: the smooth surface through the known pixels. `pixels_tv`: no
  network, the pixels themselves fitted with total variation. `minutes`: wall time of one run, all seeds.
- `published_papyan`: convolutional sparse coding (Papyan et al. 2017), as printed in the paper's Table 1."""


def measure(run: Run, stored_baselines: Baselines) -> Numbers:
    """Measure ours, and the other methods on what the first seed saw."""
    return {
        "unperturbed": run.scores("unperturbed", "psnr"),
        "last": run.scores("output", "psnr"),
        "averaged": run.scores("average", "psnr"),
        "ssim": run.scores("unperturbed", "ssim"),
        **baseline_columns({name: inpainter(name) for name in METHODS}, "psnr", run, stored_baselines),
    }


def draw(fits: Selection, plain: Selection) -> Artifact:
    """Draw tables/inpainting, complete or not."""
    return paper_table(TABLE, fits, plain)


TABLE = Table(
    name="inpainting",
    metric="psnr_gray",
    ours="unperturbed",
    columns=("last", "averaged", "ssim", *METHODS),
    baselines=("biharmonic", PIXELS),
    parts=[Part("standard11", SETTING, WHERE, PICTURE, [PRINTED])],
    setting=lambda config: SETTING if config["task"]["mask"]["name"] == "authors" else "",
    measure=measure,
    last=lambda run: run.scores("output", "psnr"),
    titles=TITLES,
    above="Inpainting of eleven grey pictures, half of the pixels missing, the authors' masks (Table 1 of the paper).",
    below=BELOW,
)

if __name__ == "__main__":
    sys.exit(run_script({"tables/inpainting": draw}, select, ["table_inpainting"], ["pixels_inpainting"]))
