"""Noise that neighbours and channels share, and that of a camera: what denoisers reach that know more or less of it.

Experiments: denoisers_noise. Writes: tables/denoisers_noise. Command: make table-denoisers-noise EXTRAS=bm3d
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby

import numpy as np

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.baseline_results import Baseline
from dip_experiments.analysis.confidence import picture_interval
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.run_data import Array
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of
from dip_experiments.baselines.classical import DENOISERS
from dip_experiments.baselines.coloured_noise import (
    coloured_block_matching,
    coloured_lichi,
    coloured_nl_ridge,
    mean_spectrum,
)
from dip_experiments.config.settings import Settings
from dip_experiments.metrics import psnr
from dip_experiments.runner.build import compute_measurement
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Job, Selection, stop_image, value_digest

SHOWN = {"white": "white", "neighbours07": "neighbours", "channels": "channels", "both": "both", "camera": "camera"}
"""Title of each noise in the table; the others are in the CSV alone."""
NOISES = ("white", "neighbours05", "neighbours07", "neighbours10", "channels", "both", "camera")
OTHER_DRAWS = range(1, 65)
"""Seeds of the noise from which the given sigma and spectrum are taken (ours); seeds of the pictures are larger."""
TITLES = {"method": "method", "knows": "knows", **SHOWN, "seconds": "seconds"}
COLUMNS = (
    *("method", "knows", *NOISES, "seconds"),
    *(f"{noise}_{what}" for noise in NOISES for what in ("gap", "interval", "least_gap")),
)
ABOVE = """\
PSNR in dB of five pictures in colour, means over pictures and draws. `white`: sigma 25; `neighbours`: the same,
smoothed by a Gaussian of 0.7 pixels (of 0.5 and 1.0: in the CSV); `channels`: the same in all channels; `both`; none is
clipped. `camera`: 300 electrons at white, 3 read, Bayer's pattern, bilinear demosaicing, gamma 2.2, JPEG 90. `knows`
sigma: its standard deviation, and that it is white, which only the first is; `spectrum`: what neighbours and channels
share of it, NL-Ridge and LIChI after the image was whitened by that; `nothing`: both are estimated from the picture,
and for NL-Ridge how the noise grows with brightness. What is given of the noise is measured in 64 other draws.
`seconds`: processor time of one picture, the median. Differences to BM3D that knows sigma, with their intervals over
the pictures, are in the CSV."""
SECONDS = "seconds"
Apply = Callable[[Array, Array], Array]
"""Noisy picture and the noise's spectrum, which it may know of -> picture."""


@dataclass(frozen=True)
class Method:
    """A row of the table: `name` among the stored numbers; `apply` is None if the package is not installed."""

    title: str
    knows: str
    name: str
    apply: Apply | None


def methods() -> Iterator[Method]:
    """Yield the rows."""
    yield Method("noisy", NONE, "noisy", lambda noisy, spectrum: noisy)
    coloured: dict[str, Callable[..., Array]] = {"nl_ridge": coloured_nl_ridge, "lichi": coloured_lichi}
    if "bm3d" in DENOISERS:
        coloured["bm3d"] = coloured_block_matching
    for knows in ("sigma", "spectrum", "nothing"):
        for name, title in {"nl_ridge": "NL-Ridge", "lichi": "LIChI", "bm3d": "BM3D"}.items():
            own = name if knows == "sigma" else f"coloured_{name}"
            yield Method(title, knows, own, _apply(knows, (DENOISERS if knows == "sigma" else coloured).get(name)))


def _apply(knows: str, method: Callable[..., Array] | None) -> Apply | None:
    if method is None:
        return None
    given: dict[str, Apply] = {
        "sigma": lambda noisy, spectrum: method(noisy, 255 * float(np.sqrt(spectrum.mean()))),
        "spectrum": method,
        "nothing": lambda noisy, spectrum: method(noisy),
    }
    return given[knows]


@dataclass(frozen=True, eq=False)
class Case:
    """One draw of one noise on all pictures."""

    noise: str
    draw: int
    jobs: tuple[Job, ...]

    @property
    def key(self) -> str:
        """Digest of pictures, noise and seeds, which identifies the measurements."""
        names = ("image", "seed")
        return value_digest([{name: job.config[name] for name in names} | job.config["task"] for job in self.jobs])

    @property
    def pictures(self) -> list[str]:
        """Names of the pictures."""
        return [job.config["image"]["name"] for job in self.jobs]


@cache
def measurement(case: Case, picture: int) -> tuple[Array, Array, Array]:
    """Return the noisy picture "c h w", the clean one, and the spectrum of the noise in other draws."""
    settings = Settings.model_validate(case.jobs[picture].config)
    found, others = (compute_measurement(settings, seeds) for seeds in ([settings.seed], OTHER_DRAWS))
    spectrum = mean_spectrum(others["measurement"].astype(np.float64))
    return found["measurement"][0].astype(np.float64), found["reference"][0].astype(np.float64), spectrum


def numbers(case: Case, method: Method, study: Selection) -> Mapping[str, float] | None:
    """Return PSNR of each picture and median seconds, computed if they are not stored; None without the package.

    Of the records, numbers of any version count, as for other tables.
    """
    apply, records = method.apply, study.origin == "records"
    baseline = Baseline(method.name, {"knows": method.knows}, None if apply is None else lambda noisy, known: noisy)
    find = partial(study.baselines.find, baseline.name, measurement=case.key, settings=baseline.arguments)
    found = find(version=None if records or apply is None else baseline.version)
    if found is None and apply is not None and baseline.version is not None:
        found = compute(case, apply)
        study.baselines.add(baseline.name, baseline.version, case.key, baseline.arguments, found)
    return found


