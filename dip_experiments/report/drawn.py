"""Figures and tables of a results folder by experiment: image or text, our numbers and published ones, command."""

import csv
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dip_experiments.report.pictures import size_of
from dip_experiments.store import REPRODUCED, read_json, unpack

LABELS = re.compile(r"(?:^|(?<=[.;:)] ))(Settings|Expected[^:.]{0,30}|Time|Command): ")
COMPARED = ("image", "setting", "ours", "published", "difference")
NAMED = ("{}", "table_{}", "study_{}")
"""Possible names of the experiment of an artifact."""
SHELVES = {"The paper's figures": r"fig\d", "The paper's tables, its supplement": r"\S+ (Table|The paper)", "Ours": ""}
"""Headings of the contents in their order; how name and caption begin of what belongs below each."""
SCALES = ("paper", "laptop", "demo", "smoke")
"""In the order in which their pictures are shown."""
IMPEDANCE = {"fig2": "impedance"}
"""Figure -> the table in the same folder whose numbers it is shown with."""
PAPER_CURVES = {
    "natural": "falls at once",
    "noisy": "falls at once",
    "shuffled": "plateau first",
    "noise": "plateau first",
}
"""Target -> its curve in the paper's Figure 2, which prints no numbers (PAPER, Fig. 2)."""
MEASURED = ("_mean", "_min", "_max")
"""Suffixes of columns with numbers."""
LONGEST = 24
"""Rows of a figure's numbers that are shown as they are."""
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, head and rows."""
NONE: Table = ("", (), ())


@dataclass(frozen=True)
class Drawn:
    """One figure or table of a scale.

    `experiment`: its own, or the name of a table of several. `labels`: the start of that experiment's file, as `header`
    returns it. `numbers`: ours, with published ones if any. `text`: of a table, in Markdown. `own`: of the user's own
    runs, not of the records. `request`: overrides of its experiment's own settings.
    """

    scale: str
    kind: str
    name: str
    experiment: str
    labels: Mapping[str, str]
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
        phrase = re.sub(r"fig(\d+)", r"Figure \1,", self.name.partition("-")[0].replace("_", " ")).rstrip(",")
        return phrase[0].upper() + phrase[1:]

    @property
    def about(self) -> str:
        """Return the caption: the start of its experiment's file, else the first sentence of the table."""
        return self.labels.get("") or re.split(r"[.:] ", self.text.replace("\n", " "))[0]

    @property
    def expected(self) -> list[tuple[str, str]]:
        """Return the paper's results that its experiment's file gives, by label."""
        return [(label, text) for label, text in self.labels.items() if label.startswith("Expected")]

    @property
    def shelf(self) -> str:
        """Return its heading in the contents."""
        return next(title for title, start in SHELVES.items() if re.match(start, f"{self.name} {self.about}"))

    @property
    def tag(self) -> str:
        """`laptop figure`, `laptop figure, your own runs, seed=3`."""
        return ", ".join(
            [f"{self.scale} {self.kind}", *["your own runs"] * self.own, *[self.request] * bool(self.request)]
        )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, in pixels."""
        return size_of(self.picture) if self.picture else (0, 0)

    @property
    def command(self) -> str:
        """Return the command that draws it."""
        if self.scale == "paper" and "laptop" in self.labels.get("Time", "laptop"):  # that of the smaller scale
            return "make paper"
        command = self.labels.get("Command", "").rstrip(".")
        settings = [f"SCALE={self.scale}"] * (self.scale in ("smoke", "demo"))
        settings += [f'ARGS="{self.request}"'] * bool(self.request)
        return " ".join([command, *settings]) if command else ""


def all_pages(results: Path, experiments: Path) -> list[list[Drawn]]:
    """Return all figures and tables by experiment, in the paper's order; `experiments`: the folder of their YAML files.

    Of an experiment the records' come before those of the user's own runs, and larger scales before smaller ones.
    """
    folders = [f"{top}/{kind}" for top in ("*", f"{REPRODUCED}/*") for kind in ("figures", "tables")]
    paths = [
        path for folder in folders for path in results.glob(f"{folder}/*.json") if path.with_suffix(".csv").exists()
    ]
    pages: dict[str, list[Drawn]] = {}
    for one in sorted((_drawn(path, experiments) for path in paths), key=_order):
        pages.setdefault(one.experiment, []).append(one)
    return sorted(pages.values(), key=lambda page: (list(SHELVES).index(page[0].shelf), _natural(page[0].name)))


def _without_fits(path: Path, name: str) -> dict[str, str]:
    """Return the labels of a drawing without an experiment: a formula's figure or table, or a table alone."""
    target = name.replace("_", "-")
    if not (path.parents[1] / "figures" / path.name).exists():
        return {"Command": f"make table-{target}"}
    caption = f"{name.replace('_', ' ').capitalize()}: a formula, of which nothing is fitted."
    return {"": caption, "Command": f"make reproduce-{target}"}


