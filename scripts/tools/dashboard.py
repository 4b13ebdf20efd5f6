"""The W&B workspace of this project: pushed to an account that is logged in, else checked here and the runs shown."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces.workspaces.internal import WorkspaceViewspec

PROJECT, NAME = "dip_experiments", "Deep Image Prior"
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
    "config:seed", "summary:psnr_average/seed{seed}", "summary:psnr_stopped_split/mean",
    "summary:psnr_estimated_split/mean", "summary:wall_seconds",
)  # fmt: skip
"""Of the table of runs, with the first seed."""


def curves(title: str, names: str, **settings: object) -> wr.LinePlot:
    """Return every curve whose name the pattern fits, over the logarithm of the iteration, one line for each seed."""
    return wr.LinePlot(title=title, x="iteration", metric_regex=names, log_x=True, title_x="iteration", **settings)


def images(kind: str, seeds: Sequence[int]) -> wr.MediaBrowser:
    """Return one kind of image, run by run, with a slider over the stored iterations."""
    keys = [f"{kind}/seed{seed}" for seed in seeds]
    return wr.MediaBrowser(title=kind, media_keys=keys, mode="gallery", gallery_axis="step", num_columns=4)


def sections(seeds: Sequence[int]) -> list[ws.Section]:
    """Return all panels, for runs of these seeds."""
    impedance = curves(
        "Impedance: loss by target", f"^loss{SEED}", groupby=wr.Config("target.name"), groupby_aggfunc="mean",
        groupby_rangefunc="minmax", title_y="mean squared error",
    )  # fmt: skip
    of_images = curves(
        "PSNR of output, average and, as dots, of what rules stopped at",
        rf"^psnr_(reference|average|stopped_\w+){SEED}|^psnr_stopped_\w+/mean$",
        title_y="dB to the reference",
    )
    estimated = [
        curves("PSNR of the average, estimated and true", f"^psnr_(estimated|average){SEED}", title_y="dB"),
        wr.ScatterPlot(
            title="At the stop: estimated and true PSNR of the mean of the replicas, one dot a run",
            x=wr.SummaryMetric("psnr_estimated_split/mean"),
            y=wr.SummaryMetric("psnr_stopped_split/mean"),
        ),
    ]
    stopping = [curves(title, f"^{name}(_stopped)?{SEED}", log_y=True) for name, title in STATISTICS.items()]
    return [
        ws.Section(name="Impedance", panels=[impedance], is_open=True),
        ws.Section(name="PSNR", panels=[of_images, *estimated], is_open=True),
        ws.Section(name="Stopping: what the rules look at, with a dot at the stop", panels=stopping, is_open=True),
        ws.Section(name="Images", panels=[images(kind, seeds) for kind in IMAGES], is_open=True),
        ws.Section(name="Table of runs: what differs", panels=[wr.RunComparer(diff_only="split")]),
    ]


def workspace(entity: str | None, seeds: Sequence[int]) -> ws.Workspace:
    """Return the workspace; runs of one sweep have the same group."""
    return ws.Workspace(
        entity=entity,
        project=PROJECT,
        name=NAME,
        sections=sections(seeds),
        settings=ws.WorkspaceSettings(x_axis="iteration", ignore_outliers=False),
        runset_settings=ws.RunsetSettings(pinned_columns=[column.format(seed=seeds[0]) for column in COLUMNS]),
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Push the workspace, or check it and go over to the viewer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    folder = parser.parse_args(arguments).results / "wandb"
    seeds = seeds_in(folder)
    if wandb.api.api_key:
        made = workspace(wandb.Api().default_entity, seeds).save()
        print(f"{made.url}\nTo send runs made offline: wandb sync {folder}/offline-run-*")
        return
    count = checked(workspace("nobody", seeds))
    print(
        f"{count} panels checked; `wandb login`, then make dashboard and wandb sync {folder}/offline-run-*", flush=True
    )
    os.execv(sys.executable, [sys.executable, "-m", "wandb", "leet", str(folder)])


if __name__ == "__main__":
    main()
