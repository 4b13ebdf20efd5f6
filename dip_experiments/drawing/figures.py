"""How figures and tables look and where they lie: the style, and the door of every drawing script."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dip_experiments.images import read_image
from dip_experiments.metrics import EXPLAINED, iterations_to_explain
from dip_experiments.store import Run, Store, atomic, write_columns, write_json, write_text

Array = NDArray[np.float64]

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#CC3311"
"""Told apart by colour-blind readers too."""
COLOURS = {"natural": BLUE, "noisy": ORANGE, "shuffled": GREEN, "noise": RED}
"""One colour per target signal."""
FRAME = "#33BBEE"
"""Colour of the frame around a part that is enlarged elsewhere: one that the pictures hardly have."""
LABELS = {"natural": "image", "noisy": "image + noise", "shuffled": "image shuffled", "noise": "U(0, 1) noise"}
"""The paper's words for the target signals (Fig. 2)."""
WIDTH, TITLE, LABELLED = 8.4, 0.7, 0.85
"""Inches: width of the figures of pictures, room for their title, room for the words in a row of pictures."""
OF_SEEDS = "pictures of {}, numbers and curves with mean and range"
POINTS_PER_DECADE = 60
"""Of the iterations whose values a figure's CSV has."""


class Panel(NamedTuple):
    """One picture of a row.

    `picture`: "c h w" in [0, 1]; None leaves the title in its place. `decibels`: its quality, one value per seed.
    """

    title: str
    picture: Array | None
    decibels: Sequence[float] | Array = ()


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


def only_run(runs: Sequence[Run]) -> Run:
    """The run of a figure that shows one; ValueError if the experiment was last asked for with several."""
    if len(runs) > 1:
        raise ValueError(
            f"the figure shows one run, but {len(runs)} were asked for last; ask for one again, without -m"
        )
    return runs[0]


def stored(run: Run, name: str, replica: int = 0) -> Array:
    """A picture of the store, "c h w" in [0, 1]; `name` as Run.image takes it."""
    path = run.image(name, replica)
    if not path.exists():
        raise ValueError(f"{path} is not there; make the run again with the experiment's own settings and force=true")
    return read_image(path)


def output_at(run: Run, iteration: int, replica: int = 0) -> Array:
    """The output of the network at an iteration whose image was kept."""
    return stored(run, f"iteration-{iteration:06d}", replica)


def missing(run: Run) -> NDArray[np.bool_]:
    """Holes of an inpainting, "h w": where the target is black and the reference is not.

    The store keeps no mask. A pixel that is black in the reference too counts as known, which it is: as black.
    """
    return (stored(run, "target") == 0).all(0) & (stored(run, "reference") != 0).any(0)


def curves_of(run: Run, column: str) -> Array:
    """One of the curves, a row per seed."""
    return np.stack([curve[column] for curve in run.curves])


def described(runs: Sequence[Run], scale: str, shown: str = "the first") -> str:
    """What was fitted, and how: picture, size, width, rates, precision, scale, seeds, whose pictures are shown."""
    words = runs[0].settings
    height, width = stored(runs[0], "average").shape[1:]
    cut = {"crop": "middle ", "resize": "resized to "}[words["image"]["fit"]] if words["image"]["size"] else ""
    channels = dict.fromkeys(words["architecture"]["down"])
    rates = sorted({run.settings["optimizer"]["lr"] for run in runs}, reverse=True)
    seeds = runs[0].provenance["seeds"]
    return (
        f"{words['image']['name']}, {cut}{width} x {height} pixels; {'width' if len(channels) == 1 else 'channels'} "
        f"{', '.join(map(str, channels))}; {words['optimizer']['name'].capitalize()} {', '.join(map(str, rates))}; "
        f"{words['precision']}; scale {scale}{', where numbers mean nothing' if scale == 'smoke' else ''}\n"
        + (f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}: {OF_SEEDS.format(shown)}")
    )


def sheet(*heights: float) -> tuple[Figure, list[SubFigure]]:
    """A figure with room for a title, and in it parts of these heights in inches, one below the other."""
    figure = plt.figure(figsize=(WIDTH, TITLE + sum(heights)), layout="constrained")
    return figure, [*figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]]


def row_height(panels: Sequence[Panel]) -> float:
    """Inches that `show_row` takes."""
    height, width = next(panel.picture.shape[1:] for panel in panels if panel.picture is not None)
    return 2 * WIDTH / max(len(panels), 4) * height / width + LABELLED


