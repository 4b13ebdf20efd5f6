"""Numbers and pictures of a run, one per replica that did not fail."""

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
    """A picture of the store, "c h w" in [0, 1]; `name` as Run.image takes it; of the first replica if none is given.

    Raises ValueError if it is not there.
    """
    path = run.image(name, run.replicas[0] if replica is None else replica)
    if not path.exists():
        raise ValueError(f"{path} is not there; make the run again with the experiment's own settings and force=true")
    return read_image(path)


def load_output(run: Run, iteration: int, replica: int | None = None) -> Array:
    """The output of the network at an iteration whose image was kept."""
    return load_image(run, store.output_at(iteration), replica)


def peak_values(run: Run, column: str) -> Array:
    """The best value of a curve, which only the reference tells, one per seed."""
    return np.array([run.summary["oracle_peak"][column][replica] for replica in run.replicas])


def peak_iterations(run: Run, column: str) -> Array:
    """Where a curve is best, one per seed."""
    return np.array([run.summary["oracle_iteration"][column][replica] for replica in run.replicas], dtype=float)


def count_rising(run: Run) -> int:
    """Count the seeds whose average still rises at the last iteration: its peak lies at the END."""
    return int(np.sum(peak_iterations(run, "psnr_average") > (1 - END) * run.summary["iterations"]))


def peak_differences(run: Run, other: Run | None) -> Array:
    """Return the differences of the average's peaks to another run's, one for each seed that both have."""
    ours, theirs = (dict(zip(r.seeds, peak_values(r, "psnr_average"), strict=True)) if r else {} for r in (run, other))
    return np.array([ours[seed] - theirs[seed] for seed in ours if seed in theirs])


def peak_gaps(run: Run, other: Run | None, decimals: int) -> tuple[str, str]:
    """Mean and worst difference of the average's peaks to another run's, over the seeds that both have; `-` if none."""
    gap = peak_differences(run, other)
    if not gap.size:
        return "-", "-"
    return f"{gap.mean():+.{decimals}f}", f"{gap[np.abs(gap).argmax()]:+.{decimals}f}"


def target_variances(run: Run) -> Array:
    """Of the target, one per seed."""
    return np.array([run.summary["target_variance"][replica] for replica in run.replicas])
