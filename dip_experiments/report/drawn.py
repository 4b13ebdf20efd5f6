"""Figures and tables of a results folder: image or text, our numbers and published ones, command."""

import csv
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dip_experiments.report.pictures import size_of
from dip_experiments.store import REPRODUCED, read_json

LABELS = re.compile(r"(?:^|(?<=[.;:)] ))(Settings|Expected[^:.]{0,30}|Time|Command): ")
COMPARED = ("image", "setting", "ours", "published", "difference")
NAMED = ("{}", "table_{}", "study_{}")
"""Possible names of the experiment of an artifact."""
AT_PAPER_SIZE = "make paper"
MEASURED = ("_mean", "_min", "_max")
"""Suffixes of columns with numbers."""
LONGEST = 24
"""Rows of a figure's numbers that are shown as they are."""
Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Head and rows."""


@dataclass(frozen=True)
class Drawn:
    """One figure or table of a scale.

    `about`: the start of its experiment's file, and `expected` the paper's results given in it, by label.
    `numbers`: ours, with published ones if any. `text`: of a table, in Markdown. `own`: of the user's
    own runs, not of the records. `request`: overrides of its experiment's own settings.
    """

    scale: str
    kind: str
    name: str
    about: str
    expected: Sequence[tuple[str, str]]
    command: str
    numbers: Table
    text: str
    picture: Path | None
    runs: Sequence[str]
    minutes: float
    own: bool = False
    request: str = ""

    @property
    def key(self) -> str:
        """Return its name in the address."""
        return f"{REPRODUCED + '/' if self.own else ''}{self.scale}/{self.kind}s/{self.name}"

    @property
    def title(self) -> str:
        """`Figure 2`, `Denoising`."""
        phrase = re.sub(r"fig(\d+)", r"Figure \1,", experiment_of(self.name).replace("_", " ")).rstrip(",")
        return phrase[0].upper() + phrase[1:] + (f" ({self.request})" if self.request else "")

    @property
    def shelf(self) -> str:
        """`laptop figures`, `reproduced laptop figures`."""
        return f"{REPRODUCED + ' ' if self.own else ''}{self.scale} {self.kind}s"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, in pixels."""
        return size_of(self.picture) if self.picture else (0, 0)


def all_drawn(results: Path, experiments: Path) -> list[Drawn]:
    """Return all figures and tables by scale, figures first; `experiments`: the folder of their YAML files."""
    folders = [folder for kind in ("figures", "tables") for folder in (f"*/{kind}", f"{REPRODUCED}/*/{kind}")]
    paths = [path for folder in folders for path in results.glob(f"{folder}/*.json")]
    paths.sort(key=lambda path: (_is_own(path), path.parts[-3], path.parts[-2], _natural(path.stem)))
    return [_drawn(path, experiments) for path in paths if path.with_suffix(".csv").exists()]


def _drawn(path: Path, experiments: Path) -> Drawn:
    scale, kind, source = path.parts[-3], path.parts[-2].removesuffix("s"), read_json(path)
    of_runs = sorted({str(run["settings"].get("experiment", {}).get("name", "")) for run in source["runs"]})
    labels = header(next(iter(_experiments(experiment_of(path.stem), of_runs, experiments)), None))
    picture, text = path.with_suffix(".png"), path.with_suffix(".md")
    return Drawn(
        scale=scale,
        kind=kind,
        name=path.stem,
        about=labels.get("", ""),
        expected=[(label, text) for label, text in labels.items() if label.startswith("Expected")],
        command=_command(labels, scale, str(source.get("request", ""))),
        numbers=numbers(path.with_suffix(".csv")),
        text=text.read_text() if text.exists() else "",
        picture=picture if picture.exists() else None,
        runs=[str(run["run"]) for run in source["runs"]],
        minutes=float(source["minutes_of_fitting"]),
        own=_is_own(path),
        request=str(source.get("request", "")),
    )


def experiment_of(page: str) -> str:
    """Return the name without the overrides of its request: `fig2` of `fig2-replicas-5`."""
    return page.partition("-")[0]


def _is_own(path: Path) -> bool:
    return path.parents[2].name == REPRODUCED


def _experiments(name: str, of_runs: Sequence[str], folder: Path) -> Iterator[Path]:
    """Return files of the experiments that a page may be of, the likeliest first: by its name, then by its runs."""
    names = [pattern.format(name) for pattern in NAMED]
    names += [path.stem for path in sorted(folder.glob(f"{name}_*.yaml"))]
    yield from (path for one in (*names, *of_runs) if (path := folder / f"{one}.yaml").exists())


def header(experiment: Path | None) -> dict[str, str]:
    """Return the first comment of an experiment's file by its labels (`Expected`, `Command`); "" for the rest."""
    if experiment is None:
        return {}
    lines = itertools.dropwhile(lambda line: line.startswith("# @"), experiment.read_text().splitlines())
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    about, *parts = LABELS.split(" ".join(line.lstrip("# ") for line in comment))
    return {"": about.strip()} | dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


def _command(labels: Mapping[str, str], scale: str, request: str) -> str:
    if scale == "paper" and AT_PAPER_SIZE in labels.get("Time", ""):
        return AT_PAPER_SIZE
    command = labels.get("Command", "").rstrip(".")
    settings = [f"SCALE={scale}"] * (scale in ("smoke", "demo")) + [f'ARGS="{request}"'] * bool(request)
    return " ".join([command, *settings]) if command else ""


def numbers(path: Path) -> Table:
    """Return the numbers of an artifact's CSV: ours and published, best and last values of curves, or a short table."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0]) if rows else []
    if set(COMPARED) <= set(columns):
        return COMPARED, [[row[column] for column in COMPARED] for row in rows]
    if "iteration" in columns and (values := [name for name in columns if name.endswith("_mean")]):
        return _of_curves(rows, columns[: columns.index("iteration")], values[0])
    if path.parent.name == "figures" and 0 < len(rows) <= LONGEST:
        return columns, [
            [_short(row[name]) if name.endswith(MEASURED) else row[name] for name in columns] for row in rows
        ]
    return (), ()


def _of_curves(rows: Sequence[Mapping[str, str]], names: Sequence[str], value: str) -> Table:
    """Return a row for every curve: the oracle's largest PSNR or gain, the least loss, and how it ends."""
    rises = value.startswith(("psnr", "gain"))
    peak = max if rises else min
    found = []
    for curve, group in itertools.groupby(rows, key=lambda row: [row[name] for name in names]):
        points = list(group)
        at = peak(points, key=lambda row: float(row[value]))
        found.append([*curve, _short(at[value]), at["iteration"], _short(points[-1][value]), points[-1]["iteration"]])
    title = value.removesuffix("_mean").replace("_", " ")
    return (*names, f"{'oracle' if rises else 'least'} {title}", "at iteration", "last", "at iteration"), found


def _short(number: str) -> str:
    return f"{float(number):.4g}"


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts fig10 after fig7."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
