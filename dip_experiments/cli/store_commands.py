"""Subcommands on the runs of a store: `dip status`, `show`, `plot`, `remove`, ... Their docstrings are their --help."""

import json
import sys
import webbrowser
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dip_experiments.cli.lazy_import import lazy_import
from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.groups import did_you_mean

STORE = "dip_experiments.store"
YES, OPEN, ALL, JSON, CSV = "--yes", "--open", "--all", "--json", "--csv"
LATEST = "latest"
"""Name of the run of one's own that started last."""
PLOTS = "plots"
"""Folder of `results` for figures on request; not tracked."""


def status(argv: Sequence[str]) -> int:
    """List your runs: state, owner, time left, peak; the newest come last.

    Usage: dip status [EXPERIMENT ...] [--all] [--json | --csv] [paths.results=FOLDER]

    Options:
        --all     list the records too, of which else only the number is shown
        --json    print a list of objects, for a program
        --csv     print a table, for a program

    Example: dip status fig2
    """
    names, results, flags = split_names("status", argv, ALL, JSON, CSV)
    if JSON in flags and CSV in flags:
        raise ValueError(f"status {JSON} {CSV}: choose one of the two")
    view, found = lazy_import("dip_experiments.cli.status_view"), list(lazy_import(STORE).states(results))
    known = {view.experiment_of(state) for state in found}
    for name in names:
        if name not in known:
            raise ValueError(f"status {name}: {results} has no runs of it; it has {', '.join(sorted(known)) or 'none'}")
    found = [state for state in found if not names or view.experiment_of(state) in names]
    records = [] if ALL in flags else [state for state in found if state.run.is_record]
    listed = [state for state in found if state not in records]
    if JSON in flags:
        print(json.dumps([view.entry(state) for state in listed], indent=1))
    elif CSV in flags:
        view.write_csv([view.entry(state) for state in listed], sys.stdout)
    else:
        own = list(view.status_lines(listed)) or [f"no runs of your own in {results}"]
        print("\n".join([*own, *view.record_lines(records, argv)]))
    return 0


def show(argv: Sequence[str]) -> int:
    """Show one run: the settings that differ from the default ones, numbers, images, curve.

    Usage: dip show RUN [--open] [paths.results=FOLDER]

    RUN is a run id or its beginning, as `dip status` lists it; `latest`: the run that you started last.

    Options:
        --open    draw the figure of its curves and open it

    Example: dip show latest
    """
    names, results, flags = split_names("show", argv, OPEN)
    if len(names) != 1:
        raise ValueError(
            "show: give one run, by its id, the beginning of it, or `latest`: dip show 1adff2 (dip status lists them)"
        )
    state = find_run(names[0], results)
    default = (
        lazy_import("dip_experiments.config.settings").read_settings(compose_jobs([], multirun=False)[0]).to_dict()
    )
    for line in lazy_import("dip_experiments.cli.status_view").run_lines(state, default):
        print(line)
    if OPEN in flags:
        path = write_plot([state.run], results / PLOTS / f"{state.run.name}.png")
        webbrowser.open(path.absolute().as_uri())
    return 0


def plot(argv: Sequence[str]) -> int:
    """Draw the curves of several runs in one figure.

    Usage: dip plot RUN [RUN ...] [output=FILE.png] [paths.results=FOLDER]

    Example: dip plot 1adff2 2fd77f output=curves.png
    """
    names, results, flags = split_names("plot", argv, "output")
    if not names:
        raise ValueError("plot: give runs, by their ids or the beginnings of them: dip plot 1adff2 2fd77f")
    runs = [find_run(name, results).run for name in names]
    path = Path(flags.get("output") or results / PLOTS / f"{'_'.join(run.name[:8] for run in runs)}.png")
    print(f"wrote {write_plot(runs, path)}")
    return 0


def write_plot(runs: Sequence[Any], path: Path) -> Path:
    """Draw the curves of some runs into a PNG and return its path."""
    if path.suffix != ".png":
        raise ValueError(f"output={path}: a PNG is written; give a name that ends in .png")
    lazy_import("dip_experiments.analysis.compare_runs").plot_runs(runs, path)
    return path


def find_run(beginning: str, results: Path) -> Any:
    """Return the state of the run whose id has this beginning, or of the `latest` of one's own.

    Raises ValueError for none, and for more than one.
    """
    found = list(lazy_import(STORE).states(results))
    if beginning == LATEST:
        started = [state for state in found if state.began and not state.run.is_record]
        if not started:
            raise ValueError(f"{LATEST}: no runs of your own in {results}; dip status --all lists the records")
        return max(started, key=lambda state: state.began)
    found = [state for state in found if state.run.name.startswith(beginning)]
    found = [state for state in found if state.run.name == beginning] or found
    found = [state for state in found if "." not in state.run.folder.name] or found
    if not found:
        raise ValueError(f"{beginning}: no run id in {results} has this beginning; dip status lists them")
    if len(found) > 1:
        names = ", ".join(state.run.name for state in found[:8])
        raise ValueError(f"{beginning}: {len(found)} run ids have this beginning, {names}; give more of it")
    return found[0]