def compute(case: Case, apply: Apply) -> dict[str, float]:
    """Apply a method to all pictures of a case."""
    found, seconds = {}, []
    for index, name in enumerate(case.pictures):
        noisy, clean, spectrum = measurement(case, index)
        began = time.process_time()
        found[name] = psnr(apply(noisy, spectrum), clean)
        seconds.append(time.process_time() - began)
    return {**found, SECONDS: round(float(np.median(seconds)), 3)}


@dataclass(frozen=True)
class Row:
    """A method: PSNR of each draw by noise and picture, and the seconds of each picture."""

    title: str
    knows: str
    psnr: Mapping[str, Mapping[str, Sequence[float]]]
    seconds: Sequence[float]

    def cells(self, basis: "Row", counts: Mapping[str, Mapping[str, int]]) -> Sequence[str]:
        """Return the mean of each noise and the gap to another method, where all `counts` of its draws are done."""
        drawn = {noise: _draws(found) for noise, found in self.psnr.items()}
        done = [noise for noise in NOISES if counts[noise] and drawn.get(noise) == counts[noise]]
        means = [f"{np.mean([*self.psnr[noise].values()]):.2f}" if noise in done else NOT_RUN for noise in NOISES]
        seconds = f"{np.median(self.seconds):.1f}" if self.seconds and self.title != "noisy" else NONE
        gaps = [cell for noise in NOISES for cell in self._gap(basis, noise if noise in done else "")]
        return (self.title, self.knows, *means, seconds, *gaps)

    def _gap(self, basis: "Row", noise: str) -> Sequence[str]:
        """Return the mean difference, its interval over the pictures, and that of the worst picture."""
        ours, theirs = self.psnr.get(noise, {}), basis.psnr.get(noise, {})
        if self is basis or not ours or _draws(ours) != _draws(theirs):  # one of them lacks a draw
            return (NONE,) * 3
        pairs = {name: list(np.subtract(values, theirs[name])) for name, values in ours.items()}
        found = picture_interval(pairs)
        return f"{found.value:+.2f}", found.text, f"{min(map(np.mean, pairs.values())):+.2f}"


def _draws(found: Mapping[str, Sequence[float]]) -> dict[str, int]:
    """Return how many draws each picture has."""
    return {name: len(of) for name, of in found.items()}


def cases(study: Selection) -> list[Case]:
    """Return the cases of a study, whatever the order of its jobs: the first draw of all noises first."""

    def name(job: Job) -> tuple[int, str]:
        return job.config["experiment"]["draw"], job.config["experiment"]["noise"]

    jobs = sorted(study.jobs, key=lambda job: (*name(job), job.config["image"]["name"]))
    return [Case(noise, draw, tuple(some)) for (draw, noise), some in groupby(jobs, name)]


def rows(study: Selection, of: Sequence[Case]) -> Iterator[Row]:
    """Yield the rows of the methods, and that of the networks if any are fitted."""
    every = list(methods())
    found = {(case, method): numbers(case, _same(case, method, every), study) for case in of for method in every}
    for method in every:
        scores = [(case, one) for case in of if (one := found[case, method])]
        psnrs: dict[str, dict[str, list[float]]] = {}
        for case, one in scores:
            for name in case.pictures:
                psnrs.setdefault(case.noise, {}).setdefault(name, []).append(one[name])
        yield Row(method.title, method.knows, psnrs, [one[SECONDS] for _, one in scores])
    if study.runs:
        yield networks(of)


def _same(case: Case, method: Method, every: Sequence[Method]) -> Method:
    """Return the method that gives the same picture: white noise has a flat spectrum, which is a sigma."""
    if (case.noise, method.knows) != ("white", "spectrum"):
        return method
    return next(one for one in every if (one.title, one.knows) == (method.title, "sigma"))


def networks(of: Sequence[Case]) -> Row:
    """Return the row of the command `restore`, of those that are fitted."""
    psnrs: dict[str, dict[str, list[float]]] = {}
    runs = [(case, job.run, name) for case in of for job, name in zip(case.jobs, case.pictures, strict=True)]
    for case, run, name in runs:
        if run:
            image = stop_image("split", "mixed")
            psnrs.setdefault(case.noise, {}).setdefault(name, []).append(run.summary["scores"][image]["psnr"][0])
    return Row("DIP, mixed", "nothing", psnrs, [run.summary["wall_seconds"] for _, run, _ in runs if run])


def draw(study: Selection) -> Artifact:
    """Draw tables/denoisers_noise."""
    of = cases(study)
    counts = {noise: Counter(name for case in of if case.noise == noise for name in case.pictures) for noise in NOISES}
    found = list(rows(study, of))
    basis = next(row for row in found if (row.title, row.knows) == ("BM3D", "sigma"))
    table = table_of([row.cells(basis, counts) for row in found], COLUMNS)
    return make_table(table, TITLES, study.runs, f"{ABOVE} {describe(of)}", "")


def describe(of: Sequence[Case]) -> str:
    """Say how many draws and pictures stand behind the numbers."""
    draws, pictures = {case.draw for case in of}, {name for case in of for name in case.pictures}
    return f"Behind each number: {len(draws)} noise draws of each of {len(pictures)} pictures."


if __name__ == "__main__":
    sys.exit(run_script({"tables/denoisers_noise": draw}, select, ["denoisers_noise"]))
