"""Accessors for stored curves, metrics and images, one value per successful replica."""

import numpy as np
from numpy.typing import NDArray

from dip_experiments import store
from dip_experiments.data.reading import read_image
from dip_experiments.store import Run

Array = NDArray[np.float64]
END = 0.02
"""Part of the iterations, the last, in which a peak says that the fit still rises (ours): of the first 306 fits of the
ablation 115 have their peak in it, 101 at the very last iteration, and 4 in as many iterations before it."""


def load_image(run: Run, name: str, replica: int | None = None) -> Array:
    """Load an image of a run.

    Args:
        run: The run or record.
        name: As `Run.image` takes it.
        replica: The first successful one by default.

    Returns:
        "c h w" in [0, 1].

    Raises:
        ValueError: If it is not stored.
    """
    path = run.image(name, run.replicas[0] if replica is None else replica)
    if not path.exists():
        raise ValueError(f"{path} is not there; make the run again with the experiment's own settings and force=true")
    return read_image(path)


def load_output(run: Run, iteration: int, replica: int | None = None) -> Array:
    """Load the output of the network at an iteration at which images were stored."""
    return load_image(run, store.output_at(iteration), replica)


def peak_values(run: Run, column: str) -> Array:
    """Return the maximum of a curve over the iterations (oracle), one per seed."""
    return np.array([run.summary["oracle_peak"][column][replica] for replica in run.replicas])


def peak_iterations(run: Run, column: str) -> Array:
    """Return the iteration of a curve's maximum (oracle), one per seed."""
    return np.array([run.summary["oracle_iteration"][column][replica] for replica in run.replicas], dtype=float)


def final_values(run: Run, column: str) -> Array:
    """Return a curve's value at the last iteration, one per seed."""
    return np.array([run.summary["final"][column][replica] for replica in run.replicas])


def seconds_per_iteration(run: Run) -> float:
    """Return the wall time of an iteration of one replica in seconds."""
    return float(run.summary["wall_seconds"] / run.summary["iterations"] / len(run.provenance["seeds"]))


def count_rising(run: Run) -> int:
    """Count the seeds whose average still rises at the last iteration: its peak lies at the END."""
    return int(np.sum(peak_iterations(run, "psnr_average") > (1 - END) * run.summary["iterations"]))


def of_common_seeds(*found: tuple[Run, Array]) -> list[Array]:
    """Return values of several runs, given one per seed, for the seeds that succeeded in all of them."""
    by_seed = [dict(zip(run.seeds, values, strict=True)) for run, values in found]
    common = [seed for seed in by_seed[0] if all(seed in values for values in by_seed)]
    return [np.array([values[seed] for seed in common]) for values in by_seed]


def peak_differences(run: Run, other: Run | None) -> Array:
    """Return the differences of the average's peaks to another run's, one for each seed that both have."""
    if other is None:
        return np.array([])
    ours, theirs = of_common_seeds(*((one, peak_values(one, "psnr_average")) for one in (run, other)))
    return ours - theirs


def peak_gaps(run: Run, other: Run | None, decimals: int) -> tuple[str, str]:
    """Return mean and largest difference of the average's peaks to another run's, over common seeds; `-` if none."""
    gap = peak_differences(run, other)
    if not gap.size:
        return "-", "-"
    return f"{gap.mean():+.{decimals}f}", f"{gap[np.abs(gap).argmax()]:+.{decimals}f}"


def target_variances(run: Run) -> Array:
    """Return the variance of the target, one per seed."""
    return np.array([run.summary["target_variance"][replica] for replica in run.replicas])
