"""Finished runs as pandas tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd

from dip_experiments.runner.select_runs import select
from dip_experiments.schema import NO_EXPERIMENT, flat
from dip_experiments.store import COUNTED, Run

ASIDE = ("paths.", "logger.", "experiment.")
"""Beginnings of settings that change no number."""
PER_REPLICA = ("final", "oracle_peak", "oracle_iteration")
"""Parts of a summary that have a list with a value for each replica below each column's name."""


class Runs(Sequence[Run]):
    """Finished runs, in the order of the experiment's jobs.

    `summary` and `curves` begin with a column for each setting in which the runs differ.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = list(runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> "Runs": ...
    def __getitem__(self, index: int | slice) -> "Run | Runs":
        """Return one run, or several."""
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self._runs)

    def summary(self) -> pd.DataFrame:
        """Return one row for each run and replica: last and best values of each curve, and the scores of the images.

        Columns are run, the settings that differ, replica, seed; `final.<curve>`, `oracle_peak.<curve>`,
        `oracle_iteration.<curve>`, and `scores.<image>.<metric>`; NaN for a replica that failed.
        """
        rows = [row for run, varying in zip(self, self._varying(), strict=True) for row in _rows(run, varying)]
        return pd.DataFrame(rows)

    def curves(self) -> pd.DataFrame:
        """Return one row for each run, replica and iteration: run, the settings that differ, then the curves."""
        tables = []
        for run, varying in zip(self, self._varying(), strict=True):
            table = pd.DataFrame(dict(run.stored_columns())).astype(dict.fromkeys(COUNTED, np.int64))
            for name, value in reversed([("run", run.name), *varying.items()]):
                table.insert(0, name, [value] * len(table))
            tables.append(table)
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def _varying(self) -> list[dict[str, Any]]:
        """Return for each run the settings in which the runs differ, by their full names.

        A setting that follows from the name of a part, as do the widths of an architecture, is left out, and the seed,
        as that of each replica is a column anyway.
        """
        settings = [flat(run.settings) for run in self]
        names = [
            name
            for name in dict.fromkeys(key for one in settings for key in one)
            if not name.startswith(ASIDE) and name not in COUNTED
        ]
        columns = {name: [str(one.get(name)) for one in settings] for name in names}
        varying = {name: values for name, values in columns.items() if len(set(values)) > 1}
        parts = [values for name, values in varying.items() if name.endswith(".name")]
        shown = [
            name
            for name, values in varying.items()
            if name.endswith(".name")
            or not any(len(set(zip(part, values, strict=True))) == len(set(part)) for part in parts)
        ]
        return [{name: _plain(one.get(name)) for name in shown} for one in settings]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, (list, dict)) else value


def _rows(run: Run, varying: dict[str, Any]) -> list[dict[str, Any]]:
    columns: dict[str, list[Any]] = {
        f"{part}.{name}": values for part in PER_REPLICA for name, values in run.summary.get(part, {}).items()
    }
    for image, metrics in run.summary.get("scores", {}).items():
        columns |= {f"scores.{image}.{metric}": values for metric, values in metrics.items()}
    count = len(run.seeds)
    return [
        {
            "run": run.name,
            **varying,
            "replica": replica,
            "seed": run.seeds[replica],
            "iterations": run.summary["iterations"],
            **{name: values[replica if len(values) == count else 0] for name, values in columns.items()},
        }
        for replica in range(count)
    ]


def load_runs(experiment: str, *overrides: str, scale: str = "laptop", results: str | Path = "results") -> Runs:
    """Load the finished runs of an experiment: one's own, or without any the records of others.

    Args:
        experiment: Its name, as in conf/experiment; `single`: runs that were fitted without one, all of a scale, or
            the one that `overrides` ask for.
        overrides: Further settings, as on the command line, such as "image=camera"; for an experiment in a folder of
            one's own "--config-dir=my_conf".
        scale: smoke, demo, laptop or paper.
        results: The folder of results.

    Raises:
        ValueError: For an unknown experiment or setting.
    """
    if experiment == NO_EXPERIMENT and not overrides:
        return Runs(_without_experiment(Path(results), scale))
    return Runs(select(experiment, scale, Path(results), overrides, "either").runs)


def _without_experiment(results: Path, scale: str) -> list[Run]:
    """Return one's own finished runs without an experiment, the oldest first."""
    found = [run for run in map(Run, sorted(results.glob("runs/*"))) if run.finished and not run.is_replacement]
    own = [run for run in found if run.settings["experiment"]["name"] == NO_EXPERIMENT]
    own = [run for run in own if run.settings["scale"]["name"] == scale]
    return sorted(own, key=lambda run: str(run.provenance["sittings"][0]["began"]))
