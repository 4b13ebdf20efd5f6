"""Print the runs of a store in a terminal: a table of all, or one run with its curve."""

import csv
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Any, TextIO

from uniplot import plot_to_string

from dip_experiments.analysis.curves import first_curve
from dip_experiments.analysis.labels import differing_settings, format_network, picture_name, run_label
from dip_experiments.jobs.job_status import align_columns
from dip_experiments.jobs.times import format_duration
from dip_experiments.store import Run, State

CURVE = {"psnr_average": "PSNR of the average to the reference", "psnr_measurement": "PSNR to the measurement"}
WIDTH, HEIGHT = 100, 14
"""Characters of a curve in the terminal."""


FIELDS = (
    "run", "experiment", "label", "picture", "network", "state", "iterations", "iterations_requested",
    "oracle_peak_psnr", "seconds", "began", "folder",
)  # fmt: skip
"""Of a run for a program."""
EARLIEST = datetime.min.replace(tzinfo=UTC)


def status_lines(found: Sequence[State], now: datetime | None = None) -> Iterator[str]:
    """Yield a table of the runs of each experiment, under the number of runs in each state; the newest come last."""
    by_name: dict[str, list[State]] = {}
    for state in sorted(found, key=lambda state: state.began or EARLIEST):
        by_name.setdefault(experiment_of(state), []).append(state)
    for name, runs in sorted(by_name.items(), key=lambda pair: pair[1][-1].began or EARLIEST):
        counts = Counter(state.status for state in runs)
        yield f"{name or '(no settings)'}: " + ", ".join(f"{count} {state}" for state, count in counts.items())
        yield from (f"  {line}" for line in align_columns([row(state, now or datetime.now(UTC)) for state in runs]))
        yield ""


def record_lines(records: Sequence[State], given: Sequence[str]) -> Iterator[str]:
    """Yield the number of records, unless it is 0, and how to list them."""
    if records:
        several = "record" if len(records) == 1 else "records"
        yield f"{len(records)} {several} of figures and tables: {' '.join(['dip status', *given, '--all'])}"


def experiment_of(state: State) -> str:
    """Return the name of the experiment that first requested a run; an empty string before it has settings."""
    return str(state.config.get("experiment", {}).get("name", ""))


def row(state: State, now: datetime) -> dict[str, str]:
    """Return one run in eight columns; `started`: time since its last session began, `time`: of all sessions."""
    found = entry(state)
    fit = found["label"].replace(f" {found['picture']}", "")
    network = found["network"] if found["network"] not in fit.split() else ""
    done, total, peak = found["iterations"], found["iterations_requested"], found["oracle_peak_psnr"]
    return {
        "run": state.run.name,
        "picture": found["picture"],
        "fit": ", ".join(filter(None, [fit, network])),
        "state": format_state(state),
        "iterations": f"{'?' if done is None else done} of {total}" if total and done != total else f"{done or ''}",
        "oracle peak": "" if peak is None else f"{peak:.2f} dB",
        "fit time": "" if state.seconds is None else format_duration(state.seconds),
        "started": ""
        if state.began is None
        else f"{format_duration(max((now - state.began).total_seconds(), 0.0))} ago",
    }


def entry(state: State) -> dict[str, Any]:
    """Return one run for a program: None where something is not known.

    `oracle_peak_psnr` in dB is the best of the average against the reference, mean of the seeds.
    """
    config = state.config
    peak = [value for value in (state.summary.get("oracle_peak") or {}).get("psnr_average", []) if value is not None]
    done, total = state.done
    values = (
        state.run.name,
        experiment_of(state),
        run_label(state.run) if state.began else "",
        picture_name(config) if config else "",
        format_network(config["architecture"]) if config else "",
        state.status,
        done,
        total,
        fmean(peak) if peak else None,
        state.seconds,
        state.began.isoformat() if state.began else None,
        str(state.run.folder),
    )
    return dict(zip(FIELDS, values, strict=True))


def write_csv(entries: Sequence[dict[str, Any]], file: TextIO) -> None:
    """Write runs as CSV, a line each."""
    writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries)


def format_state(state: State) -> str:
    """Format the state; of a running one with its owner and the time left."""
    if state.status != "running":
        return state.status
    owner = f"{state.owner.get('host', '?')}, process {state.owner.get('pid', '?')}"
    left = "" if state.seconds_left is None else f", {format_duration(state.seconds_left)} left"
    return f"{state.status} ({owner}{left})"


def run_lines(state: State, default: Mapping[str, Any]) -> Iterator[str]:
    """Yield one run: the settings that differ from `default`, numbers, images and its curve."""
    run = state.run
    yield headline(state)
    if state.status == "finished" and (faults := run.integrity_errors()):
        yield f"damaged: {'; '.join(faults)}"
    if run.failure:
        yield f"failed: {run.failure.splitlines()[0]}"
    yield from _block("Settings that differ from the default ones", differing_settings(state.config, default))
    if state.summary:
        yield from _block("Numbers: mean of the seeds (their range)", numbers(run))
    yield "\nImages in images/"
    names = ", ".join(image_names(run)) or "none"
    yield textwrap.fill(names, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    if (run.folder / "curves.csv").exists() and run.curves:
        yield from curve_lines(run)


def headline(state: State) -> str:
    """Format id, label, experiment, state and folder of a run in one line."""
    named = [run_label(state.run) if state.began else "", experiment_of(state), format_state(state)]
    return f"{state.run.name}: {', '.join(filter(None, [*named, str(state.run.folder)]))}"


def _block(title: str, entries: Mapping[str, str]) -> Iterator[str]:
    yield f"\n{title}"
    width = max(map(len, entries), default=0)
    yield from (f"  {name.ljust(width)}  {value}" for name, value in entries.items())


def numbers(run: Run) -> dict[str, str]:
    """Return seeds, time, and every curve at the end and at the oracle's peak: mean over seeds (and range)."""
    summary = run.summary
    found = {
        "seed": " ".join(map(str, run.seeds)),
        "time": f"{format_duration(summary['wall_seconds'])} on {run.provenance['device']}",
        "iterations": str(summary["iterations"]),
    }
    if stops := summary.get("stopping"):
        found["stops"] = ", ".join(f"{name} {rule['joint'] or 'nowhere'}" for name, rule in stops.items())
    for column, values in summary["final"].items():
        found[column] = f"{_spread(values)} at the end"
        if column in (summary.get("oracle_peak") or {}):
            peak, at = summary["oracle_peak"][column], summary["oracle_iteration"][column]
            found[column] += f"; oracle {_spread(peak)} at {_spread(at)}"
    return found


def _spread(values: Sequence[float | int | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    apart = f" ({min(known):.4g} to {max(known):.4g})" if min(known) != max(known) else ""
    return f"{fmean(known):.4g}{apart}"


def image_names(run: Run) -> list[str]:
    """Return the names of the stored images, of whichever replica."""
    names = (path.stem.rpartition("-replica")[0] for path in (run.folder / "images").glob("*.png"))
    return sorted(set(names))


def curve_lines(run: Run) -> Iterator[str]:
    """Yield the curve that judges a run, mean over its seeds, over the logarithm of the iteration."""
    column, curve = first_curve(run)
    drawn: str | list[str] = plot_to_string(
        curve.values.mean(0), curve.iterations, x_as_log=True, lines=True, width=WIDTH - 20, height=HEIGHT,
        color=sys.stdout.isatty(), title=f"{CURVE[column]}, dB, over iterations",
    )  # fmt: skip
    yield ""
    yield from (drawn.splitlines() if isinstance(drawn, str) else drawn)
