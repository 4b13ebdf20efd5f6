"""Gaps between each stopping rule and the oracle of the plain fit of the same noisy image, replica by replica."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dip_experiments.analysis.independence import format_count
from dip_experiments.analysis.labels import picture_name
from dip_experiments.analysis.table import NONE
from dip_experiments.stopping import outdated
from dip_experiments.store import Run, stop_image

ORACLES = {"output": "psnr_reference", "average": "psnr_average", "mean": "psnr_mean"}
"""The curve of each kind of image."""
PLAIN = "plain"
"""The kind of fit that no rule changes."""
RULES = {
    "split": "split",
    "held_out_pixels": "held_out",
    "discrepancy": PLAIN,
    "windowed_variance": PLAIN,
    "moving_variance": PLAIN,
    "fixed": PLAIN,
}
"""The kind of fit that each rule watches."""


@dataclass(frozen=True)
class Gap:
    """One replica, rule and kind of image; a `stop_iteration` of None says that none was found.

    `oracle` and `oracle_iteration` are of the plain fit; `gap` is from `psnr`, at the stop, to `oracle`, `fit_cost`
    from the oracle of the rule's own fit to it, in dB.
    """

    rule: str
    image: str
    noise: str
    sigma: str
    draw: int
    seed: str
    output: str
    stop_iteration: int | None
    iterations_spent: int
    oracle_iteration: int
    oracle: float
    psnr: float
    gap: float
    fit_cost: float
    sure: bool


def stopping_gaps(runs: Sequence[Run]) -> Iterator[Gap]:
    """Yield the gaps of all runs for which the plain fit of the same image, noise and seeds is finished."""
    plain = {noisy_picture(run): run for run in runs if kind_of(run) == PLAIN}
    for run in runs:
        if reference := plain.get(noisy_picture(run)):
            for rule, found in current_stops(run).items():
                for output in ORACLES:
                    yield from gaps_of_rule(run, reference, rule, found, output)


def gaps_of_rule(run: Run, plain: Run, rule: str, found: Mapping[str, Any], output: str) -> Iterator[Gap]:
    """Yield one rule's rows of one kind of image, of the replicas that have numbers in both fits."""
    config, last = run.settings, int(run.summary["iterations"])
    patience = config["observe"][rule].get("patience", 0)
    both = [replica for replica in run.replicas if replica in plain.replicas]
    for replica in both[:1] if output == "mean" else both:
        stop, sure = stop_of(found, output, replica)
        oracle, own = (float(one.summary["oracle_peak"][ORACLES[output]][replica]) for one in (plain, run))
        psnr = at_stop(run, rule, output, replica, stop)
        yield Gap(
            rule=rule,
            image=picture_name(config),
            noise=noise_of(config),
            sigma=str(config["task"]["noise"].get("sigma", NONE)),
            draw=config["experiment"]["draw"],
            seed="all" if output == "mean" else str(run.provenance["seeds"][replica]),
            output=output,
            stop_iteration=stop,
            iterations_spent=min((stop or 0) + patience, last) if sure else last,
            oracle_iteration=plain.summary["oracle_iteration"][ORACLES[output]][replica],
            oracle=oracle,
            psnr=psnr,
            gap=oracle - psnr,
            fit_cost=oracle - own,
            sure=sure,
        )


def current_stops(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the stops of each rule, without rules whose code has changed since."""
    older = outdated(run.observer_epochs)
    return {rule: config for rule, config in run.summary["stopping"].items() if rule not in older}


def stop_of(found: Mapping[str, Any], output: str, replica: int) -> tuple[int | None, bool]:
    """Return the iteration at which a rule stops a replica, or the mean of all, and if it has confirmed it."""
    if output == "mean":
        return found["joint"], found["joint_final"]
    return found["iteration"][replica], found["final"][replica]


def at_stop(run: Run, rule: str, output: str, replica: int, stop: int | None) -> float:
    """Return the PSNR of the image that the rule selects; of the last one if it does not stop."""
    if stop is None:
        return float(run.summary["final"][ORACLES[output]][replica])
    psnr = run.summary["scores"][stop_image(rule, output)]["psnr"]
    return float(psnr[0 if output == "mean" else replica])


def describe_draws(results: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Say of how many draws and pictures the results of each noise are, by columns `noise`, `image` and `draw`."""
    drawn = results.drop_duplicates(["noise", "image", "draw"]).groupby("noise", sort=False)["image"]
    found = [
        f"{names[str(noise)]}, {format_count(len(images), 'draw')} of {format_count(images.nunique(), 'picture')}"
        for noise, images in drawn
    ]
    return f"Noise drawn: {'; '.join(found)}." if found else ""


def noise_of(config: Mapping[str, Any]) -> str:
    """Return the noise's name in the experiment."""
    return str(config["experiment"]["noise"])


def kind_of(run: Run) -> str:
    """Return what was fitted: plain, split or held_out."""
    return str(run.settings["experiment"]["kind"])


def noisy_picture(run: Run) -> tuple[Any, ...]:
    """Return what identifies the noisy image of a run, in fits of every kind."""
    image = run.settings["image"]
    return image["name"], image["path"], noise_of(run.settings), run.settings["seed"]
