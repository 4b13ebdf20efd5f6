"""Table 1 of the paper, half of the pixels missing in eleven grey pictures, beside ours and other methods'."""

import sys

import numpy as np

from dip_experiments.baselines import INPAINTERS
from dip_experiments.drawing.comparison import Mean, Numbers, Part, Table, final, run_table, scores
from dip_experiments.drawing.figures import stored
from dip_experiments.metrics import psnr, ssim
from dip_experiments.store import Run

SETTING = "50 % missing"
WHERE = {"table": "inpainting", "setting": "missing50"}
PICTURE = {"published": {"method": "dip"}, "published_papyan": {"method": "papyan", "source": "CVPR Table 1"}}
PRINTED = Mean("", "unperturbed", {"published": {"method": "dip"}, "published_papyan": {"method": "papyan"}})
BELOW = """\
PSNR in dB over all pixels, the known ones too, SSIM between 0 and 1; every number of ours is the mean over the seeds.

- `ours`: the output for the unperturbed latent after the last iteration, the authors' choice; `ssim` is of it.
  `spread`: largest minus smallest seed. `last`: the last output, for a perturbed latent. `averaged`: the running
  average of all outputs.
- `nearest`: the nearest known pixel. `biharmonic`: the smooth surface through the known pixels. `pixels_tv`: no
  network, the pixels themselves fitted with total variation. `minutes`: wall time of one run, all seeds.
- `published_papyan`: convolutional sparse coding (Papyan et al. 2017), as printed in the paper's Table 1."""


def measure(run: Run) -> Numbers:
    """Ours from curves and stored pictures, the other methods' from the picture with holes."""
    holes, clean = stored(run, "target", 0), stored(run, "reference", 0)
    known = holes > 0  # what the authors' masks are read from: their black pixels all count as missing
    return {
        "unperturbed": scores(run, "unperturbed", psnr),
        "last": final(run, "psnr_reference"),
        "averaged": final(run, "psnr_average"),
        "ssim": scores(run, "unperturbed", ssim),
        **{name: np.array([psnr(method(holes, known), clean)]) for name, method in INPAINTERS.items()},
    }


TABLE = Table(
    name="inpainting",
    metric="psnr_gray",
    ours="unperturbed",
    columns=("last", "averaged", "ssim", *INPAINTERS),
    parts=[Part("standard11", SETTING, WHERE, PICTURE, [PRINTED])],
    setting=lambda run: SETTING if run.settings["task"]["mask"]["name"] == "authors" else "",
    measure=measure,
    last=lambda run: final(run, "psnr_reference"),
    above="Inpainting of eleven grey pictures, half of the pixels missing, the authors' masks (Table 1 of the paper).",
    below=BELOW,
)

if __name__ == "__main__":
    sys.exit(run_table(TABLE))
