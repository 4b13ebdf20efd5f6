"""What `dip` does besides fitting, named by its first word: `dip keep fig2`."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dip_experiments.cli.paper_queue import Done, Row, fit_rows, read_rows
from dip_experiments.cli.store_commands import merge, plot, prune, show, status
from dip_experiments.config.compose import compose_jobs, conf_folder, did_you_mean, options
from dip_experiments.config.overrides import SWEEP_FLAGS, for_hydra

Importer = Callable[[str], Any]
RECORDS = "--records"
"""Flag of what is computed for records in place of one's own runs."""
OF_PAPER = ("scale", "device", "precision", "logger", "paths")
"""Words that `dip paper` takes: all others are said by its rows."""


def run_subcommand(name: str, words: Sequence[str], imported: Importer) -> int:
    """Exit code of a subcommand; `imported` brings rooms that load slowly. Raises ValueError for an unknown name."""
    if name not in SUBCOMMANDS:
        raise ValueError(
            f"{name or repr(name)}: no such command{did_you_mean(name, SUBCOMMANDS)}; there are "
            f"{', '.join(SUBCOMMANDS)}, and settings are given as key=value"
        )
    return SUBCOMMANDS[name](words, imported)


def asked_for(command: str, words: Sequence[str], imported: Importer, origin: str = "either") -> Any:
    """The runs of the experiment that a subcommand is told. Raises ValueError for an unknown one and wrong words."""
    experiment, *rest = [word for word in words if word not in SWEEP_FLAGS] or [""]
    if experiment not in options("experiment"):
        known = options("experiment")
        raise ValueError(
            f"{command} {experiment}".rstrip() + f": no such experiment{did_you_mean(experiment, known)}; "
            f"say dip {command} with one of {', '.join(known)}"
        )
    place = [word for word in rest if word not in _choosing(rest)]
    settings = compose_jobs(for_hydra(place, multirun=False), multirun=False)[0]
    scale, results = settings.scale.name, Path(settings.paths.results)
    return imported("dip_experiments.runner.select_runs").select(experiment, scale, results, _choosing(rest), origin)


def _choosing(words: Sequence[str]) -> list[str]:
    """Words that tell an experiment's runs apart, at its scale and among its results."""
    return [word for word in words if word.split("=")[0] not in ("scale", "paths.results")]


def keep(words: Sequence[str], imported: Importer) -> int:
    """Makes records, small enough for git, of the finished runs of an experiment: `dip keep fig2 scale=laptop`.

    1 if a run was refused, as its code is in no commit.
    """
    chosen = asked_for("keep", words, imported)
    rooms = imported("dip_experiments.store")
    store = rooms.Store(chosen.results)
    own = [run for run in chosen.runs if not run.is_record]
    doubts = {run.name: why for run in own if (why := rooms.doubtful_code(run.provenance))}
    for name, why in doubts.items():
        print(f"run {name}: {why}; fit it again from a checkout without changes: force=true", file=sys.stderr)
    for job in (job for job in chosen.jobs if job.run and job.run.name not in doubts):
        shown = job.words["experiment"]
        pictures, replicas, part = shown.get("pictures", []), shown.get("pictures_of", "first"), shown.get("part", 1)
        store.keep(job.run, chosen.scale, list(pictures), replicas, part)
    kept = [run for run in chosen.runs if run.name not in doubts]
    seen = {seen for run in kept for seen in (run.name, *run.summary["measurement_sha256"])}
    chosen.baselines.give(replace(chosen, origin="records").baselines, seen)
    told = f"{len(kept)} of {len(chosen.jobs)} runs of {chosen.experiment}"
    print(f"{told} kept in {chosen.results / chosen.scale / 'records'}")
    if chosen.missing:
        print(f"the others are not finished: {chosen.command}")
    return 1 if doubts else 0


def compare(words: Sequence[str], imported: Importer) -> int:
    """Print the numbers of one's own runs of an experiment beside the committed ones: `dip compare fig2 scale=demo`."""
    experiments, *rest = words or [""]
    committed = conf_folder().parent / "results"  # of the clone, wherever one's own results are
    for experiment in experiments.split(","):
        own = asked_for("compare", [experiment, *rest], imported, "runs")
        lines = imported("dip_experiments.cli.compare").compare_lines(own, committed if committed.is_dir() else None)
        print("\n".join(lines))
    return 0


