"""Compare the user's own numbers with the committed ones, by the spread between seeds: `dip compare fig2`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import fmean, median
from typing import Any

from dip_experiments.config.settings import Settings
from dip_experiments.jobs.job_status import align_columns
from dip_experiments.runner.select_runs import names_of
from dip_experiments.store import Job, Run, Selection, Store, stop_image

SEEDS = range(3)
"""Seeds whose records give the spread if the committed run has one seed."""
LISTED, GROUPS = 6, 3
"""Most numbers in a line of a verdict, and most lines: of more only the reproduced ones are counted."""
FIRST = ("experiment", "image", "architecture", "target", "task")
"""Groups of settings that label jobs before all others."""
NONE = "-"


@dataclass(frozen=True)
class Numbers:
    """One quantity of a run: a value per seed, infinite where it was not reached in `limit` iterations."""

    values: tuple[float, ...]
    limit: int | None = None

    @property
    def middle(self) -> float:
        """Return the median of iterations, as in the table of impedances; the mean of decibels."""
        return fmean(self.values) if self.limit is None else median(self.values)

    @property
    def unit(self) -> float:
        """Return the last digit that is printed."""
        return 0.01 if self.limit is None else 1.0

    def text(self, value: float) -> str:
        """Format a value."""
        if self.limit is None:
            return f"{value:.2f}"
        return f"> {self.limit}" if value == inf else f"{value:g}"


@dataclass(frozen=True)
class Comparison:
    """A quantity of one job; `spread`: the committed values over seeds, of which a single one gives no spread."""

    job: tuple[str, ...]
    quantity: str
    ours: Numbers
    committed: Numbers
    spread: tuple[float, ...]

    @property
    def difference(self) -> float:
        """Return ours less the committed one; 0 where neither was reached."""
        ours, committed = self.ours.middle, self.committed.middle
        return 0.0 if ours == committed else ours - committed

    @property
    def reproduced(self) -> bool | None:
        """Return True if ours differs by no more than seeds do, or than the last digit; None where one seed is known.

        Two values that were not reached agree; such values are no part of the spread.
        """
        reached = [value for value in self.spread if value != inf]
        allowed = max(max(reached) - min(reached) if reached else 0.0, self.ours.unit)
        if abs(self.difference) <= allowed:
            return True
        return False if len(self.spread) > 1 else None

    @property
    def row(self) -> dict[str, str]:
        """Return the comparison in six columns."""
        both = (self.ours.middle, self.committed.middle)
        difference = f"{self.difference:+.2f}" if self.ours.limit is None else f"{self.difference:+g}"
        edges = dict.fromkeys(self.committed.text(value) for value in (min(self.spread), max(self.spread)))
        return {
            "job": " ".join(self.job),
            "quantity": self.quantity,
            "ours": self.ours.text(both[0]),
            "committed": self.committed.text(both[1]),
            "difference": NONE if inf in both and both[0] != both[1] else difference,
            "over seeds": f"{' to '.join(edges)} ({len(self.spread)})" if len(self.spread) > 1 else "one seed",
        }


def compare_lines(own: Selection, committed: Path | None) -> Iterator[str]:
    """Yield a table of the user's numbers and those of the records in `committed`, a results folder, and a verdict.

    Raises:
        ValueError: Without own runs.
    """
    if not own.runs:
        raise ValueError(
            f"compare {own.experiment}: you have no finished runs of it at this scale; choose one by scale=, or make "
            f"them: {own.command}"
        )
    if committed is None:
        yield "no records to compare with: they come with a clone of the repository, not with the package"
        return
    found = list(compare_jobs(own, Store(committed)))
    if found:
        yield from align_columns([one.row for one in found])
    if without := len(own.runs) - len({one.job for one in found}):
        yield f"{without} of {len(own.jobs)} runs of {own.experiment}: no committed number for these settings"
    if own.waiting:
        yield own.waiting
    yield from verdicts(found)


def compare_jobs(own: Selection, committed: Store) -> Iterator[Comparison]:
    """Yield every quantity of each job that has a run of the user's own and a record of the same settings."""
    for label, job in zip(labels(own.jobs), own.jobs, strict=True):
        if job.run is None:
            continue
        records = [numbers(record) for record in matching_records(job.config, job.run, committed)]
        for name, ours in numbers(job.run).items():
            theirs = [record[name] for record in records if name in record]
            if theirs:
                first = theirs[0]
                spread = first.values if len(first.values) > 1 else tuple(n for one in theirs for n in one.values)
                yield Comparison(label, name, ours, first, spread)


