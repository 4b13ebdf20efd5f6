"""PSNR over the iterations with the PyTorch of 2018 and today's, compared with the authors' images and code.

Experiment: trajectory. Writes: figures/trajectory, tables/trajectory. Command: make table-trajectory
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.curves import Curve, curve_of, plot_band, value_at
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.labels import format_seeds, format_size
from dip_experiments.analysis.run_data import Array, peak_iterations, peak_values
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, WIDTH
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of, tabulate_curves
from dip_experiments.published import code_curves, trajectory
from dip_experiments.runner.select_runs import PRECISIONS, select
from dip_experiments.store import Job, Run, Selection, waiting

LABELS = {
    "gamma_uniform": "uniform",
    "gamma_one": "one (today)",
    "corners_aligned": "uniform, aligned",
    "perturbation_weak": "uniform, p 1/50",
}
F16 = "cset9/f16"
REQUESTS = (
    ["trajectory"],
    ["trajectory", "replicas=1", "seed=0,1,2", "precision=float32,bf16"],
    ["trajectory", "image=cset9/house", "experiment.setting=gamma_uniform", "precision=float32,bf16"],
)
"""The grid, the same seed by seed in both precisions, and one setting in both."""
TITLES = {
    "picture": "picture",
    "setting": "gamma",
    "output_early": "early",
    "output_late": "late",
    "average_late": "averaged",
    "oracle_peak_output": "peak",
    "oracle_peak_at": "at",
}
COLUMNS = (
    *TITLES,
    "image",
    "seeds",
    "size",
    "unperturbed_last",
    "iterations",
    "device",
    "precision",
    "seconds_per_iteration_and_seed",
)
ABOVE = """\
Denoising of the authors' noisy pictures at sigma 25 (Figure 4) with what changed between the PyTorch of 2018 and
today's; `gamma` says how the norms start; `aligned`: corners, when upsampling, as before PyTorch 0.4; `p 1/50`: a
perturbation of the latent of that sigma_p instead of 1/30. PSNR in dB of single outputs, mean over the seeds (half
their range), early at iteration {early} and late at {late}; `averaged` is of the average, late; peaks are the oracle's,
of single outputs. The authors' own numbers are of F16: {source}."""
SOURCES = {
    True: "computed from the pictures on their project page, 512 x 512, one run",
    False: "their public code as we ran it, with their network and settings, on the middle 128 x 128",
}
COLOURS = {"gamma_uniform": BLUE, "gamma_one": ORANGE, "corners_aligned": GREEN, "perturbation_weak": RED}
MEANING = "aligned: corners, when upsampling; p: sigma_p of the latent's perturbation, else 1/30"
LEAST = 20.0
"""dB from which on curves are drawn: before, all are alike."""


@dataclass(frozen=True)
class Theirs:
    """Curves of F16 that are not ours: `iteration` "n", `output` "seeds n" and, where it is known, `average`, in dB."""

    name: str
    iteration: Array
    output: Array
    average: Array | None = None


def theirs(scale: str) -> Theirs:
    """Return the authors' pictures at scale paper; below it their public code, run on the middle of the picture."""
    if scale == "paper":
        iterations, psnr = trajectory("f16")
        return Theirs("the authors' pictures", iterations + 1, psnr[None])
    curves = code_curves("f16_middle128")
    return Theirs("the authors' code", curves["iteration"], curves["psnr_output"], curves["psnr_average"])


@dataclass(frozen=True)
class Row:
    """A job by its config, and its run, or the runs of its seeds if these were fitted one by one; none if not run.

    All runs of a row are of one precision.
    """

    config: Mapping[str, Any]
    runs: tuple[Run, ...]

    @property
    def label(self) -> str:
        """Return the setting; the precision of its runs, if that is not float32; how many seeds, if not all.

        The runs themselves may be another experiment's: the settings of trajectory are in the job's config only.
        """
        config, seeds = self.config, sum(len(run.seeds) for run in self.runs)
        precision = self.runs[0].settings["precision"] if self.runs else config["precision"]
        few = f"{seeds} seed{'s' * (seeds > 1)}" if 0 < seeds < config["replicas"] else None
        named = LABELS[config["experiment"]["setting"]], None if precision == "float32" else precision, few
        return ", ".join(filter(None, named))


