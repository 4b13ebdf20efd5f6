"""The W&B workspace of this project: pushed to an account that is logged in, else checked here and the runs shown.

In a terminal W&B's own viewer shows the runs; elsewhere, as in a pipe, a table is printed.
"""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces.workspaces.internal import WorkspaceViewspec

from dip_experiments.analysis.labels import run_label
from dip_experiments.fitting.wandb_options import PROJECT, has_key
from dip_experiments.fitting.wandb_summary import summary_scalars
from dip_experiments.jobs.job_status import align_columns
from dip_experiments.store import Run

NAME = "Deep Image Prior"
SEED = r"/seed\d+$"
STATISTICS = {
    "split_mse": "split: estimated error of the average",
    "held_out_mse": "held-out pixels: error there",
    "discrepancy": "discrepancy: residual over sigma",
    "windowed_variance": "variance of the last outputs",
    "moving_variance": "moving variance of the outputs",
}
"""Statistics of the rules, by their column."""
IMAGES = ("output", "average", "target", "reference")
COLUMNS = (
    "run:group", "config:image.name", "config:target.name", "config:task.name", "config:architecture.name",
    "config:optimizer.lr", "config:seed", "summary:final/psnr_average_mean", "summary:final/psnr_average_sd",
    "summary:oracle/psnr_average_mean", "summary:oracle/iteration_mean", "summary:iterations_to_90_percent_mean",
    "summary:stop/split/psnr_average_mean", "summary:stop/split/iteration_mean",
    "summary:psnr_estimated_split/ensemble", "summary:wall_seconds",
)  # fmt: skip
"""Of the table of runs."""
SETTINGS = {"optimizer.lr": "learning rate", "seed": "seed", "fit.iterations": "iterations"}
RESULTS = {
    "iterations_to_90_percent_mean": "iterations to 90 %",
    "oracle/iteration_mean": "oracle peak: iteration",
    "oracle/psnr_average_mean": "oracle peak: PSNR",
    "final/psnr_average_mean": "final PSNR",
}
"""Axes of the parallel coordinates, means over the seeds of a run, with their titles."""
SHOWN = {
    "final": "final/psnr_average_mean",
    "sd": "final/psnr_average_sd",
    "oracle peak": "oracle/psnr_average_mean",
    "at iteration": "oracle/iteration_mean",
}
"""Columns of the printed table: PSNR of the average in dB, mean and standard deviation over the seeds."""


def curves(title: str, names: str, **settings: object) -> wr.LinePlot:
    """Return every curve whose name the pattern fits, over the logarithm of the iteration, one line for each seed."""
    return wr.LinePlot(title=title, x="iteration", metric_regex=names, log_x=True, title_x="iteration", **settings)


def images(kind: str, seeds: Sequence[int]) -> wr.MediaBrowser:
    """Return one kind of image, run by run, with a slider over the stored iterations."""
    keys = [f"{kind}/seed{seed}" for seed in seeds]
    return wr.MediaBrowser(title=kind, media_keys=keys, mode="gallery", gallery_axis="step", num_columns=4)


def parallel_coordinates() -> wr.ParallelCoordinatesPlot:
    """Return one line for each run, over settings and the means over its seeds of what it ends with."""
    axes = [(wr.Config(name), title) for name, title in SETTINGS.items()]
    axes += [(wr.SummaryMetric(name), title) for name, title in RESULTS.items()]
    columns = [wr.ParallelCoordinatesPlotColumn(metric=metric, display_name=title) for metric, title in axes]
    return wr.ParallelCoordinatesPlot(title="Settings and results, one line a run", columns=columns)