def matching_records(config: Mapping[str, Any], run: Run, committed: Store) -> list[Run]:
    """Return the record of a run's settings, on whichever kind of device, then those that differ in their only seed."""
    fitted = {name: run.settings[name] for name in ("replicas", "precision")}
    settings = Settings.model_validate({**config, **fitted, "device": "auto"})
    seeds = [settings.seed, *(seed for seed in SEEDS if settings.replicas == 1 and seed != settings.seed)]
    found: list[Run] = []
    for seed in seeds:
        own = [run.name] if seed == settings.seed else []
        names = [*own, *names_of(settings.model_copy(update={"seed": seed}))]
        records = [record for record in map(committed.record, names) if record and record.finished and record.replicas]
        if not records and not found:
            return []
        found += records[:1]
    return found


def numbers(run: Run) -> dict[str, Numbers]:
    """Return the compared quantities: iterations to 90 %, PSNR of the averaged image, PSNR at the stop."""
    summary, config = run.summary, run.settings

    def each(values: Sequence[int | float | None]) -> tuple[float, ...]:
        return tuple(inf if values[replica] is None else float(values[replica] or 0) for replica in run.replicas)

    if config["task"]["name"] == "reconstruction":
        return {"iterations to 90 %": Numbers(each(summary["iterations_explained"]), summary["iterations"])}
    if "psnr_average" not in summary["final"]:
        return {"PSNR to the measurement": Numbers(each(summary["final"]["psnr_measurement"]))}
    found = {
        "oracle peak of the average": Numbers(each(summary["oracle_peak"]["psnr_average"])),
        "last average": Numbers(each(summary["final"]["psnr_average"])),
    }
    stopped = summary["scores"].get(stop_image(config["stopping"]["name"], "average"), {}).get("psnr", [])
    reached = tuple(float(value) for value in stopped if value is not None)
    return found | ({"average at the stop": Numbers(reached)} if reached else {})


def labels(jobs: Sequence[Job]) -> list[tuple[str, ...]]:
    """Return a label for each job of an experiment: as few settings as tell all of them apart."""
    flat = [dict(_leaves(job.config)) for job in jobs]
    keys = sorted({key for one in flat for key in one}, key=_rank)
    chosen: list[tuple[str, ...]] = [() for _ in jobs]
    for key in keys:
        further = [(*label, one.get(key, "")) for label, one in zip(chosen, flat, strict=True)]
        if len(set(further)) > len(set(chosen)):
            chosen = further
    return [label or (str(job.config["experiment"]["name"]),) for label, job in zip(chosen, jobs, strict=True)]


def verdicts(found: Sequence[Comparison]) -> Iterator[str]:
    """Yield a line for each quantity of jobs that share all but their last setting, one for all if they are many."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for one in found:
        groups.setdefault((" ".join(one.job[:-1]), one.quantity), []).append(one)
    if len(groups) > GROUPS or any(len(some) > LISTED for some in groups.values()):
        groups = {("", ""): list(found)}
    for (shared, quantity), some in groups.items():
        outside, unknown = ([one for one in some if one.reproduced is state] for state in (False, None))
        verdict = "not reproduced" if outside else "not judged" if unknown else "reproduced"
        why = f"; {_named(outside)}: more than between seeds" if outside else ""
        why += f"; {_named(unknown)}: one seed is committed" if unknown else ""
        if len(some) > LISTED:
            differing = len(outside) + len(unknown)
            yield f"{verdict}: {len(some) - differing} of {len(some)} numbers differ by no more than between seeds{why}"
            continue
        ours, committed = (" / ".join(one.row[name] for one in some) for name in ("ours", "committed"))
        of = ", ".join(filter(None, (shared, quantity)))
        yield f"{verdict}: {ours} against {committed} ({of}){why}"


def _named(some: Sequence[Comparison]) -> str:
    first = [f"{' '.join(one.job)} {one.row['ours']} against {one.row['committed']}" for one in some[:LISTED]]
    return ", ".join([*first, *(["..."] if len(some) > LISTED else [])])


def _leaves(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        elif not isinstance(value, list) and (isinstance(value, str) or not above.startswith("experiment.")):
            yield f"{above}{key}", str(value)


def _rank(key: str) -> tuple[bool, int, int, str]:
    """Sort names before other settings, groups of FIRST before others, the experiment's own settings before all."""
    group, name = key.partition(".")[0], key.rpartition(".")[2]
    plain = name != "name" and group != "experiment"
    return plain, FIRST.index(group) if group in FIRST else len(FIRST), key.count("."), key
