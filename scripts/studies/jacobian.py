"""Gradients before the fit: do they, or the frequency bands, predict how a network resists noise?

Experiments: jacobian, bands.
Writes: figures/jacobian, tables/jacobian. Command: make reproduce-jacobian
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.band_curves import band_lag
from dip_experiments.analysis.claims import Claim, above, with_interval
from dip_experiments.analysis.confidence import Interval, mean_interval, rank_correlation
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.impedance import Impedance, measure_impedance, with_known_rank
from dip_experiments.analysis.run_data import Array
from dip_experiments.analysis.style import BLUE, ORANGE, label_points, sheet
from dip_experiments.analysis.table import NONE, NOT_RUN, make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.store import Run, Selection, waiting

REQUESTS = (["jacobian"], ["bands"])
CONTROL = "pixels"
TARGETS = {"natural", "shuffled"}
ACROSS = 4
TITLES = {
    "change": "network",
    "starts": "starts",
    "ratio": "picture / noise",
    "interval": "95 % interval",
    "centred": "centred",
    "centred_interval": "its interval",
    "lag": "lag",
    "impedance": "impedance",
}
ABOVE = """\
Norm of the gradient of <f(z), v> in the weights of convolutions before the first iteration. `picture / noise`: for v
the picture by that for uniform noise of the same norm, geometric mean over the starts with Student's interval of the
logarithm (Heckel & Soltanolkotabi 2020, Fig. 12). `centred`: the same with picture and noise less their means.
`lag`: iterations to half of the natural image's highest frequency band by those to half of its lowest. `impedance`:
iterations for the shuffled image by those for the image; `>` where the shuffled one was not reached. The last two
are of three seeds, of the fits of the experiment bands."""


@dataclass(frozen=True)
class Network:
    """One network: norms towards picture and noise at all starts, their ratio less means, lag of bands, impedance."""

    picture: Array
    noise: Array
    centred: Array
    lag: Interval
    impedance: Impedance

    @property
    def ratio(self) -> Interval:
        """Return the ratio of the norms towards picture and noise."""
        return geometric(np.log(self.picture / self.noise))

    @property
    def centred_ratio(self) -> Interval:
        """Return the same less means."""
        return geometric(np.log(self.centred))


def geometric(logarithms: Array) -> Interval:
    """Return the geometric mean with its interval."""
    found = mean_interval(logarithms)
    return Interval(*(float(np.exp(value)) for value in (found.value, found.low, found.high)))


def networks_of(gradients: Selection, bands: Selection) -> dict[str, Network]:
    """Return the networks of which both experiments are complete."""
    norms: dict[str, dict[str, dict[int, float]]] = {}
    for job in gradients.jobs:
        of_change = norms.setdefault(job.config["experiment"]["change"], {})
        if job.run:
            for name, values in job.run.summary["observed"]["gradient_norms"].items():
                of_change.setdefault(name, {}).update(zip(job.run.provenance["seeds"], values, strict=True))
    fits: dict[str, dict[str, Run]] = {}
    for job in bands.jobs:
        if job.run:
            fits.setdefault(job.config["experiment"]["change"], {})[job.config["target"]["name"]] = job.run
    found = {}
    for change, of_change in norms.items():
        if of_change and fits.get(change, {}).keys() >= TARGETS:
            picture, noise, centred, noise_centred = (
                np.array([*of_change[name].values()])
                for name in ("picture", "noise", "picture_centred", "noise_centred")
            )
            lag = band_lag(fits[change]["natural"])
            found[change] = Network(picture, noise, centred / noise_centred, lag, measure_impedance(fits[change]))
    return found


PREDICTORS: Mapping[str, tuple[str, Callable[[Network], float]]] = {
    "ratio": ("norm towards picture by noise", lambda one: one.ratio.value),
    "centred": ("the same less means", lambda one: one.centred_ratio.value),
    "lag": ("lag of the highest band", lambda one: one.lag.value),
}
"""Numbers that may predict the impedance, each with its axis label."""


def correlation(networks: Mapping[str, Network], predictor: str, left_out: str = "") -> Interval:
    """Correlate the ranks of a predictor and the impedance over the networks whose order is known, but for one."""
    look, known = PREDICTORS[predictor][1], with_known_rank(networks)
    pairs = np.array([(look(one), one.impedance.value) for name, one in known.items() if name != left_out])
    return rank_correlation(*pairs.reshape(-1, 2).T)


def larger(claimed: str, ratios: Mapping[str, Interval]) -> Claim:
    """Return the claim that ratios are above 1, and its verdict."""
    above_one = [name for name, ratio in ratios.items() if above(ratio, 1.0)]
    against = [name for name, ratio in ratios.items() if above(ratio, 1.0) is False]
    others = f"; below 1: {', '.join(against)}" if against else ""
    return Claim(
        claimed,
        "the ratio of its norms was below 1 for a network",
        f"above 1 in {len(above_one)} of {len(ratios)} networks{others}",
        False if against else True if ratios and len(above_one) == len(ratios) else None,
    )


def claims(networks: Mapping[str, Network]) -> list[Claim]:
    """Return the claims and their verdicts."""
    real = {name: one for name, one in networks.items() if name != CONTROL}
    found = {name: correlation(networks, name) for name in PREDICTORS}
    alone = correlation(networks, "ratio", CONTROL)
    known = with_known_rank(networks)
    unknown = [name.replace("_", " ") for name in networks if name not in known]
    dropped = f" (rank not known: {', '.join(unknown)})" if unknown else ""
    return [
        larger(
            "before the fit the gradient is larger towards a picture than towards noise of its norm (Heckel & "
            "Soltanolkotabi 2020)",
            {name: one.ratio for name, one in real.items()},
        ),
        larger(
            "so it is for picture and noise less their means (ours)", {n: one.centred_ratio for n, one in real.items()}
        ),
        Claim(
            "that ratio, which needs no fit, predicts the impedance (ours)",
            f"its rank correlation over {len(known)} networks{dropped} was not above 0",
            f"{with_interval(found['ratio'])}, {with_interval(alone)} without pixels; less means "
            f"{with_interval(found['centred'])}; lag of the highest band {with_interval(found['lag'])}",
            above(found["ratio"]),
        ),
    ]


def cells(one: Network) -> Sequence[str]:
    """Return the numbers of one network."""
    impedance = one.impedance
    reached = f"{impedance.value:.2f}" if np.isfinite(impedance.value) else f">{impedance.bound:.2f}"
    ratios = [
        text
        for ratio in (one.ratio, one.centred_ratio)
        for text in (f"{ratio.value:.3f}", f"{ratio.low:.3f} to {ratio.high:.3f}")
    ]
    return (
        f"{len(one.picture)}",
        *ratios,
        f"{one.lag.value:.1f}" if np.isfinite(one.lag.value) else NONE,
        reached if impedance.fits_natural else NONE,
    )


def draw_table(gradients: Selection, bands: Selection) -> Artifact:
    """Draw tables/jacobian."""
    networks = networks_of(gradients, bands)
    changes = dict.fromkeys(job.config["experiment"]["change"] for job in gradients.jobs)
    rows = ((change, *(cells(networks[change]) if change in networks else [NOT_RUN])) for change in changes)
    text = " ".join([ABOVE, *(claim.text for claim in claims(networks))])
    runs = [*gradients.runs, *bands.runs]
    return make_table(table_of(rows, tuple(TITLES)), TITLES, runs, text, waiting(gradients, bands))


def draw_figure(gradients: Selection, bands: Selection) -> Artifact:
    """Draw figures/jacobian."""
    networks = networks_of(gradients, bands)
    waits = waiting(gradients, bands)
    if not networks:
        raise ValueError(waits)
    down = -(-len(networks) // ACROSS)
    figure, (upper, lower) = sheet(1.6 * down, 3.6)
    axes = upper.subplots(down, ACROSS, squeeze=False).ravel()
    for axis in axes[len(networks) :]:
        axis.remove()
    for axis, (name, one) in zip(axes, networks.items(), strict=False):
        draw_histograms(axis, name, one)
    handles, labels = axes[0].get_legend_handles_labels()
    upper.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    draw_scatters(figure, [*lower.subplots(1, len(PREDICTORS), sharey=True)], networks)
    figure.suptitle("\n".join(claim.title for claim in claims(networks)), fontsize=8)
    rows = [
        (name, start, f"{picture:.6g}", f"{noise:.6g}")
        for name, one in networks.items()
        for start, (picture, noise) in enumerate(zip(one.picture, one.noise, strict=True))
    ]
    frame = pd.DataFrame(rows, columns=["change", "start", "picture", "noise"])
    return Artifact(figure, frame, [*gradients.runs, *bands.runs], waits)


def draw_histograms(axis: Axes, name: str, one: Network) -> None:
    """Draw how the norms of one network are distributed over its starts."""
    both = np.log10(np.concatenate([one.picture, one.noise]))
    edges = np.linspace(both.min() - 0.02, both.max() + 0.02, 24).tolist()
    for values, colour, label in (
        (one.picture, BLUE, "towards the picture (log10 of the norm)"),
        (one.noise, ORANGE, "towards noise"),
    ):
        axis.hist(np.log10(values), edges, color=colour, alpha=0.6, label=label)
    axis.set_title(f"{name.replace('_', ' ')}: {one.ratio.value:.2f}", fontsize=8)
    axis.set(yticks=[])
    axis.tick_params(labelsize=7)


def draw_scatters(figure: Figure, axes: Sequence[Axes], networks: Mapping[str, Network]) -> None:
    """Draw the impedance over each predictor."""
    known = with_known_rank(networks)
    for axis, (predictor, (label, look)) in zip(axes, PREDICTORS.items(), strict=True):
        points = {}
        for name, one in known.items():
            reached = np.isfinite(one.impedance.value)
            place = (look(one), one.impedance.value if reached else one.impedance.bound)
            axis.plot(*place, "o" if reached else "^", color=BLUE)
            points[name.replace("_", " ")] = place
        axis.set(yscale="log", xlabel=label)
        axis.set_title(f"rank correlation {with_interval(correlation(networks, predictor))}", fontsize=8)
        axis.margins(0.25, 0.15)
        label_points(figure, axis, points)
    axes[0].set(ylabel="impedance (arrow: more)")


if __name__ == "__main__":
    sys.exit(run_script({"figures/jacobian": draw_figure, "tables/jacobian": draw_table}, select, *REQUESTS))
