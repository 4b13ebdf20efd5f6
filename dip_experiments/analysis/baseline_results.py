"""Results of baselines on the measurements of runs: computed once in float, then looked up."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dip_experiments.analysis.panels import Panel
from dip_experiments.analysis.run_data import load_image
from dip_experiments.baselines.classical import (
    CHOICES,
    DENOISERS,
    EPOCHS,
    INPAINTERS,
    LIBRARIES,
    UPSAMPLERS,
    Array,
    Known,
)
from dip_experiments.data.reading import read_image
from dip_experiments.metrics import psnr, psnr_y_authors, ssim
from dip_experiments.store import Baselines, Run, version

T = TypeVar("T")
Inputs = Callable[[Run], dict[str, NDArray[Any]]]
SIGMA = 25.0
"""Grey levels of 255, of the authors' noisy pictures `noisy25`."""
TABLED = ("nlm", "tv", "wavelet", "dct", "bm3d")
"""Denoisers that tables have a row for; of the others LIChI takes minutes on a large picture."""
OF_PATCHES = ("nl_ridge", "lichi")
"""Denoisers that the table `denoisers` has in addition."""
SCORES = ("psnr", "ssim", "seconds")
"""Entries that older results may lack."""
ZERO_SHOT_ITERATIONS = {"smoke": 60, "laptop": 2000, "paper": 2000}
"""By scale; about 2000 are its authors'."""


@dataclass(frozen=True)
class Baseline:
    """A method with all that its result depends on besides the measurement.

    `compute`: measurement and known pixels -> picture; None if its library is not installed.
    """

    name: str
    arguments: Mapping[str, Any]
    compute: Callable[[Array, Known | None], Array] | None

    @property
    def version(self) -> str | None:
        """The libraries that do it, with their versions, if they are installed, and the epoch of our code above 1."""
        names, epoch = LIBRARIES[self.name] if self.compute else (), EPOCHS.get(self.name, 1)
        parts = [f"{name} {version(name)}" for name in names] + ([f"epoch {epoch}"] if epoch > 1 else [])
        return ", ".join(parts) if names else None


def denoiser(name: str, sigma: float) -> Baseline:
    """Return a denoiser that is given the standard deviation of the noise, in grey levels of 255."""
    method = DENOISERS.get(name)
    compute = None if method is None else lambda noisy, known: method(noisy, sigma)
    return Baseline(name, {"sigma": sigma, **CHOICES[name]}, compute)


def upsampler(name: str, factor: int) -> Baseline:
    """Return a method that enlarges images by `factor`."""
    return Baseline(name, {"factor": factor}, lambda small, known: UPSAMPLERS[name](small, factor))


def inpainter(name: str) -> Baseline:
    """Return a method that fills missing pixels."""

    def compute(holes: Array, known: Known | None) -> Array:
        if known is None:
            raise ValueError(f"{name}: the run has stored no mask; make it again with force=true")
        return INPAINTERS[name](holes, known)

    return Baseline(f"{name}_known" if name == "nearest" else name, {}, compute)


def task_baselines(config: Mapping[str, Any], denoisers: Sequence[str] = TABLED) -> list[Baseline]:
    """Return the baselines of a run with these settings; none if its task has none."""
    task = config["task"]
    match task["name"]:
        case "denoising":
            noise = task["noise"] or {"name": None}
            sigma = SIGMA if noise["name"] == "noisy25" else noise["sigma"] if noise["name"] == "gaussian" else None
            return [] if sigma is None else [denoiser(name, sigma) for name in denoisers]
        case "super_resolution":
            return [upsampler(name, task["factor"]) for name in UPSAMPLERS]
        case "inpainting":
            return [inpainter(name) for name in INPAINTERS]
    return []


def compute_baseline(
    baseline: Baseline, run: Run, store: Baselines, recompute: Inputs, *, shown: bool = False
) -> dict[str, float] | None:
    """Compute a baseline for a run, unless it is stored, with its image if that is `shown`.

    Args:
        baseline: The method.
        run: The run or record whose first measurement it gets.
        store: The stored results of baselines.
        recompute: Gives `measurement`, `reference` and `known` of a record, which has no arrays.
        shown: If its image is stored too.

    Returns:
        The numbers; None if the method is not installed.
    """
    _found(store.picture if shown else store.find, baseline, run, store, shown, recompute)
    return baseline_numbers(baseline, run, store)


