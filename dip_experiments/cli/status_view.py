"""What a store holds, in lines for a terminal: all of its runs, or one."""

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from statistics import fmean
from typing import Any

from uniplot import plot_to_string

from dip_experiments.analysis.curves import first_curve
from dip_experiments.analysis.labels import differing_settings, format_network, format_task
from dip_experiments.jobs.job_status import aligned
from dip_experiments.store import Run, State
from dip_experiments.times import duration

CURVE = {"psnr_average": "PSNR of the average to the reference", "psnr_measurement": "PSNR to the measurement"}
WIDTH, HEIGHT = 100, 14
"""Characters of a curve in the terminal."""


def status_lines(found: Sequence[State], now: datetime | None = None) -> Iterator[str]:
    """A table of the runs of each experiment, with what became of how many above it."""
    by_name = sorted(found, key=experiment_of)
    for name, group in groupby(by_name, experiment_of):
        runs = list(group)
        words = [state.word for state in runs]
        yield f"{name or '(no settings)'}: " + ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        yield from (f"  {line}" for line in aligned([row(state, now or datetime.now(UTC)) for state in runs]))
        yield ""


def experiment_of(state: State) -> str:
    """The name of the experiment that a run was first asked for by; empty before it has settings."""
    return str(state.words.get("experiment", {}).get("name", ""))


def row(state: State, now: datetime) -> dict[str, str]:
    """One run in eight columns; `begun`: how long ago its last sitting began, `time`: of all sittings."""
    words, peak = state.words, (state.summary.get("oracle_peak") or {}).get("psnr_average")
    done, asked = state.done
    return {
        "run": state.run.name,
        "picture": words.get("image", {}).get("name", ""),
        "fit": f"{format_task(words)}, {format_network(words['architecture'])}" if words else "",
        "state": state_words(state),
        "iterations": f"{'?' if done is None else done} of {asked}" if asked and done != asked else f"{done or ''}",
        "oracle peak": f"{fmean(value for value in peak if value is not None):.2f} dB" if peak else "",
        "time": "" if state.seconds is None else duration(state.seconds),
        "begun": "" if state.began is None else f"{duration(max((now - state.began).total_seconds(), 0.0))} ago",
    }


def state_words(state: State) -> str:
    """The state; of a run that is being fitted by whom, and how long it will take yet."""
    if state.word != "running":
        return state.word
    owner = f"{state.owner.get('host', '?')}, process {state.owner.get('pid', '?')}"
    left = "" if state.seconds_left is None else f", {duration(state.seconds_left)} left"
    return f"{state.word} ({owner}{left})"


def run_lines(state: State, default: Mapping[str, Any]) -> Iterator[str]:
    """One run: what differs from the `default` settings, numbers, pictures and its curve."""
    run = state.run
    yield f"{run.name}: {experiment_of(state)}, {state_words(state)}, {run.folder}"
    if state.word == "finished" and (faults := run.faults()):
        yield f"damaged: {'; '.join(faults)}"
    if run.failure:
        yield f"failed: {run.failure.splitlines()[0]}"
    yield from _block("Settings that differ from those of plain `dip`", differing_settings(state.words, default))
    if state.summary:
        yield from _block("Numbers: mean of the seeds (their range)", numbers(run))
    yield "\nPictures in images/"
    names = ", ".join(pictures(run)) or "none kept"
    yield textwrap.fill(names, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    if (run.folder / "curves.csv").exists() and run.curves:
        yield from curve_lines(run)


def _block(title: str, entries: Mapping[str, str]) -> Iterator[str]:
    yield f"\n{title}"
    width = max(map(len, entries), default=0)
    yield from (f"  {name.ljust(width)}  {value}" for name, value in entries.items())


def numbers(run: Run) -> dict[str, str]:
    """Seeds, time, and every curve at the end and at the oracle's peak: mean over the seeds (and their range)."""
    summary = run.summary
    told = {
        "seed": " ".join(map(str, run.seeds)),
        "time": f"{duration(summary['wall_seconds'])} on {run.provenance['device']}",
        "iterations": str(summary["iterations"]),
    }
    if stops := summary.get("stopping"):
        told["stops"] = ", ".join(f"{name} {rule['joint'] or 'nowhere'}" for name, rule in stops.items())
    for column, values in summary["final"].items():
        told[column] = f"{_spread(values)} at the end"
        if column in (summary.get("oracle_peak") or {}):
            peak, at = summary["oracle_peak"][column], summary["oracle_iteration"][column]
            told[column] += f"; oracle {_spread(peak)} at {_spread(at)}"
    return told


def _spread(values: Sequence[float | int | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    apart = f" ({min(known):.4g} to {max(known):.4g})" if min(known) != max(known) else ""
    return f"{fmean(known):.4g}{apart}"


def pictures(run: Run) -> list[str]:
    """Names of the pictures that are there, of whichever replica."""
    names = (path.stem.rpartition("-replica")[0] for path in (run.folder / "images").glob("*.png"))
    return sorted(set(names))


def curve_lines(run: Run) -> Iterator[str]:
    """The curve that a run is judged by, mean over its seeds, over the logarithm of the iteration."""
    column, curve = first_curve(run)
    drawn: str | list[str] = plot_to_string(
        curve.values.mean(0), curve.iterations, x_as_log=True, lines=True, width=WIDTH - 20, height=HEIGHT,
        color=sys.stdout.isatty(), title=f"{CURVE[column]}, dB, over iterations",
    )  # fmt: skip
    yield ""
    yield from (drawn.splitlines() if isinstance(drawn, str) else drawn)
