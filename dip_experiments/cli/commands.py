"""Subcommands of `dip`, by name; those on the runs of an experiment are here. Their docstrings are their --help."""

import fnmatch
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dip_experiments.cli.copy_experiment import copy
from dip_experiments.cli.explain import explain
from dip_experiments.cli.lazy_import import lazy_import
from dip_experiments.cli.paper_queue import Done, Row, fit_rows, read_rows
from dip_experiments.cli.store_commands import merge, plot, prune, remove, show, status
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.groups import conf_folder, did_you_mean, options
from dip_experiments.config.hints import command_hint
from dip_experiments.config.overrides import SWEEP_FLAGS, config_dir_flags, to_hydra_overrides
from dip_experiments.config.restoring import restoring

RECORDS = "--records"
"""Flag of what is computed for records in place of one's own runs."""
OF_PAPER = ("scale", "device", "precision", "logger", "paths.results")
"""Settings that `dip paper` takes: all others are set by its rows."""
WHERE = ("scale", "paths.results")
"""Settings that say where the runs of an experiment are stored."""


def run_subcommand(name: str, argv: Sequence[str]) -> int:
    """Run a subcommand and return its exit code. Raises ValueError for an unknown name."""
    return find_command(name, argv)(argv)


def find_command(name: str, others: Sequence[str] = ()) -> Callable[[Sequence[str]], int]:
    """Return the function of a subcommand. Raises ValueError for an unknown name, with a hint by the `others`."""
    if found := {**SUBCOMMANDS, **OLD_NAMES}.get(name):
        return found
    if hint := command_hint(name, others):
        raise ValueError(f"{name}: no such command; {hint}")
    raise ValueError(
        f"{name or repr(name)}: no such command{did_you_mean(name, SUBCOMMANDS)}; there are "
        f"{', '.join(SUBCOMMANDS)}, and settings are given as key=value"
    )


def select_experiment(command: str, argv: Sequence[str], origin: str = "either") -> Any:
    """Select the runs of the experiment that a subcommand is given. Raises ValueError for an unknown one."""
    experiment, *rest = [one for one in argv if one not in SWEEP_FLAGS] or [""]
    if experiment not in options("experiment"):
        known = options("experiment")
        raise ValueError(
            f"{command} {experiment}".rstrip() + f": no such experiment{did_you_mean(experiment, known)}; "
            f"use dip {command} with one of {', '.join(known)}"
        )
    where = [one for one in rest if one.split("=")[0] in WHERE]
    settings = compose_jobs(to_hydra_overrides(where, multirun=False), multirun=False)[0]
    further = [*_without(WHERE, rest), *config_dir_flags()]
    select = lazy_import("dip_experiments.runner.select_runs").select
    return select(experiment, settings.scale.name, Path(settings.paths.results), further, origin)


def _without(keys: Sequence[str], overrides: Sequence[str]) -> list[str]:
    return [one for one in overrides if one.split("=")[0] not in keys]


def restore(argv: Sequence[str]) -> int:
    """Restore a noisy photograph from itself alone.

    Its noise is found in it: how strong it is, how it grows with brightness, what neighbours and channels share of it,
    and whether it was clipped. With noise=gaussian it is taken for white, and only its strength is estimated; poisson
    are counted photons, speckle is that of radar and ultrasound.

    A picture with more than 768 pixels a side is restored in tiles that overlap, all with the noise of the picture. By
    tile=512 they are smaller and take less memory, by tile=null it is one piece.

    Usage: dip restore PICTURE [noise=auto, gaussian, poisson or speckle] [output=PICTURE_restored.png] [key=value ...]

    Example: dip restore photo.jpg
    """
    return int(lazy_import("dip_experiments.cli.main").answer(restoring(argv)))