def rows_of(grid: Selection, by_seed: Selection) -> list[Row]:
    """Return a row for each job of the grid; without a run of its own by those of its seeds, a row per precision."""
    return [row for job in grid.jobs for row in _rows(job, grid, by_seed)]


def still_waiting(grid: Selection, by_seed: Selection) -> str:
    """Return which runs are missing, and the commands that make them; the other seeds of a job with one seed fitted."""
    partial = [job for job in grid.jobs if not job.run and _fitted(_most(job, grid, by_seed))]
    rest = [job for job in grid.jobs if job not in partial]
    return waiting(replace(grid, jobs=tuple(rest)), *(_apart(_most(job, grid, by_seed), by_seed) for job in partial))


def _apart(jobs: list[Job], by_seed: Selection) -> Selection:
    """Return the jobs of one seed each as a selection with the overrides that compose them."""
    overrides, config = (
        [override for override in by_seed.overrides if not override.startswith("precision=")],
        jobs[0].config,
    )
    own = (f"image={config['image']['name']}", f"experiment.setting={config['experiment']['setting']}")
    return replace(by_seed, overrides=(*overrides, *own, f"precision={config['precision']}"), jobs=tuple(jobs))


def _rows(job: Job, grid: Selection, by_seed: Selection) -> list[Row]:
    if job.run:
        return [Row(job.config, (job.run,))]
    rows = [Row(job.config, _fitted(jobs)) for jobs in _seeds(job, grid, by_seed)]
    return [row for row in rows if row.runs] or rows[:1]


def _most(job: Job, grid: Selection, by_seed: Selection) -> list[Job]:
    """Return the jobs of its seeds in the precision in which most are fitted."""
    return max(_seeds(job, grid, by_seed), key=lambda jobs: len(_fitted(jobs)))


def _seeds(job: Job, grid: Selection, by_seed: Selection) -> list[list[Job]]:
    """Return the jobs of one seed each that are together this job of several, for each precision that it may have.

    At scale paper, unless the grid asks for both, that is any.
    """
    own = job.config["precision"]
    free = grid.scale == "paper" and {one.config["precision"] for one in grid.jobs} == {PRECISIONS[0]}
    apart = ({**job.config, "precision": precision} for precision in (PRECISIONS if free else (own,)))
    return [[one for one in by_seed.jobs if _of_seeds(one, config) == config] for config in apart]