def _order(one: Drawn) -> tuple[Any, ...]:
    return one.own, (*SCALES, one.scale).index(one.scale), one.kind, _natural(one.name)


def _drawn(path: Path, experiments: Path) -> Drawn:
    scale, kind, source = path.parts[-3], path.parts[-2].removesuffix("s"), read_json(path)
    runs = unpack(source)
    name = path.stem.partition("-")[0]  # fig2 of fig2-replicas-5, with the overrides of its request
    of_runs = {str(run["settings"].get("experiment", {}).get("name", "")) for run in runs}
    file = next(_experiments(name, of_runs, experiments), None)
    picture, text = path.with_suffix(".png"), path.with_suffix(".md")
    return Drawn(
        scale=scale,
        kind=kind,
        name=path.stem,
        experiment=file.stem if file else name,
        labels=header(file) if file or runs else _without_fits(path, name),
        numbers=numbers(path.with_suffix(".csv")),
        text=text.read_text() if text.exists() else "",
        picture=picture if picture.exists() else None,
        runs=[str(run["run"]) for run in runs],
        minutes=float(source["minutes_of_fitting"]),
        own=path.parents[2].name == REPRODUCED,
        request=str(source.get("request", "")),
    )


def _experiments(name: str, of_runs: Collection[str], folder: Path) -> Iterator[Path]:
    """Return files of the experiments that an artifact may be of: by its name, then by its runs if they are of one."""
    names = [pattern.format(name) for pattern in NAMED]
    names += [path.stem for path in sorted(folder.glob(f"{name}_*.yaml"))]
    names += of_runs if len(of_runs) == 1 else ()
    yield from (path for one in names if (path := folder / f"{one}.yaml").exists())


def header(experiment: Path | None) -> dict[str, str]:
    """Return the first comment of an experiment's file by its labels (`Expected`, `Command`); "" for the rest."""
    if experiment is None:
        return {}
    lines = itertools.dropwhile(lambda line: line.startswith("# @"), experiment.read_text().splitlines())
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    about, *parts = LABELS.split(" ".join(line.lstrip("# ") for line in comment))
    return {"": about.strip()} | dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


def numbers(path: Path) -> Table:
    """Return the numbers of an artifact's CSV: ours and published, best and last values of curves, or a short table."""
    first, dash, request = path.stem.partition("-")
    table = path.parents[1] / "tables" / f"{IMPEDANCE.get(first)}{dash}{request}.csv"
    if table.exists():
        return "Iterations until 90 % is explained", *_impedance(_rows(table))
    rows = _rows(path)
    columns = list(rows[0]) if rows else []
    if set(COMPARED) <= set(columns):
        return "Ours and published", COMPARED, [[row[column] for column in COMPARED] for row in rows]
    if "iteration" in columns and (values := [name for name in columns if name.endswith("_mean")]):
        return "Ours", *_of_curves(rows, columns[: columns.index("iteration")], values[0])
    if path.parent.name == "figures" and 0 < len(rows) <= LONGEST:
        shown = [[_short(row[name]) if name.endswith(MEASURED) else row[name] for name in columns] for row in rows]
        return "Ours", columns, shown
    return NONE


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _impedance(rows: Sequence[Mapping[str, str]]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return a row for every target: iterations and impedance, that of pixels alone, the paper's curve."""
    median, least, most = (f"iterations90_{of}" for of in ("median", "min", "max"))
    ratio = {(row["architecture"], row["target"]): row["impedance_ratio"] for row in rows}
    shown = [
        [
            target := row["target"],
            row[median] + (f" ({row[least]} to {row[most]})" if row[least] != row[most] else ""),
            row["impedance_ratio"],
            ratio.get(("pixels", target), "-"),
            PAPER_CURVES.get(target, "-"),
        ]
        for row in rows
        if row["architecture"] == rows[0]["architecture"]
    ]
    return ("target", "ours", "impedance", "of pixels alone", "the paper's curve, no numbers"), shown


def _of_curves(
    rows: Sequence[Mapping[str, str]], names: Sequence[str], value: str
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
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
