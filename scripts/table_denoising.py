"""The paper's denoising numbers: nine colour pictures at sigma 25, beside ours and other methods'."""

import sys
from statistics import fmean

import numpy as np

from dip_experiments.baselines import DENOISERS
from dip_experiments.drawing.comparison import (
    Mean,
    Numbers,
    Part,
    Row,
    Table,
    final,
    fitted,
    look_up,
    run_table,
    scores,
)
from dip_experiments.drawing.figures import stored
from dip_experiments.metrics import psnr, ssim
from dip_experiments.published import find
from dip_experiments.store import Run, Store

SIGMA = 25.0
"""Grey levels of 255 (paper)."""
AUTHORS, FRESH = "authors' noise", "fresh noise"
SETTINGS = {("noisy25", SIGMA): AUTHORS, ("gaussian", SIGMA): FRESH}
PRINTED_OTHERS = {"published_bm3d": {"method": "cbm3d"}, "published_nlm": {"method": "nlm"}}
RAW, AVERAGED, TWO = (
    Mean(name, column, {"published": {"method": method}, **PRINTED_OTHERS})
    for name, column, method in (
        ("raw", "raw", "dip_1800_iterations"),
        ("averaged", "averaged", "dip_ema"),
        ("two replicas", "two_replicas", "dip_ema_two_runs"),
    )
)
PICTURE = {
    "published": {"method": "deep_prior"},
    "published_bm3d": {"method": "bm3d"},
    "published_nlm": {"method": "nlm"},
}
WHERE = {"table": "denoising", "setting": "sigma25"}
PAGE_MEAN = fmean(number.value for number in find(**WHERE, method="deep_prior"))
BELOW = f"""\
PSNR in dB over all channels, SSIM between 0 and 1; every number of ours is the mean over the seeds.

- `ours`: of a picture, `averaged`; of a mean, the column that its name says. `spread`: largest minus smallest seed.
- `raw`: the last output. `averaged`: the running average of all outputs, after the last iteration; `ssim` is of it.
  `two_replicas`: the mean of the first two seeds' averages; with fresh noise they would have seen two noisy pictures.
  `oracle`: the best `averaged` of any iteration, which only the clean picture tells.
- {AUTHORS}: the noisy pictures that the authors published, the same for every seed. {FRESH}: one for every seed.
- `noisy`, `nlm`, `tv`, `wavelet`, `bm3d`: the noisy picture of the first seed (8 bit) and other methods on it.
  `pixels_tv`: no network, the pixels themselves fitted with total variation.
- `minutes`: wall time of one run, all seeds.
- `published` of a picture is computed from the results on the authors' project page (see `source`). These average
  {PAGE_MEAN:.2f} dB, above every mean printed in the paper: the two kinds must not be mixed."""


def setting(run: Run) -> str:
    """The noise of a run; empty for one that the table does not tell of."""
    noise = run.settings["task"]["noise"]
    return SETTINGS.get((noise["name"], noise.get("sigma", SIGMA)), "")


def measure(run: Run) -> Numbers:
    """Ours from curves and stored pictures, the other methods' from the noisy picture of replica 0."""
    noisy, clean = stored(run, "target", 0), stored(run, "reference", 0)
    numbers = {
        "raw": final(run, "psnr_reference"),
        "averaged": final(run, "psnr_average"),
        "oracle": np.array(run.summary["oracle_peak"]["psnr_average"]),
        "ssim": scores(run, "average", ssim),
        "noisy": np.array([psnr(noisy, clean)]),
    }
    if setting(run) == AUTHORS and len(numbers["raw"]) > 1:
        both = (stored(run, "average", 0) + stored(run, "average", 1)) / 2
        numbers["two_replicas"] = np.array([psnr(both, clean)])
    return numbers | {name: np.array([psnr(method(noisy, SIGMA), clean)]) for name, method in DENOISERS.items()}


def stand_in(store: Store, scale: str) -> list[Row]:
    """The paper's network on a part of F16, if it has been fitted at paper scale."""
    if scale != "paper":
        return []
    rows = []
    for run in store.finished("fig4_stand_in", scale):
        size, published = run.settings["image"]["size"], look_up(TABLE.parts[0], "f16", PICTURE)
        words = f"middle {size} x {size}, the paper's network (stands in)"
        row = Row(run.settings["image"]["name"], words, TABLE.ours, published, published["published"].source)
        rows.append(fitted(TABLE, row, run))
    return rows


TABLE = Table(
    name="denoising",
    metric="psnr_rgb",
    ours="averaged",
    columns=("raw", "averaged", "two_replicas", "oracle", "ssim", "noisy", "nlm", "tv", "wavelet", "bm3d"),
    parts=(
        Part("cset9", AUTHORS, WHERE, PICTURE, (RAW, AVERAGED, TWO)),
        Part("cset9", FRESH, WHERE, PICTURE, (RAW, AVERAGED)),
    ),
    setting=setting,
    measure=measure,
    last=lambda run: final(run, "psnr_reference"),
    above="Denoising of nine colour pictures (CSet9) at sigma 25.",
    below=BELOW,
    lacking={} if "bm3d" in DENOISERS else {"bm3d": "not installed"},
)

if __name__ == "__main__":
    sys.exit(run_table(TABLE, stand_in))