def band(axis: Axes, values: Array, colour: str, label: str, at: NDArray[np.int_] | None = None) -> None:
    """Mean over the seeds as a line over the iterations, or those of them in `at`; their range as a band."""
    iterations = np.arange(1, values.shape[1] + 1) if at is None else at
    values = values[:, iterations - 1]
    axis.plot(iterations, values.mean(0), color=colour, label=label, linewidth=1.5)
    axis.fill_between(iterations, values.min(0), values.max(0), color=colour, alpha=0.25, linewidth=0)


def log_points(iterations: int) -> NDArray[np.int_]:
    """Log-spaced iterations, the first and the last among them."""
    decades = np.log10(iterations)
    return np.unique(np.rint(np.logspace(0, decades, int(decades * POINTS_PER_DECADE) + 1)).astype(int))


def tabulated(curves: Mapping[str, Array], name: str, quantity: str) -> dict[str, list[Any]]:
    """Mean, least and most over the seeds at log-spaced iterations; `curves`: rows of one value per iteration."""
    columns: dict[str, list[Any]] = {
        column: [] for column in (name, "iteration", *(f"{quantity}_{what}" for what in ("mean", "min", "max")))
    }
    for label, values in curves.items():
        for n in log_points(values.shape[1]):
            add_row(columns, label, n, *statistics(values[:, n - 1]))
    return columns


def add_row(columns: Mapping[str, list[Any]], *row: object) -> None:
    """Appends one entry to each column."""
    for column, value in zip(columns.values(), row, strict=True):
        column.append(value)


def under_pictures(name: str, quantity: str, rows: Sequence[tuple[Any, Sequence[Panel]]]) -> dict[str, list[Any]]:
    """The numbers under rows of pictures, each row with its entry in the column `name`."""
    columns: dict[str, list[Any]] = {
        column: [] for column in (name, "picture", *(f"{quantity}_{what}" for what in ("mean", "min", "max")))
    }
    for label, panels in rows:
        for panel in panels:
            if len(panel.decibels):
                add_row(columns, label, panel.title, *statistics(panel.decibels))
    return columns


def statistics(values: Sequence[float] | Array) -> tuple[str, str, str]:
    """Mean, least and most to six digits."""
    mean, least, most = (f"{value:.6g}" for value in (np.mean(values), np.min(values), np.max(values)))
    return mean, least, most


def show(axis: Axes, picture: Array, title: str = "", note: str = "", pixels: str = "antialiased") -> None:
    """A picture "c h w" in [0, 1], grey or RGB, with a line above and one below; `pixels`: the interpolation."""
    axis.imshow(np.moveaxis(np.broadcast_to(picture, (3, *picture.shape[1:])), 0, 2), interpolation=pixels)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=8)
    axis.set_xlabel(note, fontsize=8)
    axis.spines[:].set_visible(False)


def show_row(figure: Figure | SubFigure, panels: Sequence[Panel], corner: tuple[float, float]) -> None:
    """Pictures side by side; below each the part a quarter of its height and width from `corner` (top, left) on.

    The corner is given as shares of the height and width.
    """
    for (whole, enlarged), panel in zip(figure.subplots(2, len(panels)).T, panels, strict=True):
        if panel.picture is None:
            whole.text(0.5, 0.5, panel.title, ha="center", va="center", fontsize=8)
            whole.set_axis_off()
            enlarged.set_axis_off()
            continue
        show(whole, panel.picture, panel.title, note(panel.decibels))
        height, width = (side // 4 for side in panel.picture.shape[1:])
        top, left = (round(at * side) for at, side in zip(corner, panel.picture.shape[1:], strict=True))
        whole.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=FRAME))
        show(enlarged, panel.picture[:, top : top + height, left : left + width], pixels="nearest")


def note(decibels: Sequence[float] | Array) -> str:
    """What stands below a picture: the mean over the seeds, and their range."""
    if not len(decibels):
        return ""
    mean = f"{np.mean(decibels):.2f} dB"
    return mean if len(decibels) == 1 else f"{mean}\n{np.min(decibels):.2f} to {np.max(decibels):.2f}"


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


def run_script(experiment: str, draw: Callable[[list[Run], Path], None], *further: str) -> int:
    """Command line of a drawing script: `--scale laptop --results results`. `draw(runs, folder of the scale)`.

    The runs are those of the experiment and of the `further` ones.
    """
    arguments = command_line(draw.__doc__)
    style()
    try:
        store = Store(arguments.results)
        runs = [run for name in (experiment, *further) for run in store.read_grid(name, arguments.scale)]
        draw(runs, arguments.results / arguments.scale)
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