def baseline_numbers(baseline: Baseline, run: Run, store: Baselines) -> dict[str, float] | None:
    """Return `psnr`, and `psnr_y_authors` of an enlarged image, for the first measurement; None if not installed.

    The reference is the stored image (8 bit, exact where it was not scaled).
    """
    return _found(store.find, baseline, run, store, shown=False)


def zero_shot(scale: str, method: Callable[..., Array] | None = None) -> Baseline:
    """Return ZS-N2N, which knows nothing of the noise; without `method`, only stored results are looked up."""
    arguments = {"seed": 0, "iterations": ZERO_SHOT_ITERATIONS[scale]}
    return Baseline("zs_n2n", arguments, None if method is None else lambda noisy, known: method(noisy, **arguments))


def filters(method: Callable[..., Array] | None = None) -> Baseline:
    """Return the denoisers that `dip restore` mixes in, without a network; without `method`, stored results."""
    arguments = {"seed": 0}
    return Baseline("filters", arguments, None if method is None else lambda noisy, known: method(noisy, **arguments))


def baseline_scores(baseline: Baseline, run: Run, store: Baselines) -> tuple[float, float, float] | None:
    """Return PSNR, SSIM and seconds of a method for the first measurement; None if it is not installed."""

    def look(*key: Any) -> tuple[float, float, float] | None:
        numbers = store.find(*key) or {}
        return (numbers["psnr"], numbers["ssim"], numbers["seconds"]) if set(SCORES) <= set(numbers) else None

    return _found(look, baseline, run, store, shown=False)


def baseline_columns(baselines: Mapping[str, Baseline], metric: str, run: Run, store: Baselines) -> dict[str, Array]:
    """Return a metric of several methods by column, without those that are not installed."""
    found = {column: baseline_numbers(baseline, run, store) for column, baseline in baselines.items()}
    return {column: np.array([numbers[metric]]) for column, numbers in found.items() if numbers}


def baseline_image(baseline: Baseline, run: Run, store: Baselines) -> NDArray[np.float64] | None:
    """Return the stored image of a baseline for the first seed's measurement; None if it is not installed."""
    path = _found(store.picture, baseline, run, store, shown=True)
    return None if path is None else read_image(path)


def denoiser_panel(run: Run, name: str, title: str, sigma: float, store: Baselines) -> Panel:
    """Return the panel of a denoiser that knows the noise level, or one with instructions if its result is missing."""
    method = denoiser(name, sigma)
    picture, numbers = baseline_image(method, run, store), baseline_numbers(method, run, store)
    if method.compute is None and picture is None:
        return Panel(f"{title} is not\ninstalled:\nmake setup\nEXTRAS={name}", None)
    if picture is None or numbers is None:  # of a record
        return Panel(f"{title} is not\nthere: dip baselines\n{run.settings['experiment'].get('name')} --records", None)
    return Panel(title, picture, [numbers["psnr"]])


def _found(
    look: Callable[..., T | None],
    baseline: Baseline,
    run: Run,
    store: Baselines,
    shown: bool,
    recompute: Inputs | None = None,
) -> T | None:
    """Return what `look` finds for the current version, computed if it is missing; else for any stored version."""
    key = (_seen(run), baseline.arguments)
    found = look(baseline.name, baseline.version, *key)
    if found is None and _compute(baseline, run, store, shown, recompute):
        found = look(baseline.name, baseline.version, *key)
    return found if found is not None else look(baseline.name, None, *key)


def _seen(run: Run) -> str:
    return str(run.summary["measurement_sha256"][run.replicas[0]])


def _compute(baseline: Baseline, run: Run, store: Baselines, shown: bool, recompute: Inputs | None) -> bool:
    """Compute and store a baseline, with its image if `shown`; return if the measurement was available."""
    if baseline.compute is None or baseline.version is None:
        return False
    first = run.replicas[0]
    if (run.folder / "measurement.npz").exists():
        arrays, reference = run.measured(), load_image(run, "reference")
    elif recompute:
        arrays = recompute(run)
        reference = arrays["reference"][first]
    else:
        return False
    measurement = arrays["measurement"][first].astype(np.float64)
    known = np.broadcast_to(arrays["known"][first], measurement.shape) if "known" in arrays else None
    began = time.perf_counter()
    picture = baseline.compute(measurement, known)
    seconds = time.perf_counter() - began
    numbers = {"psnr": psnr(picture, reference), "ssim": ssim(picture, reference), "seconds": round(seconds, 3)}
    if "factor" in baseline.arguments:
        numbers["psnr_y_authors"] = psnr_y_authors(picture, reference)
    store.add(baseline.name, baseline.version, _seen(run), baseline.arguments, numbers, picture if shown else None)
    return True
