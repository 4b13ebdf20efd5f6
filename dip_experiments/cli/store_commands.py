"""What `dip` does with the runs that are there: `dip status`, `show`, `plot`, `prune`, `merge`."""

import sys
import webbrowser
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dip_experiments.config.compose import compose_jobs, did_you_mean

Importer = Callable[[str], Any]
STORE = "dip_experiments.store"
YES, OPEN = "--yes", "--open"
PLOTS = "plots"
"""Folder of `results` for figures that somebody asked for; not tracked."""


def status(words: Sequence[str], imported: Importer) -> int:
    """All runs of the store by experiment, or those of some: `dip status`, `dip status fig2`."""
    names, results, _ = split("status", words)
    found = list(imported(STORE).states(results))
    overview = imported("dip_experiments.cli.status_view")
    known = {overview.experiment_of(state) for state in found}
    for name in names:
        if name not in known:
            raise ValueError(f"status {name}: {results} has no runs of it; it has {', '.join(sorted(known)) or 'none'}")
    for line in overview.status_lines(
        [state for state in found if not names or overview.experiment_of(state) in names]
    ):
        print(line)
    if not found:
        print(f"no runs in {results}")
    return 0


def show(words: Sequence[str], imported: Importer) -> int:
    """Settings that differ, numbers, pictures and curve of a run: `dip show 1adff2`, with --open its figure."""
    names, results, flags = split("show", words, OPEN)
    if len(names) != 1:
        raise ValueError("show: say which run, by its name or how it begins: dip show 1adff2 (dip status lists them)")
    state = find_run(names[0], results, imported)
    default = imported("dip_experiments.config.settings").read_settings(compose_jobs([], multirun=False)[0]).words()
    for line in imported("dip_experiments.cli.status_view").run_lines(state, default):
        print(line)
    if OPEN in flags:
        path = plotted([state.run], results / PLOTS / f"{state.run.name}.png", imported)
        webbrowser.open(path.absolute().as_uri())
    return 0


def plot(words: Sequence[str], imported: Importer) -> int:
    """Curves of several runs side by side: `dip plot 1adff2 2fd77f output=curves.png`."""
    names, results, flags = split("plot", words, "output")
    if not names:
        raise ValueError("plot: say which runs, by their names or how they begin: dip plot 1adff2 2fd77f")
    runs = [find_run(name, results, imported).run for name in names]
    path = Path(flags.get("output") or results / PLOTS / f"{'_'.join(run.name[:8] for run in runs)}.png")
    print(f"wrote {plotted(runs, path, imported)}")
    return 0


def plotted(runs: Sequence[Any], path: Path, imported: Importer) -> Path:
    """Where the figure of the curves of some runs was written."""
    if path.suffix != ".png":
        raise ValueError(f"output={path}: a PNG is written; give a name that ends in .png")
    imported("dip_experiments.analysis.compare_runs").plot_runs(runs, path)
    return path


def find_run(beginning: str, results: Path, imported: Importer) -> Any:
    """The state of the run whose name begins so. Raises ValueError if there is none, or more than one."""
    found = [state for state in imported(STORE).states(results) if state.run.name.startswith(beginning)]
    found = [state for state in found if state.run.name == beginning] or found
    found = [state for state in found if "." not in state.run.folder.name] or found
    if not found:
        raise ValueError(f"{beginning}: no run of {results} begins so; dip status lists them")
    if len(found) > 1:
        names = ", ".join(state.run.name for state in found[:8])
        raise ValueError(f"{beginning}: {len(found)} runs begin so, {names}; give more of the name")
    return found[0]


def prune(words: Sequence[str], imported: Importer) -> int:
    """Removes unfinished runs and what else is no result, after asking: `dip prune`, without asking with --yes."""
    names, results, flags = split("prune", words, YES)
    if names:
        raise ValueError(f"prune {names[0]}: it takes all unfinished runs of a store, paths.results=folder, and {YES}")
    found = list(imported(STORE).leftovers(results))
    for left in found:
        print(f"{left.folder}  {left.why}  {left.size / 1e6:.1f} MB")
    if not found:
        print(f"nothing unfinished in {results}")
        return 0
    if YES not in flags and not sys.stdin.isatty():
        raise ValueError(f"prune: nobody is there to ask; add {YES} to remove these {len(found)}")
    if YES not in flags and input(f"Remove these {len(found)} for good? [y/N] ").strip().lower() not in ("y", "yes"):
        print("nothing removed")
        return 0
    removed = sum(left.remove() for left in found)
    print(f"{removed} of {len(found)} removed" + ("; the others are being fitted" if removed < len(found) else ""))
    return 0


def merge(words: Sequence[str], imported: Importer) -> int:
    """Copies what another store has and this one lacks: `dip merge other/results`; 1 if anything was refused.

    Of a run that other hardware has fitted too, ours stays, and how far the two are apart is told.
    """
    names, results, _ = split("merge", words)
    if len(names) != 1 or not Path(names[0]).is_dir():
        given = " ".join(["merge", *names])
        raise ValueError(f"{given}: give the results folder of one other store: dip merge other/results")
    if Path(names[0]).resolve() == results.resolve():
        raise ValueError(f"merge {names[0]}: that is the store itself; give another one")
    store = imported(STORE)
    same = imported("dip_experiments.config.run_id").same_settings
    told = list(store.merge(results, Path(names[0]), lambda mine, found: same(mine.settings, found.settings)))
    for one in told:
        if one.why:
            print(f"{one.path}: {one.why}", file=sys.stderr if one.outcome == store.REFUSED else sys.stdout)
    counts = Counter(one.outcome for one in told)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or f"nothing finished in {names[0]}")
    return 1 if counts[store.REFUSED] else 0


def split(command: str, words: Sequence[str], *allowed: str) -> tuple[list[str], Path, dict[str, str]]:
    """Names, the results folder, and which of the flags and settings that a subcommand takes were given.

    Raises ValueError for others.
    """
    names = [word for word in words if "=" not in word and not word.startswith("-")]
    given = {key: value for key, _, value in (word.partition("=") for word in words if word not in names)}
    for key in given:
        if key not in ("paths.results", *allowed):
            takes = ", ".join([*allowed, "paths.results=folder"])
            raise ValueError(f"{command} {key}: not known here{did_you_mean(key, allowed)}; it takes {takes}")
    return names, Path(given.get("paths.results", "results")).expanduser(), given
