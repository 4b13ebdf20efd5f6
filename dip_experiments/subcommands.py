"""What `dip` does besides fitting, named by its first word: `dip keep fig2`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dip_experiments.compose import compose_jobs, did_you_mean, options
from dip_experiments.words import for_hydra

Importer = Callable[[str], Any]


def run_subcommand(name: str, words: Sequence[str], imported: Importer) -> int:
    """Exit code of a subcommand; `imported` brings rooms that load slowly. Raises ValueError for an unknown name."""
    if name not in SUBCOMMANDS:
        raise ValueError(
            f"{name}: no such command{did_you_mean(name, SUBCOMMANDS)}; there are {', '.join(SUBCOMMANDS)}, "
            "and settings are given as key=value"
        )
    return SUBCOMMANDS[name](words, imported)


def asked_for(command: str, words: Sequence[str], imported: Importer) -> Any:
    """The runs of the experiment that a subcommand is told. Raises ValueError for an unknown one and wrong words."""
    experiment, *rest = words or [""]
    if experiment not in options("experiment"):
        known = options("experiment")
        raise ValueError(
            f"{command} {experiment}".rstrip() + f": no such experiment{did_you_mean(experiment, known)}; "
            f"say dip {command} with one of {', '.join(known)}"
        )
    asked = for_hydra(rest, multirun=False)
    settings = compose_jobs([f"experiment={experiment}", *asked], multirun=False)[0]
    scale, results = settings.scale.name, Path(settings.paths.results)
    others = [word for word in asked if word.split("=")[0] not in ("scale", "paths.results")]
    return imported("dip_experiments.selection").select(experiment, scale, results, others)


def keep(words: Sequence[str], imported: Importer) -> int:
    """Makes records, small enough for git, of the finished runs of an experiment: `dip keep fig2 scale=laptop`."""
    chosen = asked_for("keep", words, imported)
    experiment, scale = chosen.jobs[0].words["experiment"], chosen.scale
    store = imported("dip_experiments.store").Store(chosen.results)
    for run in chosen.runs:
        store.keep(run, scale, list(experiment.get("pictures", [])), experiment.get("pictures_of", "first"))
    total = len(chosen.runs) + len(chosen.missing)
    print(f"{len(chosen.runs)} of {total} runs of {chosen.experiment} kept in {chosen.results / scale / 'records'}")
    if chosen.missing:
        print(f"the others are not finished: {chosen.command}")
    return 0


def rivals(words: Sequence[str], imported: Importer) -> int:
    """Fits ZS-N2N to what the finished runs of an experiment saw, for its tables: `dip rivals denoisers`."""
    chosen = asked_for("rivals", words, imported)
    drawing, zs_n2n = imported("dip_experiments.drawing.rivals"), imported("dip_experiments.zs_n2n").zs_n2n
    for count, run in enumerate(chosen.runs, 1):
        psnr, _, seconds = drawing.rival_scores(drawing.zero_shot(chosen.scale, zs_n2n), run, chosen.baselines)
        picture = run.settings["image"]["name"]
        print(f"{count} of {len(chosen.runs)}: ZS-N2N on {picture} {psnr:.2f} dB, {seconds:.0f} s", flush=True)
    if chosen.missing:
        print(f"the others are not finished: {chosen.command}")
    return 0


SUBCOMMANDS: dict[str, Callable[[Sequence[str], Importer], int]] = {"keep": keep, "rivals": rivals}