def rivals(words: Sequence[str], imported: Importer) -> int:
    """Compute what other methods make of what one's own runs of an experiment saw, for its figures and tables.

    Drawing does the same where they are there. `dip rivals fig4 scale=paper --records`: for the records; what these saw
    is made once more. For `denoisers` ZS-N2N is fitted too.
    """
    origin = "records" if RECORDS in words else "runs"
    chosen = asked_for("rivals", [word for word in words if word != RECORDS], imported, origin)
    drawing = imported("dip_experiments.analysis.baseline_results")
    zs_n2n = imported("dip_experiments.baselines.zs_n2n").zs_n2n
    recompute = imported("dip_experiments.runner.build").recompute_measurement
    fitted = [drawing.zero_shot(chosen.scale, zs_n2n)] if chosen.experiment == "denoisers" else []
    for count, job in enumerate((job for job in chosen.jobs if job.run), 1):
        shown = bool(job.words["experiment"].get("pictures"))
        for rival in [*drawing.task_rivals(job.words), *fitted]:
            found = drawing.computed(rival, job.run, chosen.baselines, recompute, shown=shown)
            said = f"{found['psnr']:.2f} dB" if found else "not installed"
            print(f"{count} of {len(chosen.runs)}: {rival.name}, {job.words['image']['name']}: {said}", flush=True)
    if chosen.missing:
        print(f"the others are not finished: {chosen.command}")
    return 0


def paper(words: Sequence[str], imported: Importer) -> int:
    """Fits what is not there yet of the paper's tables and figures at its own size, in bfloat16 where hardware has it.

    `dip paper device=cuda`. Each row is kept as a record when it is finished. 1 if any failed, 130 if interrupted.
    """
    if wrong := [word for word in words if word.split("=")[0].split(".")[0] not in OF_PAPER]:
        raise ValueError(
            f"dip paper {wrong[0]}: its rows bring their own settings; it takes {', '.join(OF_PAPER[:-1])} and "
            "paths.results, and a row of its own is asked for without `paper`"
        )
    rooms = imported("dip_experiments.store")
    if why := rooms.doubtful_code({"sittings": [rooms.sitting("cpu", 1, [], 0)]}):
        raise ValueError(f"dip paper keeps records, and {why}; work in a clone without changes: git status, git stash")
    devices, said = imported("dip_experiments.devices"), {word.split("=")[0] for word in words}
    further = [*words, *([] if "scale" in said else ["scale=paper"])]
    settings = compose_jobs(for_hydra(further, multirun=False), multirun=False)[0]
    scale, results = settings.scale.name, Path(settings.paths.results)
    asked = [word for word in further if word.split("=")[0].split(".")[0] not in ("device", "logger")]
    select = imported("dip_experiments.runner.select_runs").select
    device = devices.find_device(settings.device)
    if "precision" not in said and devices.multiplies_bfloat16(device):
        further.append("precision=bf16")

    def finished(row: Row) -> Done | None:
        found = select(row.experiment, scale, results, row.asked(_choosing(asked)), "either")
        if found.missing:
            return None
        here = all(run.provenance["device"] == devices.device_name(device) for run in found.runs)
        return Done(sum(run.summary["wall_seconds"] for run in found.runs), here)

    def kept(row: Row) -> int:
        return keep([row.experiment, *row.asked(asked)], imported)

    print("paper: looking for the rows that are done", flush=True)
    return fit_rows(read_rows(), further, finished, kept)


def report(words: Sequence[str], imported: Importer) -> int:
    """Writes results/report/index.html, one page of all runs, figures and tables: `dip report`."""
    if wrong := [word for word in words if word.split("=")[0] != "paths.results"]:
        raise ValueError(
            f"dip report {wrong[0]}: the page shows all that is there; it takes paths.results=folder alone"
        )
    settings = compose_jobs(for_hydra(words, multirun=False), multirun=False)[0]
    written = imported("dip_experiments.report.page").write_report(
        Path(settings.paths.results), conf_folder() / "experiment", composed
    )
    print(f"{written.runs} runs, {written.drawings} figures and tables: {written.page}")
    for name, reason in written.left_out.items():
        print(f"not shown: {name}: {reason}")
    return 0


def composed(experiment: str | None, scale: str) -> dict[str, Any]:
    """The settings of an experiment's first run, or those without any; words that are unknown play no part."""
    asked = {"experiment": experiment, "scale": scale}
    known = [f"{group}={name}" for group, name in asked.items() if name in options(group)]
    (job,) = compose_jobs([*known, "hydra.mode=RUN"], multirun=False)  # not its grid, which takes seconds to compose
    words = OmegaConf.to_container(job, resolve=True)
    return {str(key): value for key, value in words.items()} if isinstance(words, dict) else {}


SUBCOMMANDS: dict[str, Callable[[Sequence[str], Importer], int]] = {
    "compare": compare,
    "keep": keep,
    "merge": merge,
    "paper": paper,
    "plot": plot,
    "prune": prune,
    "report": report,
    "rivals": rivals,
    "show": show,
    "status": status,
}
