"""Dual kernel: the eigenvalues of a one-layer generator for four upsampling filters, by formula and by drawing weights.

Nothing is fitted.
Writes: figures/dual_kernel, tables/dual_kernel. Command: make reproduce-dual-kernel
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.claims import Claim
from dip_experiments.analysis.figure_cli import run_script
from dip_experiments.analysis.independence import format_count
from dip_experiments.analysis.run_data import Array
from dip_experiments.analysis.style import BLUE, GREEN, ORANGE, RED, sheet
from dip_experiments.analysis.table import make_table, table_of
from dip_experiments.runner.select_runs import select
from dip_experiments.theory.dual_kernel import FILTERS, circulant, closed_form_eigenvalues, one_layer_kernel

SIZE = 300
"""Values of the signal (Heckel & Soltanolkotabi 2020, Fig. 6)."""
HALF_WIDTH = 10
"""Places, of the four filters (as one of that figure's)."""
TRIANGLES = (1, 3, 10, 30)
WIDTH, SEEDS = 3000, (0, 1, 2)
"""Channels of the generators that are drawn (ours)."""
CLOSE = 0.05
"""Largest share of the kernel's norm by which a drawn kernel may differ (ours; about 1 / sqrt(WIDTH) is expected)."""
COLOURS = (BLUE, ORANGE, GREEN, RED)
TITLES = {
    "filter": "filter",
    "half_width": "half-width",
    "largest": "largest",
    "smallest": "smallest",
    "ratio": "ratio",
    "half": "half of the sum in",
    "error": "error, drawn",
}
ABOVE = f"""\
Eigenvalues of the tangent kernel of G(C) = relu(U C) v / sqrt(k) on {SIZE} values, U a circulant filter with rows of
norm 1 (Heckel & Soltanolkotabi 2020). `half of the sum in`: the lowest frequencies that hold half of the sum of all
eigenvalues, as a part of all frequencies. `error, drawn`: norm of the difference between the kernel of a drawn
generator with {WIDTH} channels and the formula, by the norm of the latter; the largest of {len(SEEDS)} draws. Behind
it: {format_count(len(SEEDS), "independent draw")} of the weights for each filter, no picture."""


@dataclass(frozen=True)
class Filter:
    """A filter with its eigenvalues by frequency, from 0 on, by formula and of drawn generators."""

    name: str
    half_width: int
    values: Array
    drawn: Array
    error: float

    @property
    def ratio(self) -> float:
        """Return the largest eigenvalue by the smallest."""
        return float(self.values.max() / self.values.min())

    @property
    def low_by_high(self) -> float:
        """Return the sum of the eigenvalues in the lower half of the frequencies by that in the upper half."""
        middle = len(self.values) // 2
        return float(self.values[:middle].sum() / self.values[-middle:].sum())

    @property
    def half(self) -> float:
        """Return the part of the frequencies, the lowest ones, that holds half of the sum."""
        return float((np.searchsorted(np.cumsum(self.values) / self.values.sum(), 0.5) + 1) / len(self.values))


@cache
def measure(name: str, half_width: int) -> Filter:
    """Compute the eigenvalues of one filter."""
    kernel = FILTERS[name](half_width, SIZE)
    values = closed_form_eigenvalues(kernel, SIZE)
    u = circulant(kernel, SIZE)
    formula = np.stack([np.roll(np.fft.ifft(values).real, i) for i in range(SIZE)])
    drawn = [one_layer_kernel(u, WIDTH, seed) for seed in SEEDS]
    error = max(np.linalg.norm(found - formula) / np.linalg.norm(formula) for found in drawn)
    waves = np.fft.fft(np.eye(SIZE)) / SIZE**0.5
    along = np.mean([np.einsum("ij,jk,ki->i", waves.conj(), found, waves.T).real for found in drawn], axis=0)
    half = SIZE // 2 + 1
    return Filter(name, half_width, values[:half], along[:half], float(error))


def claim(filters: Sequence[Filter]) -> Claim:
    """Return the claim on upsampling and its verdict."""
    smooth = [one for one in filters if one.name != "none" and one.half_width > 1]
    error, plain = max(one.error for one in filters), next(one.low_by_high for one in filters if one.name == "none")
    least = min(one.low_by_high for one in smooth)
    triangles = sorted((one.half_width, one.half) for one in smooth if one.name == "triangle")
    narrower = all(wide < narrow for (_, narrow), (_, wide) in pairwise(triangles))
    return Claim(
        "upsampling makes a generator fit low frequencies first: its eigenvalues fall with the frequency, the more the "
        "wider the filter is (Heckel & Soltanolkotabi 2020)",
        f"a filter's eigenvalues were as large in the upper half of the frequencies as in the lower, a wider triangle "
        f"had half of their sum in more frequencies, or drawn generators were more than {CLOSE:.0%} from the formula",
        f"lower half by upper half {least:.1f} or more with a filter, {plain:.2f} without; the wider the "
        f"{'narrower' if narrower else 'not narrower'}; drawn ones at most {error:.1%} away (a theorem, checked)",
        bool(least > 1 and narrower and error < CLOSE),
    )


def four_filters() -> list[Filter]:
    """Return the four filters at one half-width."""
    return [measure(name, HALF_WIDTH) for name in FILTERS]


def triangles() -> list[Filter]:
    """Return triangles of several half-widths."""
    return [measure("triangle", half_width) for half_width in TRIANGLES]


def draw_table() -> Artifact:
    """Draw tables/dual_kernel."""
    filters = [*four_filters(), *(one for one in triangles() if one.half_width != HALF_WIDTH)]
    rows = [
        (
            one.name, f"{one.half_width}", f"{one.values.max():.4g}", f"{one.values.min():.4g}", f"{one.ratio:.4g}",
            f"{one.half:.3f}", f"{one.error:.4f}",
        )
        for one in filters
    ]  # fmt: skip
    frame = table_of(rows, tuple(TITLES))
    return make_table(frame, TITLES, [], f"{ABOVE} {claim(filters).text}", "")


def draw_figure() -> Artifact:
    """Draw figures/dual_kernel."""
    filters, widths = four_filters(), triangles()
    figure, (part,) = sheet(3.4)
    left, right = part.subplots(1, 2, sharey=True)
    rows = []
    for axis, some in ((left, filters), (right, widths)):
        for one, colour in zip(some, COLOURS, strict=True):
            at = np.arange(len(one.values)) / SIZE
            label = one.name if axis is left else f"half-width {one.half_width}"
            axis.plot(at, one.values, color=colour, linewidth=1.3, label=label)
            axis.plot(at[::6], one.drawn[::6], ".", color=colour, markersize=3)
            rows += [(one.name, one.half_width, f"{x:.5f}", f"{y:.6g}") for x, y in zip(at, one.values, strict=True)]
        axis.set(yscale="log", xlabel="frequency (cycles a value)")
        axis.legend(fontsize=8)
    left.set(title=f"four filters, half-width {HALF_WIDTH}", ylabel="eigenvalue (dots: drawn generators)")
    right.set(title="triangle")
    figure.suptitle(claim([*filters, *widths]).title, fontsize=8)
    frame = pd.DataFrame(rows, columns=["filter", "half_width", "frequency", "eigenvalue"])
    return Artifact(figure, frame, [])


if __name__ == "__main__":
    sys.exit(run_script({"figures/dual_kernel": draw_figure, "tables/dual_kernel": draw_table}, select))