def _of_seeds(one: Job, several: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the config of a job of one seed, with the seeds of `several`."""
    return {**one.config, **{key: several[key] for key in ("seed", "replicas")}}


def _fitted(jobs: list[Job]) -> tuple[Run, ...]:
    return tuple(job.run for job in jobs if job.run)


def draw_table(grid: Selection, by_seed: Selection, both: Selection) -> Artifact:
    """Draw tables/trajectory."""
    common = [job.config for job in both.jobs]
    rest = replace(grid, jobs=tuple(job for job in grid.jobs if job.config not in common))
    scale, rows = grid.scale, sorted(rows_of(rest, by_seed) + rows_of(both, by_seed), key=place)
    early, late = next((row.config["fit"]["keep"] for row in rows), (0, 0))
    lines = [cells(row, early, late) if row.runs else not_run(row) for row in rows]
    lines += [their_cells(theirs(scale), early, late)] if late else []
    above = ABOVE.format(early=early, late=late, source=SOURCES[scale == "paper"])
    runs = [run for row in rows for run in row.runs]
    note = "\n".join(filter(None, [still_waiting(rest, by_seed), still_waiting(both, by_seed)]))
    return make_table(table_of(lines, COLUMNS), TITLES, runs, above, note)


def place(row: Row) -> tuple[str, int]:
    """Return a sorting key: by picture, then by what it tries."""
    return row.config["image"]["name"], list(LABELS).index(row.config["experiment"]["setting"])


def not_run(row: Row) -> tuple[str, ...]:
    """Return the row of settings that were not run yet."""
    return (named(row), row.label, NOT_RUN, *[NONE] * (len(TITLES) - 3), row.config["image"]["name"])


def named(row: Row) -> str:
    """Name a picture without its set: all are of the nine with the authors' noise."""
    return str(row.config["image"]["name"]).split("/")[-1]


def cells(row: Row, early: int, late: int) -> tuple[str, ...]:
    """Return the row of a job's runs."""
    runs, first = row.runs, row.runs[0]

    def each(of: Callable[[Run], Array], form: str = ".2f") -> str:
        return spread(np.concatenate([of(run) for run in runs]), form)

    iterations = sum(run.summary["iterations"] * len(run.provenance["seeds"]) for run in runs)
    return (
        named(row),
        row.label,
        each(lambda run: value_at(run, "psnr_reference", early)),
        each(lambda run: value_at(run, "psnr_reference", late)),
        each(lambda run: value_at(run, "psnr_average", late)),
        each(lambda run: peak_values(run, "psnr_reference")),
        each(lambda run: peak_iterations(run, "psnr_reference"), ".0f"),
        row.config["image"]["name"],
        " + ".join(map(format_seeds, runs)),
        format_size(first),
        each(lambda run: run.scores("unperturbed", "psnr")),
        str(first.summary["iterations"]),
        ", ".join(dict.fromkeys(run.provenance["device"] for run in runs)),
        ", ".join(dict.fromkeys(run.settings["precision"] for run in runs)),
        f"{sum(run.summary['wall_seconds'] for run in runs) / iterations:.3f}",
    )


def their_cells(curves: Theirs, early: int, late: int) -> tuple[str, ...]:
    """Return the row of the authors: what is not known of it is left out."""
    at = [curves.output[:, curves.iteration == n][:, 0] for n in (early, late)]
    average = NONE if curves.average is None else spread(curves.average[:, curves.iteration == late][:, 0])
    ended = curves.iteration[-1] < 1000
    peak, where = curves.output.max(1), curves.iteration[curves.output.argmax(1)]
    peaked = (NONE, NONE) if ended else (spread(peak), spread(where, ".0f"))
    return (F16.split("/")[-1], curves.name, *map(spread, at), average, *peaked, F16, str(len(curves.output)))


def spread(values: Sequence[float] | Array, form: str = ".2f") -> str:
    """Return the mean, and half the range of several values."""
    mean, half = (format(float(value), form) for value in (np.mean(values), np.ptp(values) / 2))
    return mean if len(values) == 1 else f"{mean} ({half})"


def draw_figure(grid: Selection, by_seed: Selection, *_: Selection) -> Artifact:
    """Draw figures/trajectory: PSNR of single outputs, mean and range over the seeds, one panel a picture."""
    rows, note = [row for row in rows_of(grid, by_seed) if row.runs], still_waiting(grid, by_seed)
    runs = [run for row in rows for run in row.runs]
    if not rows:
        raise ValueError(note)
    images = list(dict.fromkeys(row.config["image"]["name"] for row in rows))
    figure, panels = plt.subplots(1, len(images), figsize=(WIDTH, 3.6), layout="constrained", squeeze=False)
    numbers: dict[str, Curve] = {}
    for image, axis in zip(images, panels[0], strict=True):
        if image == F16:
            curves = theirs(grid.scale)
            shown = Curve(curves.iteration.astype(int), curves.output)
            plot_band(axis, shown, "black", curves.name)
            numbers[f"{image}, {curves.name}"] = shown
        for row in (row for row in rows if row.config["image"]["name"] == image):
            label = f"gamma {row.label}"
            curve = joined([curve_of(run, "psnr_reference") for run in row.runs])
            style = "-" if row is next(one for one in rows if one.config == row.config) else "--"
            plot_band(axis, curve, COLOURS[row.config["experiment"]["setting"]], label, style)
            numbers[f"{image}, {label}"] = curve
        axis.set(title=image, xlabel="iteration", ylabel="PSNR of the output (dB)")
        axis.set_ylim(bottom=LEAST)
        axis.set_xlim(left=0)
        axis.legend(loc="lower right", fontsize=8)
    seeds = ", ".join(map(str, sorted({seed for run in runs for seed in run.seeds})))
    figure.suptitle(f"Denoising, sigma 25: {format_size(runs[0])}; seeds {seeds}\n{MEANING}", fontsize=9)
    return Artifact(figure, tabulate_curves(numbers, "curve", "psnr"), runs, note)


def joined(curves: Sequence[Curve]) -> Curve:
    """Join curves of the same length as one of all their seeds."""
    return Curve(curves[0].iterations, np.concatenate([curve.values for curve in curves]))


if __name__ == "__main__":
    sys.exit(run_script({"figures/trajectory": draw_figure, "tables/trajectory": draw_table}, select, *REQUESTS))