def remove(argv: Sequence[str]) -> int:
    """Remove runs of your own, finished or not, after asking.

    Records stay: they are part of the repository. What W&B has of a run stays too. The exit code is 1 if a run is being
    fitted and stays.

    Usage: dip remove RUN [RUN ...] [--yes] [paths.results=FOLDER]

    Options:
        --yes    remove without asking

    Example: dip remove 1adff2
    """
    names, results, flags = split_names("remove", argv, YES)
    if not names:
        raise ValueError("remove: give runs, by their ids or the beginnings of them: dip remove 1adff2")
    found = {state.run.folder: state for state in (find_run(name, results) for name in names)}
    for state in found.values():
        if state.run.is_record:
            raise ValueError(f"remove {state.run.name}: that is a record, {state.run.folder}; git rm -r removes it")
        print(lazy_import("dip_experiments.cli.status_view").headline(state))
    if not confirmed("remove", len(found), flags):
        return 0
    folders = [lazy_import(STORE).RunFolder(state.run.folder, state.status) for state in found.values()]
    removed = sum(folder.remove() for folder in folders)
    print(f"{removed} of {len(found)} removed" + ("; the others are being fitted" if removed < len(found) else ""))
    return 0 if removed == len(found) else 1


def confirmed(command: str, count: int, flags: Mapping[str, str]) -> bool:
    """Ask whether to remove so many folders. Raises ValueError without a terminal to ask in."""
    if YES in flags:
        return True
    if not sys.stdin.isatty():
        raise ValueError(f"{command}: no terminal to ask in; add {YES} to remove these {count}")
    if input(f"Remove these {count} for good? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    print("nothing removed")
    return False


def prune(argv: Sequence[str]) -> int:
    """Remove unfinished runs and temporary files, after asking.

    Usage: dip prune [--yes] [paths.results=FOLDER]

    Options:
        --yes    remove without asking

    Example: dip prune
    """
    names, results, flags = split_names("prune", argv, YES)
    if names:
        raise ValueError(f"prune {names[0]}: it takes all unfinished runs of a store, paths.results=folder, and {YES}")
    found = list(lazy_import(STORE).find_incomplete(results))
    for left in found:
        print(f"{left.folder}  {left.why}  {left.size / 1e6:.1f} MB")
    if not found:
        print(f"nothing unfinished in {results}")
        return 0
    if not confirmed("prune", len(found), flags):
        return 0
    removed = sum(left.remove() for left in found)
    print(f"{removed} of {len(found)} removed" + ("; the others are being fitted" if removed < len(found) else ""))
    return 0


def merge(argv: Sequence[str]) -> int:
    """Copy what another store has and this one lacks.

    Of a run that both have, this store's stays, and the difference of the two is printed. The exit code is 1 if
    anything was refused.

    Usage: dip merge OTHER [paths.results=FOLDER]

    Example: dip merge other/results
    """
    names, results, _ = split_names("merge", argv)
    if len(names) != 1 or not Path(names[0]).is_dir():
        given = " ".join(["merge", *names])
        raise ValueError(f"{given}: give the results folder of one other store: dip merge other/results")
    if Path(names[0]).resolve() == results.resolve():
        raise ValueError(f"merge {names[0]}: that is the store itself; give another one")
    store = lazy_import(STORE)
    same = lazy_import("dip_experiments.config.run_id").same_settings
    merged = list(store.merge(results, Path(names[0]), lambda mine, found: same(mine.settings, found.settings)))
    for one in merged:
        if one.why:
            print(f"{one.path}: {one.why}", file=sys.stderr if one.outcome == store.REFUSED else sys.stdout)
    counts = Counter(one.outcome for one in merged)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or f"nothing finished in {names[0]}")
    return 1 if counts[store.REFUSED] else 0


def split_names(command: str, argv: Sequence[str], *allowed: str) -> tuple[list[str], Path, dict[str, str]]:
    """Separate names, the results folder, and the flags and settings that a subcommand takes.

    Raises ValueError for others.
    """
    names = [one for one in argv if "=" not in one and not one.startswith("-")]
    given = {key: value for key, _, value in (one.partition("=") for one in argv if one not in names)}
    for key in given:
        if key not in ("paths.results", *allowed):
            takes = ", ".join([*allowed, "paths.results=FOLDER"])
            raise ValueError(f"{command} {key}: not known here{did_you_mean(key, allowed)}; it takes {takes}")
    return names, Path(given.get("paths.results", "results")).expanduser(), given
