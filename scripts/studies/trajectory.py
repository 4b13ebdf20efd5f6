"""What table and figure of the trajectory share: its settings in words, and what others' curves stand beside ours."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.published import code_curves, trajectory
from dip_experiments.runner.select_runs import PRECISIONS
from dip_experiments.store import Job, Run, Selection, waiting

Array = NDArray[np.float64]
WORDS = {
    "gamma_uniform": "uniform",
    "gamma_one": "one (today)",
    "corners_aligned": "uniform, aligned",
    "perturbation_weak": "uniform, p 1/50",
}
F16 = "cset9/f16"
ASKED = (
    ["trajectory"],
    ["trajectory", "replicas=1", "seed=0,1,2", "precision=float32,bf16"],
    ["trajectory", "image=cset9/house", "experiment.setting=gamma_uniform", "precision=float32,bf16"],
)
"""The grid, the same seed by seed in both precisions, and one setting in both."""


@dataclass(frozen=True)
class Theirs:
    """Curves of F16 that are not ours: `iteration` "n", `output` "seeds n" and, where it is known, `average`, in dB."""

    name: str
    iteration: Array
    output: Array
    average: Array | None = None


def theirs(scale: str) -> Theirs:
    """At scale paper the authors' pictures; below it their public code, run on the middle of the picture."""
    if scale == "paper":
        iterations, psnr = trajectory("f16")
        return Theirs("the authors' pictures", iterations + 1, psnr[None])
    curves = code_curves("f16_middle128")
    return Theirs("the authors' code", curves["iteration"], curves["psnr_output"], curves["psnr_average"])


@dataclass(frozen=True)
class Row:
    """A job by its words, and its run, or the runs of its seeds where these were fitted one by one; none if not run.

    All runs of a row are of one precision.
    """

    words: Mapping[str, Any]
    runs: tuple[Run, ...]

    @property
    def said(self) -> str:
        """What it tries, in words; the precision of its runs, if that is not float32; how many seeds, if not all.

        The runs themselves may be another experiment's: the settings of trajectory are in the job's words only.
        """
        words, seeds = self.words, sum(len(run.seeds) for run in self.runs)
        precision = self.runs[0].settings["precision"] if self.runs else words["precision"]
        few = f"{seeds} seed{'s' * (seeds > 1)}" if 0 < seeds < words["replicas"] else None
        named = WORDS[words["experiment"]["setting"]], None if precision == "float32" else precision, few
        return ", ".join(filter(None, named))


def rows_of(grid: Selection, by_seed: Selection) -> list[Row]:
    """A row for each job of the grid; what has no run of its own has those of its seeds, a row for each precision."""
    return [row for job in grid.jobs for row in _rows(job, grid, by_seed)]


def still_waiting(grid: Selection, by_seed: Selection) -> str:
    """What is not there yet, and what makes it: of a job of which one seed is there, the others."""
    begun = [job for job in grid.jobs if not job.run and _fitted(_most(job, grid, by_seed))]
    rest = [job for job in grid.jobs if job not in begun]
    return waiting(replace(grid, jobs=tuple(rest)), *(_apart(_most(job, grid, by_seed), by_seed) for job in begun))


def _apart(jobs: list[Job], by_seed: Selection) -> Selection:
    """Jobs of one seed each, as they are asked for."""
    said, one = [word for word in by_seed.words if not word.startswith("precision=")], jobs[0].words
    words = (f"image={one['image']['name']}", f"experiment.setting={one['experiment']['setting']}")
    return replace(by_seed, words=(*said, *words, f"precision={one['precision']}"), jobs=tuple(jobs))


def _rows(job: Job, grid: Selection, by_seed: Selection) -> list[Row]:
    if job.run:
        return [Row(job.words, (job.run,))]
    rows = [Row(job.words, _fitted(jobs)) for jobs in _seeds(job, grid, by_seed)]
    return [row for row in rows if row.runs] or rows[:1]


def _most(job: Job, grid: Selection, by_seed: Selection) -> list[Job]:
    """The jobs of its seeds in the precision in which most are fitted."""
    return max(_seeds(job, grid, by_seed), key=lambda jobs: len(_fitted(jobs)))


def _seeds(job: Job, grid: Selection, by_seed: Selection) -> list[list[Job]]:
    """The jobs of one seed each that are together this job of several, for each precision that it may have.

    At scale paper, unless the grid asks for both, that is any.
    """
    own = job.words["precision"]
    free = grid.scale == "paper" and {one.words["precision"] for one in grid.jobs} == {PRECISIONS[0]}
    apart = ({**job.words, "precision": precision} for precision in (PRECISIONS if free else (own,)))
    return [[one for one in by_seed.jobs if _of_seeds(one, words) == words] for words in apart]


def _of_seeds(one: Job, several: Mapping[str, Any]) -> Mapping[str, Any]:
    """The words of a job of one seed, as if it had those of `several`."""
    return {**one.words, **{key: several[key] for key in ("seed", "replicas")}}


def _fitted(jobs: list[Job]) -> tuple[Run, ...]:
    return tuple(job.run for job in jobs if job.run)
