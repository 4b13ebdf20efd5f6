"""How figures and tables look and where they lie: the style, and the door of every drawing script."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dip_experiments.metrics import iterations_to_explain
from dip_experiments.store import Run, Store, atomic, write_columns, write_json, write_text

COLOURS = {"natural": "#0072B2", "noisy": "#E69F00", "shuffled": "#009E73", "noise": "#CC3311"}
"""One colour per target signal, told apart by colour-blind readers too."""
LABELS = {"natural": "image", "noisy": "image + noise", "shuffled": "image shuffled", "noise": "U(0, 1) noise"}
"""The paper's words for the target signals (Fig. 2)."""
EXPLAINED = 0.9
"""Share of a target's variance at which the impedance is read (ours)."""


def style() -> None:
    """Settings of every figure; nothing in them depends on the day, so that the same runs give the same file."""
    matplotlib.use("Agg")
    plt.rcParams.update(
        {
            "figure.dpi": 90,
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "legend.frameon": False,
            "pdf.compression": 9,
        }
    )


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Writes name.png and name.pdf, without time stamps."""
    for ending, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None, "Creator": None})):
        with atomic(folder / f"{name}.{ending}") as file:
            figure.savefig(file, format=ending, metadata=metadata)


def save_table(columns: Mapping[str, Sequence[Any]], folder: Path, name: str, above: str = "", below: str = "") -> None:
    """Writes name.csv and name.md, this one with the notes `above` and `below` the table."""
    write_columns(folder / f"{name}.csv", columns)
    rows = [list(columns), ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    table = "".join("| " + " | ".join(map(str, row)) + " |\n" for row in rows)
    write_text(folder / f"{name}.md", (f"{above}\n\n" if above else "") + table + (f"\n{below}\n" if below else ""))


def save_sources(runs: Sequence[Run], folder: Path, name: str) -> None:
    """Writes name.json: settings, provenance and time of the runs that a figure or table was made of."""
    sources = [
        {
            "run": run.name,
            "settings": {key: value for key, value in run.settings.items() if key not in ("paths", "logger")},
            "provenance": {key: value for key, value in run.provenance.items() if key != "command"},
            "wall_seconds": run.summary["wall_seconds"],
            "guard": run.summary["guard"],
        }
        for run in runs
    ]
    minutes = sum(run.summary["wall_seconds"] for run in runs) / 60
    write_json(folder / f"{name}.json", {"minutes_of_fitting": round(minutes, 2), "runs": sources})


def iterations_explained(run: Run) -> NDArray[np.float64]:
    """Iterations to EXPLAINED of the target's variance, one per seed; infinite where it was not reached."""
    pairs = zip(run.curves, run.summary["target_variance"], strict=True)
    reached = [iterations_to_explain(curve["loss"], variance, EXPLAINED) for curve, variance in pairs]
    return np.array([np.inf if n is None else n for n in reached])


def run_among(runs: Sequence[Run], fits: Callable[[Run], bool], otherwise: str) -> Run:
    """The first run that fits what it is compared for; ValueError saying `otherwise` if there is none."""
    for run in runs:
        if fits(run):
            return run
    raise ValueError(otherwise)


def impedance(run: Run, natural: Run) -> tuple[str, ...]:
    """Median, least and most iterations to EXPLAINED over the seeds, and the ratio of the medians to `natural`'s.

    `>N` stands where it was not reached in N iterations.
    """
    limit, ours, basis = run.summary["iterations"], iterations_explained(run), np.median(iterations_explained(natural))
    counts = [f"{n:g}" if np.isfinite(n) else f">{limit}" for n in (np.median(ours), ours.min(), ours.max())]
    if np.isinf(basis):
        return (*counts, "natural not reached")
    return (*counts, f"{np.median(ours) / basis:.2f}" if np.isfinite(np.median(ours)) else f">{limit / basis:.2f}")


def run_script(experiment: str, draw: Callable[[list[Run], Path], None]) -> int:
    """Command line of a drawing script: `--scale laptop --results results`. `draw(runs, folder of the scale)`."""
    arguments = command_line(draw.__doc__)
    style()
    try:
        draw(Store(arguments.results).read_grid(experiment, arguments.scale), arguments.results / arguments.scale)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def command_line(description: str | None) -> argparse.Namespace:
    """`scale` and `results` as every drawing script takes them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--scale", choices=("smoke", "laptop", "paper"), default="laptop")
    parser.add_argument("--results", type=Path, default=Path("results"))
    return parser.parse_args()