def keep(argv: Sequence[str]) -> int:
    """Export records of an experiment's finished runs, small enough for git.

    A record has what figures and tables need of a run. Runs whose code is in no commit are refused; the exit code is
    then 1.

    Usage: dip keep EXPERIMENT [key=value ...]

    Example: dip keep fig2 scale=laptop
    """
    chosen = select_experiment("keep", argv)
    storing = lazy_import("dip_experiments.store")
    store = storing.Store(chosen.results)
    own = [run for run in chosen.runs if not run.is_record]
    doubts = {run.name: why for run in own if (why := storing.doubtful_code(run.provenance))}
    for name, why in doubts.items():
        print(f"run {name}: {why}; fit it again from a checkout without changes: force=true", file=sys.stderr)
    for job in (job for job in chosen.jobs if job.run and job.run.name not in doubts):
        shown = job.config["experiment"]
        pictures, replicas, part = shown.get("pictures", []), shown.get("pictures_of", "first"), shown.get("part", 1)
        store.export_record(job.run, chosen.scale, list(pictures), replicas, part)
    recorded = [run for run in chosen.runs if run.name not in doubts]
    seen = {seen for run in recorded for seen in (run.name, *run.summary["measurement_sha256"])}
    chosen.baselines.give(replace(chosen, origin="records").baselines, seen)
    counted = f"{len(recorded)} of {len(chosen.jobs)} runs of {chosen.experiment}"
    print(f"{counted} kept in {chosen.results / chosen.scale / 'records'}")
    if chosen.missing:
        print(f"the others are not finished: {chosen.command}")
    return 1 if doubts else 0


def compare(argv: Sequence[str]) -> int:
    """Print the numbers of your own runs next to the committed ones.

    The table has the difference of each number, and how much seeds differ; below it stands the verdict.

    Usage: dip compare EXPERIMENT[,EXPERIMENT ...] [key=value ...]

    Example: dip compare fig2 scale=demo
    """
    experiments, *rest = argv or [""]
    committed = conf_folder().parent / "results"  # of the clone, wherever one's own results are
    for experiment in experiments.split(","):
        own = select_experiment("compare", [experiment, *rest], "runs")
        lines = lazy_import("dip_experiments.cli.compare").compare_lines(own, committed if committed.is_dir() else None)
        print("\n".join(lines))
    return 0


def baselines(argv: Sequence[str]) -> int:
    """Compute what other methods make of the measurements of an experiment's runs.

    Figures and tables show them; drawing computes those that are missing too. For `denoisers` ZS-N2N is trained.

    Usage: dip baselines EXPERIMENT [key=value ...] [--records]

    Options:
        --records    for the records in place of your own runs; their measurements are computed again

    Example: dip baselines fig4 scale=paper --records
    """
    origin = "records" if RECORDS in argv else "runs"
    chosen = select_experiment("baselines", [one for one in argv if one != RECORDS], origin)
    results = lazy_import("dip_experiments.analysis.baseline_results")
    recompute = lazy_import("dip_experiments.runner.build").recompute_measurement
    tabled, further = results.TABLED, []
    if chosen.experiment == "denoisers":
        tabled, further = (
            (*tabled, *results.OF_PATCHES),
            [
                results.filters(lazy_import("dip_experiments.runner.restore_filters").restore_filters),
                results.zero_shot(chosen.scale, lazy_import("dip_experiments.baselines.zs_n2n").zs_n2n),
            ],
        )
    for count, job in enumerate((job for job in chosen.jobs if job.run), 1):
        shown = bool(job.config["experiment"].get("pictures"))
        for baseline in [*results.task_baselines(job.config, tabled), *further]:
            found = results.compute_baseline(baseline, job.run, chosen.baselines, recompute, shown=shown)
            psnr = f"{found['psnr']:.2f} dB" if found else "not installed"
            print(f"{count} of {len(chosen.runs)}: {baseline.name}, {job.config['image']['name']}: {psnr}", flush=True)
    if chosen.missing:
        print(f"the others are not finished: {chosen.command}")
    return 0


