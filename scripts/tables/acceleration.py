"""Ways to need fewer iterations: peak PSNR and time, compared with the paper's settings.

Experiments: precision, acceleration. Writes: tables/acceleration. Command: make table-acceleration
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import format_interval
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import format_seeds, picture_name
from dip_experiments.analysis.run_data import Array, peak_differences, peak_gaps, peak_iterations, peak_values
from dip_experiments.analysis.table import NONE, job_rows, make_table
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, waiting

PAPER = (0.01, [0.9, 0.999])
"""Rate and betas of Adam (authors)."""
UNIFORM = "architecture.gamma=uniform"
REQUESTS = (
    ["precision", "precision=float32"],
    ["precision", "precision=float32", UNIFORM],
    ["acceleration"],
    ["acceleration", "optimizer=adam_one_cycle", UNIFORM],
)
"""The paper's settings; with the norms' start of 2018; faster ones; the fastest with that start."""
NUMBERS = (
    "seeds",
    "iterations",
    "peak_iteration",
    "peak_psnr_average",
    "minus_paper",
    "worst_seed",
    "seconds",
    "times_fewer_iterations",
)
TITLES = {
    "settings": "settings",
    "image": "image",
    "peak_iteration": "at",
    "peak_psnr_average": "peak",
    "minus_paper": "gap",
    "worst_seed": "worst gap",
    "seconds": "seconds",
    "times_fewer_iterations": "fewer",
}
ABOVE = """\
Denoising at sigma 25. `peak`: the best of the averaged image in dB, `at` which iteration, means over the seeds; only
the clean picture tells. `gap` compares the peaks seed by seed with the paper's settings, `worst gap` is the largest of
these differences. `seconds`: wall time of all seeds together until the peak, on a machine that may have had other work
too; `fewer`: how many times fewer iterations until the peak; `uniform`: norms start as U(0, 1), as in the PyTorch
of 2018."""


def draw(paper: Selection, *others: Selection) -> Artifact:
    """Draw tables/acceleration."""
    jobs = sorted(
        (job for selection in (paper, *others) for job in selection.jobs),
        key=lambda job: (not label(job.config).startswith("paper"), label(job.config)),
    )
    basis = {picture_name(run.settings): run for run in paper.runs}
    frame = job_rows(
        jobs,
        {"settings": label, "image": picture_name},
        NUMBERS,
        lambda run: numbers(run, basis.get(picture_name(run.settings))),
    )
    runs = [job.run for job in jobs if job.run]
    return make_table(frame, TITLES, runs, f"{ABOVE} {verdict(runs, basis)}", waiting(paper, *others))


def verdict(runs: Sequence[Run], basis: Mapping[str, Run]) -> str:
    """Say by how much each of the settings differs from the paper's over the pictures; nothing without a pair."""
    gaps: dict[str, dict[str, Array]] = {}
    for run in runs:
        paper = basis.get(picture_name(run.settings))
        if paper != run and (gap := peak_differences(run, paper)).size:
            gaps.setdefault(label(run.settings), {})[picture_name(run.settings)] = gap
    gaps_text = "; ".join(f"{settings}: {format_interval(gap)}" for settings, gap in gaps.items())
    return f"Gaps over the pictures, mean and 95 % interval: {gaps_text}." if gaps_text else ""


def numbers(run: Run, paper: Run | None) -> tuple[str, ...]:
    """Return one line of the table."""
    fewer = f"{peak_at(paper) / peak_at(run):.2f}" if paper else NONE
    return (
        format_seeds(run),
        str(run.summary["iterations"]),
        f"{peak_at(run):.0f}",
        f"{peak_values(run, 'psnr_average').mean():.2f}",
        *peak_gaps(run, paper, 2),
        f"{run.summary['wall_seconds'] * peak_at(run) / run.summary['iterations']:.0f}",
        fewer,
    )


def label(config: Mapping[str, Any]) -> str:
    """Return the differences from the paper's settings."""
    adam = config["optimizer"]
    betas = adam.get("betas")
    own = f"Adam {adam['lr']:g}, beta2 {betas[1]:g}" if betas else f"{adam['name']} {adam['lr']:g}"
    named = (
        "paper" if (adam["lr"], betas) == PAPER else own,
        "one-cycle" if adam["name"] == "adam_one_cycle" else None,
        "uniform" if config["architecture"].get("gamma") == "uniform" else None,
    )
    return ", ".join(filter(None, named))


def peak_at(run: Run) -> float:
    """Return the iteration of the average's peak, mean over the seeds."""
    return float(peak_iterations(run, "psnr_average").mean())


if __name__ == "__main__":
    sys.exit(run_script({"tables/acceleration": draw}, select, *REQUESTS))
