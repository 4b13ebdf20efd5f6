"""Noise that is estimated from photographs alone, as `noise=auto` does: how far from the true one, and how doubtful.

Nothing is fitted. Writes: tables/noise_estimates. Command: make table-noise-estimates
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.confidence import picture_interval
from dip_experiments.analysis.figure_cli import run_script, select_nothing
from dip_experiments.analysis.independence import format_count
from dip_experiments.analysis.run_data import Array
from dip_experiments.analysis.table import NONE, make_table, table_of
from dip_experiments.config.run_id import CODE_EPOCHS
from dip_experiments.data.cropping import cut
from dip_experiments.data.reading import read_picture
from dip_experiments.runner.noise_errors import NOISES, estimation_errors
from dip_experiments.store import Selection, value_digest, version

PHOTOGRAPHS = (
    *(f"cset9/{name}" for name in ("baboon", "f16", "house", "kodim01", "kodim02", "kodim03", "lena", "peppers")),
    *(f"set14/{name}" for name in ("barbara", "comic", "flowers", "foreman", "monarch", "zebra")),
    *(f"set5/{name}" for name in ("butterfly", "head", "woman")),
    *(f"standard11/{name}" for name in ("boat", "cameraman", "couple")),
)
"""Those by which the constants of the estimate were chosen."""
HELD_OUT = (
    "cset9/kodim12",
    *(f"set14/{name}" for name in ("baboon", "bridge", "coastguard", "face", "lenna", "man", "pepper", "ppt3")),
    *(f"set5/{name}" for name in ("baby", "bird")),
    *(
        f"standard11/{name}"
        for name in ("barbara", "fingerprint", "hill", "house", "lena", "man", "montage", "peppers")
    ),
)
"""Others, by which nothing was chosen; some show the same as one of those, in grey."""
METHOD = "noise_estimate"
"""Name of the stored numbers."""
PERCENT = 100
TITLES = {
    "noise": "noise",
    "sigma": "sigma, %",
    "nine_of_ten": "9 of 10",
    "width": "width",
    "correlation": "correlation",
    "held_out": "held out, %",
    "within_two": "2 se, %",
    "large": "at 256, %",
}
COLUMNS = (
    *TITLES, "half", "white", "within_one", "held_out_nine_of_ten", "held_out_least", "held_out_most",
    "large_nine_of_ten", "pictures", "held_out_pictures", "large_pictures",
)  # fmt: skip
ABOVE = """\
The noise of photographs as law `auto` estimates it, from the noisy photograph alone: the middle 128 x 128 of {count}
photographs by which its constants were chosen ({draws} draws of noise each) and of {others} others (`held out`, {few}
draws). `sigma`: error of the root of the noise's mean variance, mean over the pictures with half of its 95 % interval
(the picture is the unit); `9 of 10`: within how many percent nine of ten estimates are, of all draws. `width` and
`correlation` (of any two channels, of colour pictures): mean error, and within which nine of ten are. `2 se`: part of
all these estimates of the variance within two of the standard errors that they report. `at 256`: error of sigma on the
middle 256 x 256. `neighbours`: width in pixels; `channels`: correlation; `both`: 0.7 pixels and 0.8; the number after
it: sigma. `photons`: 60 at white, electronics of sigma 10. `camera`: electrons at white, else as in study-noises. More
columns are in the CSV: `half`, within which half of them are; `white`, the error of the estimate for white noise;
`within_one` standard error; the `held_out` pictures with the `least` and the `most` error. Behind it, without those at
256 x 256, whose first values are the same: {behind}."""


@dataclass(frozen=True)
class Design:
    """Pictures, of so many pixels a side, with so many draws of the noise."""

    pictures: tuple[str, ...]
    size: int
    draws: int


def designs(scale: str) -> tuple[Design, Design, Design]:
    """Return the pictures by which constants were chosen, those held out, and large ones."""
    if scale == "smoke":
        return Design(("astronaut",), 64, 2), Design(("coffee",), 64, 1), Design(("chelsea",), 96, 1)
    large = tuple(name for name in PHOTOGRAPHS if name not in ("set14/comic", "set5/woman"))  # which are smaller
    return Design(PHOTOGRAPHS, 128, 5), Design(HELD_OUT, 128, 3), Design(large, 256, 2)


@dataclass(frozen=True)
class Errors:
    """Errors by picture, a row for each draw.

    Attributes:
        sigma, white, width, correlation, z: See `runner.noise_errors`; NaN where a noise has none.
    """

    sigma: Mapping[str, Array]
    white: Mapping[str, Array]
    width: Mapping[str, Array]
    correlation: Mapping[str, Array]
    z: Mapping[str, Array]


def errors(name: str, design: Design, study: Selection) -> Errors:
    """Return the errors of one noise, computed if they are not stored."""
    key, settings = value_digest([name, design.pictures]), {"size": design.size, "draws": design.draws}
    found = study.baselines.find(METHOD, None if study.origin == "records" else epoch(), key, settings)
    if found is None:
        found = {
            f"{picture} {draw} {what}": error
            for picture in design.pictures
            for draw, what, error in estimation_errors(name, picture, middle(picture, design.size), design.draws)
        }
        study.baselines.add(METHOD, epoch(), key, settings, found)
    parts = {
        what: {
            picture: np.array([found.get(f"{picture} {draw} {what}", np.nan) for draw in range(design.draws)])
            for picture in design.pictures
        }
        for what in Errors.__dataclass_fields__
    }
    return Errors(**parts)


def middle(picture: str, size: int) -> Array:
    """Return the middle of a picture."""
    return np.asarray(cut(read_picture(picture, None), size, "crop", 1), dtype=np.float64)


def epoch() -> str:
    """Return the version of the estimate, for the stored numbers."""
    return f"numpy {version('numpy')}, epoch {CODE_EPOCHS['estimated_covariance']}"


def row(name: str, study: Selection) -> Sequence[str]:
    """Return the cells of one noise."""
    chosen, held_out, large = (errors(name, design, study) for design in designs(study.scale))
    z = np.concatenate([pooled(some.z) for some in (chosen, held_out)])
    others = {picture: PERCENT * values.mean() for picture, values in held_out.sigma.items()}
    least, most = (pick(others, key=lambda picture: others[picture]) for pick in (min, max))
    return (
        name, percent(chosen.sigma), nine_of_ten(chosen.sigma), apart(chosen.width), apart(chosen.correlation),
        percent(held_out.sigma), share(z, 2), f"{PERCENT * pooled(large.sigma).mean():+.1f}",
        f"{PERCENT * np.median(np.abs(pooled(chosen.sigma))):.1f}", percent(chosen.white), share(z, 1),
        nine_of_ten(held_out.sigma), f"{least} {others[least]:+.1f}", f"{most} {others[most]:+.1f}",
        nine_of_ten(large.sigma), *(str(len(some.sigma)) for some in (chosen, held_out, large)),
    )  # fmt: skip


def pooled(values: Mapping[str, Array]) -> Array:
    """Return the values of all pictures and draws, without NaN."""
    every = np.concatenate([*values.values()])
    return every[np.isfinite(every)]


def percent(values: Mapping[str, Array]) -> str:
    """Return the mean over the pictures in percent, with half of its interval."""
    found = picture_interval({picture: PERCENT * some for picture, some in values.items()})
    half = f" +- {(found.high - found.low) / 2:.1f}" if np.isfinite(found.low) else ""
    return f"{found.value:+.1f}{half}"


def nine_of_ten(values: Mapping[str, Array]) -> str:
    """Return within how many percent nine of ten errors are."""
    return f"{PERCENT * np.quantile(np.abs(pooled(values)), 0.9):.1f}"


def apart(values: Mapping[str, Array]) -> str:
    """Return the mean error and within which nine of ten are, `+0.02 (0.10)`; `-` without a true value."""
    some = pooled(values)
    return f"{some.mean():+.2f} ({np.quantile(np.abs(some), 0.9):.2f})" if some.size else NONE


def share(z: Array, errors: float) -> str:
    """Return the part of the estimates within so many standard errors, in percent."""
    return f"{PERCENT * np.mean(np.abs(z) < errors):.0f}"


def draw(study: Selection) -> Artifact:
    """Draw tables/noise_estimates."""
    chosen, held_out, _ = designs(study.scale)
    frame = table_of([row(name, study) for name in NOISES], COLUMNS)
    counts = {"count": len(chosen.pictures), "draws": chosen.draws, "others": len(held_out.pictures)}
    above = ABOVE.format(**counts, few=held_out.draws, behind=count_draws(chosen, held_out))
    return make_table(frame, TITLES, [], above, "")


def count_draws(*designs: Design) -> str:
    """Return how many draws and pictures some designs have; each noise and picture has other draws."""
    draws = len(NOISES) * sum(len(design.pictures) * design.draws for design in designs)
    pictures = sum(len(design.pictures) for design in designs)
    return f"{format_count(draws, 'independent noise draw')}, {format_count(pictures, 'picture')}"


if __name__ == "__main__":
    sys.exit(run_script({"tables/noise_estimates": draw}, select_nothing, ["noise_estimates"]))