def paper(argv: Sequence[str]) -> int:
    """Fit what is missing of the paper's tables and figures at the paper's own size.

    In bfloat16 where the hardware multiplies it. Each row of conf/paper.yaml is exported as records when it is
    finished. The exit code is 1 if a row failed, 130 if it was interrupted.

    Usage: dip paper [scale=...] [device=...] [precision=...] [logger=...] [paths.results=FOLDER]

    Example: dip paper device=cuda
    """
    if wrong := [one for one in argv if one.split("=")[0] not in OF_PAPER and not one.startswith("logger.")]:
        raise ValueError(
            f"dip paper {wrong[0]}: its rows bring their own settings; it takes {', '.join(OF_PAPER[:-1])} and "
            f"{OF_PAPER[-1]}, and a row of its own is fitted without `paper`"
        )
    check_code()
    further = [*argv, *([] if any(one.startswith("scale=") for one in argv) else ["scale=paper"])]
    (job,) = compose_jobs(to_hydra_overrides(further, multirun=False), multirun=False)
    settings = lazy_import("dip_experiments.config.settings").read_settings(job)
    scale, results = settings.scale.name, Path(settings.paths.results)
    selecting = [one for one in further if one.split("=")[0].split(".")[0] not in ("device", "logger")]
    devices, select = lazy_import("dip_experiments.devices"), lazy_import("dip_experiments.runner.select_runs").select
    device = devices.find_device(settings.device)
    if not any(one.startswith("precision=") for one in argv) and devices.multiplies_bfloat16(device):
        further.append("precision=bf16")
        selecting += ["precision=bf16"] if scale != "paper" else []  # there a run of either precision will do
    machine = (devices.device_name(device), lazy_import("torch").get_num_threads())

    def finished(row: Row) -> Done | None:
        found = select(row.experiment, scale, results, row.overrides_with(_without(WHERE, selecting)), "records")
        if found.missing or not all(map(has_pictures, found.jobs)):
            return None
        took = [run.provenance for run in found.runs]
        comparable = all((one["device"], one["sittings"][-1]["threads"]) == machine for one in took)
        return Done(sum(run.summary["wall_seconds"] for run in found.runs), comparable)

    def export(row: Row) -> int:
        return keep([row.experiment, *row.overrides_with(selecting)])

    print("paper: looking for the rows that are done", flush=True)
    return fit_rows(read_rows(), further, finished, export, check_code)


def check_code() -> None:
    """Raise ValueError where code that is in no commit would fit what becomes a record."""
    storing = lazy_import("dip_experiments.store")
    if why := storing.doubtful_code({"sittings": [storing.describe_session("cpu", 1, [], 0)]}):
        raise ValueError(f"dip paper keeps records, and {why}; work in a clone without changes: git status, git stash")


def has_pictures(job: Any) -> bool:
    """Return if the record of a job has an image of each name that its figure shows."""
    names = [path.name for path in (job.run.folder / "images").glob("*.png")]
    shown = job.config["experiment"].get("pictures", [])
    return all(fnmatch.filter(names, f"{name}-replica{job.run.replicas[0]}.png") for name in shown)


def report(argv: Sequence[str]) -> int:
    """Write results/report/index.html, one page of all runs, figures and tables.

    Usage: dip report [paths.results=FOLDER]

    Example: dip report
    """
    if wrong := [one for one in argv if one.split("=")[0] != "paths.results"]:
        raise ValueError(f"dip report {wrong[0]}: the page shows all runs; it takes paths.results=FOLDER alone")
    settings = compose_jobs(to_hydra_overrides(argv, multirun=False), multirun=False)[0]
    written = lazy_import("dip_experiments.report.page").write_report(
        Path(settings.paths.results), conf_folder() / "experiment", compose_first
    )
    print(f"{written.runs} runs, {written.drawings} figures and tables: {written.page}")
    for name, reason in written.left_out.items():
        print(f"not shown: {name}: {reason}")
    return 0


def compose_first(experiment: str | None, scale: str) -> dict[str, Any]:
    """Return the settings of an experiment's first run, or the default ones; unknown names are passed over."""
    given = {"experiment": experiment, "scale": scale}
    known = [f"{group}={name}" for group, name in given.items() if name in options(group)]
    (job,) = compose_jobs([*known, "hydra.mode=RUN"], multirun=False)  # not its grid, which takes seconds to compose
    config = OmegaConf.to_container(job, resolve=True)
    return {str(key): value for key, value in config.items()} if isinstance(config, dict) else {}


SUBCOMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "restore": restore,
    "status": status,
    "show": show,
    "plot": plot,
    "compare": compare,
    "report": report,
    "explain": explain,
    "copy": copy,
    "keep": keep,
    "baselines": baselines,
    "merge": merge,
    "remove": remove,
    "prune": prune,
    "paper": paper,
}
"""In the order of `dip --help`."""
OLD_NAMES = {"rivals": baselines}
