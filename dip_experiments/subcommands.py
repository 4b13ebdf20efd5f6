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


def keep(words: Sequence[str], imported: Importer) -> int:
    """Makes records, small enough for git, of the finished runs of an experiment: `dip keep fig2 scale=laptop`."""
    experiment, *rest = words or [""]
    if experiment not in options("experiment"):
        known = options("experiment")
        raise ValueError(
            f"keep {experiment}".rstrip() + f": no such experiment{did_you_mean(experiment, known)}; "
            f"say dip keep with one of {', '.join(known)}"
        )
    asked = for_hydra(rest, multirun=False)
    settings = compose_jobs([f"experiment={experiment}", *asked], multirun=False)[0]
    scale, results = settings.scale.name, Path(settings.paths.results)
    others = [word for word in asked if word.split("=")[0] not in ("scale", "paths.results")]
    store = imported("dip_experiments.store").Store(results)
    chosen = imported("dip_experiments.selection").select(experiment, scale, results, others)
    pictures, whose = list(settings.experiment.get("pictures", [])), settings.experiment.get("pictures_of", "first")
    for run in chosen.runs:
        store.keep(run, scale, pictures, whose)
    total = len(chosen.runs) + len(chosen.missing)
    print(f"{len(chosen.runs)} of {total} runs of {experiment} kept in {results / scale / 'records'}")
    if chosen.missing:
        print(f"the others are not finished: {chosen.command}")
    return 0


SUBCOMMANDS: dict[str, Callable[[Sequence[str], Importer], int]] = {"keep": keep}
