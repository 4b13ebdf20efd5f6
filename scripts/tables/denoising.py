"""The paper's denoising numbers: nine colour images at sigma 25, ours, published and of other methods.

Experiments: table_denoising, pixels_denoising, fig4_stand_in.
Writes: tables/denoising. Command: make table-denoising EXTRAS=bm3d
"""

import sys
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import SIGMA, baseline_columns, denoiser
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.paper_rows import Mean, Numbers, Part, Row, Table, fill_row, look_up
from dip_experiments.analysis.paper_table import paper_table
from dip_experiments.analysis.run_data import peak_values
from dip_experiments.baselines.classical import DENOISERS
from dip_experiments.published import find
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Baselines, Run, Selection

AUTHORS, FRESH = "authors' noise", "fresh noise"
SETTINGS = {("noisy25", SIGMA): AUTHORS, ("gaussian", SIGMA): FRESH}
METHODS = ("nlm", "tv", "wavelet", "bm3d")
PRINTED_OTHERS = {"published_bm3d": {"method": "cbm3d"}, "published_nlm": {"method": "nlm"}}
RAW, UNPERTURBED, AVERAGED, TWO = (
    Mean(name, column, {"published": {"method": method}, **PRINTED_OTHERS})
    for name, column, method in (
        ("raw", "raw", "dip_1800_iterations"),
        ("unperturbed", "unperturbed", "dip_1800_iterations"),
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
TITLES = {
    "image": "image",
    "ours": "ours",
    "raw": "raw",
    "two_replicas": "two replicas",
    "oracle": "oracle",
    "nlm": "NLM",
    "bm3d": "BM3D",
    "published": "published",
}
BELOW = f"""\
PSNR in dB over all channels, SSIM between 0 and 1; every number of ours is the mean over the seeds. More columns are in
the CSV, there by these names:

- `ours`: of a picture, `averaged`; of a mean, the column that its name says. `spread`: largest minus smallest seed.
- `raw`: the last output, for a perturbed latent. `unperturbed`: the output for the latent without noise on it, after
  the last iteration; the paper does not say which of the two its number is of. `averaged`: the running average of all
  outputs, after the last iteration; `ssim` is of it. `two_replicas`: the mean of the first two seeds' averages; with
  fresh noise they would have seen two noisy pictures. `oracle`: the best `averaged` of any iteration, which only the
  clean picture tells.
- {AUTHORS}: the noisy pictures that the authors published, the same for every seed.
  {FRESH}: one for every seed.
- `noisy`, `nlm`, `tv`, `wavelet`, `bm3d`: the noisy picture of the first seed and other methods on it.
  `pixels_tv`: no network, the pixels themselves fitted with total variation.
- `minutes`: wall time of one run, all seeds.
- `published` of a picture is computed from the results on the authors' project page (see `source`). These average
  {PAGE_MEAN:.2f} dB, above every mean printed in the paper: the two kinds must not be mixed."""


def setting(config: Mapping[str, Any]) -> str:
    """Return the noise of a run; empty for one that the table leaves out."""
    noise = config["task"]["noise"]
    return SETTINGS.get((noise["name"], noise.get("sigma", SIGMA)), "")


def measure(run: Run, stored_baselines: Baselines) -> Numbers:
    """Measure ours, and the other methods on what the first seed saw."""
    numbers = {
        "raw": run.scores("output", "psnr"),
        "unperturbed": run.scores("unperturbed", "psnr"),
        "averaged": run.scores("average", "psnr"),
        "oracle": peak_values(run, "psnr_average"),
        "ssim": run.scores("average", "ssim"),
        "noisy": run.scores("measurement", "psnr")[:1],
    }
    if setting(run.settings) == AUTHORS and "mean_of_2" in run.summary["scores"]:
        numbers["two_replicas"] = run.scores("mean_of_2", "psnr")
    return numbers | baseline_columns({name: denoiser(name, SIGMA) for name in METHODS}, "psnr", run, stored_baselines)


def stand_in_row(run: Run, stored_baselines: Baselines) -> Row:
    """Return the row of the paper's network on a part of F16."""
    size, published = run.settings["image"]["size"], look_up(TABLE.parts[0], "f16", PICTURE)
    config = f"middle {size} x {size}, the paper's network (stands in)"
    row = Row(run.settings["image"]["name"], config, TABLE.ours, published, published["published"].source)
    return fill_row(TABLE, row, run, stored_baselines)


def draw(fits: Selection, plain: Selection, smaller: Selection | None = None) -> Artifact:
    """Draw tables/denoising, complete or not; at scale paper with the stand-in, if it is run."""
    stand_ins = smaller.runs if smaller and fits.scale == "paper" else []
    return paper_table(TABLE, fits, plain, [stand_in_row(run, fits.baselines) for run in stand_ins])


TABLE = Table(
    name="denoising",
    metric="psnr_rgb",
    ours="averaged",
    columns=("raw", "unperturbed", "averaged", "two_replicas", "oracle", "ssim", "noisy", *METHODS),
    baselines=("nlm", "bm3d"),
    parts=(
        Part("cset9", AUTHORS, WHERE, PICTURE, (RAW, UNPERTURBED, AVERAGED, TWO)),
        Part("cset9", FRESH, WHERE, PICTURE, (RAW, UNPERTURBED, AVERAGED)),
    ),
    setting=setting,
    measure=measure,
    last=lambda run: run.scores("output", "psnr"),
    titles=TITLES,
    above="Denoising of nine colour pictures (CSet9) at sigma 25.",
    below=BELOW,
    lacking={} if "bm3d" in DENOISERS else {"bm3d": "not installed"},
)
REQUESTS = (["table_denoising"], ["pixels_denoising"], ["fig4_stand_in"])

if __name__ == "__main__":
    sys.exit(run_script({"tables/denoising": draw}, select, *REQUESTS))