def sections(seeds: Sequence[int]) -> list[ws.Section]:
    """Return all panels, for runs of these seeds."""
    impedance = curves(
        "Impedance: loss by target", f"^loss{SEED}", groupby=wr.Config("target.name"), groupby_aggfunc="mean",
        groupby_rangefunc="minmax", title_y="mean squared error",
    )  # fmt: skip
    of_images = curves(
        "PSNR of output, average and, as dots, of what rules stopped at",
        rf"^psnr_(reference|average|stopped_\w+){SEED}|^psnr_stopped_\w+/ensemble$",
        title_y="dB to the reference",
    )
    estimated = [
        curves("PSNR of the average, estimated and true", f"^psnr_(estimated|average){SEED}", title_y="dB"),
        wr.ScatterPlot(
            title="At the stop: estimated and true PSNR of the mean of the replicas, one dot a run",
            x=wr.SummaryMetric("psnr_estimated_split/ensemble"),
            y=wr.SummaryMetric("psnr_stopped_split/ensemble"),
        ),
    ]
    means = [
        curves("PSNR of output and average, mean over the seeds", r"^psnr_(reference|average)/(mean|ensemble)$",
               title_y="dB to the reference"),
        parallel_coordinates(),
    ]  # fmt: skip
    stopping = [curves(title, f"^{name}(_stopped)?{SEED}", log_y=True) for name, title in STATISTICS.items()]
    return [
        ws.Section(name="Impedance", panels=[impedance], is_open=True),
        ws.Section(name="Runs compared: means over their seeds", panels=means, is_open=True),
        ws.Section(name="PSNR", panels=[of_images, *estimated], is_open=True),
        ws.Section(name="Stopping: what the rules look at, with a dot at the stop", panels=stopping, is_open=True),
        ws.Section(name="Images", panels=[images(kind, seeds) for kind in IMAGES], is_open=True),
        ws.Section(name="Table of runs: what differs", panels=[wr.RunComparer(diff_only="split")]),
    ]


def workspace(entity: str | None, seeds: Sequence[int]) -> ws.Workspace:
    """Return the workspace; runs of one sweep have the same group."""
    return ws.Workspace(
        entity=entity,
        project=os.environ.get("WANDB_PROJECT") or PROJECT,  # as of the runs
        name=NAME,
        sections=sections(seeds),
        settings=ws.WorkspaceSettings(x_axis="iteration", ignore_outliers=False),
        runset_settings=ws.RunsetSettings(pinned_columns=list(COLUMNS)),
    )


def checked(made: ws.Workspace) -> int:
    """Return the number of panels in what would be sent. Raises pydantic's error where W&B would not read it."""
    sent = made._to_model().spec.model_dump_json(by_alias=True, exclude_none=True)
    bank = WorkspaceViewspec.model_validate_json(sent).section.panel_bank_config
    return sum(len(section.panels) for section in bank.sections)


def seeds_in(folder: Path) -> list[int]:
    """Return the seeds of the runs of a folder, by their images; 0 without any."""
    names = (path.name for path in folder.glob("*run-*/files/media/images/output/seed*"))
    return sorted({int(found[1]) for name in names if (found := re.match(r"seed(\d+)_", name))}) or [0]


def tabulate(folder: Path) -> Iterator[str]:
    """Yield the lines of a table of the W&B runs of a folder with the store's results, and how to send them."""
    places = {path.name.rpartition("-")[2]: path.name for path in sorted(folder.glob("*run-*-*")) if path.is_dir()}
    runs = {name: Run(folder.parent / "runs" / name) for name in places}
    if not runs:
        yield f"no W&B runs in {folder} yet"
        return
    yield from align_columns([{**describe(run), "files": places[name]} for name, run in runs.items()])
    offline = sum(place.startswith("offline") for place in places.values())
    yield f"{len(runs)} runs in {folder}, {offline} of them offline; PSNR of the average in dB, mean over the seeds"
    yield f"to send them, after `wandb login`: wandb sync {shlex.quote(str(folder))}/offline-run-*"


def describe(run: Run) -> dict[str, str]:
    """Return what the table has of a stored run; a run that was removed or has not finished has no numbers."""
    try:
        name = run_label(run)
    except OSError:
        return {"run": "no longer stored", **dict.fromkeys(SHOWN, "")}
    numbers = summary_scalars(run.summary) if run.has_summary else {}
    shown = {title: f"{numbers[key]:.4g}" if key in numbers else "" for title, key in SHOWN.items()}
    return {"run": name if numbers else f"{name} (not finished)", **shown}


def main(arguments: Sequence[str] | None = None) -> None:
    """Push the workspace, or check it; then show the runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    folder = parser.parse_args(arguments).results / "wandb"
    seeds, terminal = seeds_in(folder), sys.stdout.isatty()
    if has_key():
        made = workspace(os.environ.get("WANDB_ENTITY") or wandb.Api().default_entity, seeds).save()
        print(f"{made.url}\nTo send runs made offline: wandb sync {folder}/offline-run-*")
    else:
        count = checked(workspace("nobody", seeds))
        print(f"{count} panels checked; after `wandb login` make dashboard puts them into your account", flush=True)
        if terminal:
            os.execv(sys.executable, [sys.executable, "-m", "wandb", "leet", str(folder)])
    if not terminal:
        print("\n".join(tabulate(folder)))


if __name__ == "__main__":
    main()
