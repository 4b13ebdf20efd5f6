"""Reduced precision: quality of denoising, and Figure 2's iterations, in float32 and in bfloat16.

Experiments: precision, precision_fig2. Writes: tables/precision, tables/precision_fig2. Command: make table-precision
"""

import sys
from collections.abc import Mapping

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import format_interval
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.impedance import impedance_table
from dip_experiments.analysis.labels import format_seeds, picture_name
from dip_experiments.analysis.run_data import peak_differences, peak_gaps, peak_values
from dip_experiments.analysis.table import job_rows, make_table
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection

NAMES = {"image": picture_name, "precision": lambda config: config["precision"]}
NUMBERS = (
    "seeds",
    "peak_psnr_average",
    "peak_psnr_output",
    "average_minus_float32",
    "worst_seed",
    "seconds_per_iteration",
)
TITLES = {
    "image": "image",
    "precision": "precision",
    "seeds": "seeds",
    "peak_psnr_average": "peak, average",
    "peak_psnr_output": "peak, output",
    "average_minus_float32": "minus float32",
    "worst_seed": "worst seed",
    "seconds_per_iteration": "s/iteration",
}
ABOVE = """\
Denoising at sigma 25 in both precisions. Peaks are the oracle's, in dB, means over the seeds; `minus float32` compares
the averages' peaks seed by seed, `worst seed` is the largest of these differences."""
VERDICT = "bf16 less float32, mean over the pictures with its 95 % interval: {}."
IMPEDANCE_NAMES = {"target": lambda config: config["target"]["name"], "precision": lambda config: config["precision"]}
IMPEDANCE_ABOVE = """\
Figure 2's network in both precisions: iterations until 90 % of the target's variance is explained, median, least and
most over the seeds, and the ratio of the medians to that of the natural image."""


def draw_quality(selection: Selection) -> Artifact:
    """Draw tables/precision: peaks are the oracle's, means over the seeds, in dB."""
    plain = {picture_name(run.settings): run for run in selection.runs if run.settings["precision"] == "float32"}
    frame = job_rows(selection.jobs, NAMES, NUMBERS, lambda run: quality(run, plain.get(picture_name(run.settings))))
    return make_table(frame, TITLES, selection.runs, f"{ABOVE} {verdict(selection, plain)}", selection.waiting)


def verdict(selection: Selection, plain: Mapping[str, Run]) -> str:
    """Say what bfloat16 changes over the pictures that were fitted in both precisions; nothing without one."""
    lower = {picture_name(run.settings): run for run in selection.runs if run.settings["precision"] == "bf16"}
    apart = {image: peak_differences(run, plain[image]) for image, run in lower.items() if image in plain}
    some = {image: values for image, values in apart.items() if values.size}
    return VERDICT.format(format_interval(some)) if some else ""


def draw_impedance(selection: Selection) -> Artifact:
    """Draw tables/precision_fig2; `>N` where 90 % was not reached in N iterations."""
    return impedance_table(selection, IMPEDANCE_NAMES, IMPEDANCE_NAMES["precision"], "ratio", IMPEDANCE_ABOVE)


def quality(run: Run, plain: Run | None) -> tuple[str, ...]:
    """Return the numbers of a run, compared with the float32 run of the same image."""
    return (
        format_seeds(run),
        f"{peak_values(run, 'psnr_average').mean():.2f}",
        f"{peak_values(run, 'psnr_reference').mean():.2f}",
        *peak_gaps(run, plain, 3),
        f"{run.summary['wall_seconds'] / run.summary['iterations']:.4f}",
    )


if __name__ == "__main__":
    sys.exit(
        run_script({"tables/precision": draw_quality}, select, ["precision"])
        or run_script({"tables/precision_fig2": draw_impedance}, select, ["precision_fig2"])
    )
