"""Restored pictures in rows, next to what was measured, other methods and the clean image."""

from collections.abc import Callable, Sequence

from dip_experiments.analysis.artifact import Artifact
from dip_experiments.analysis.labels import format_size, picture_name
from dip_experiments.analysis.panels import Panel, row_height, show_row
from dip_experiments.analysis.style import sheet
from dip_experiments.analysis.table import tabulate_panels
from dip_experiments.store import Baselines, Run, Selection


def draw_restored(
    selection: Selection,
    panels: Callable[[Run, Baselines], Sequence[Panel]],
    corner: tuple[float, float],
    title: str,
) -> Artifact:
    """Draw a row of pictures for each run.

    Args:
        selection: The runs, of which none may be missing.
        panels: Makes the pictures of a run's row.
        corner: Of the enlarged part: see `panels.show_row`.
        title: Of the figure; a line on size and network is added.
    """
    runs = selection.complete_runs
    rows = [panels(run, selection.baselines) for run in runs]
    figure, parts = sheet(*(row_height(row) for row in rows))
    for part, row in zip(parts, rows, strict=True):
        show_row(part, row, corner)
    caption = f"{format_size(runs[0])}, {len(runs[0].seeds)} replicas, scale {selection.scale}"
    figure.suptitle(f"{title}\n{caption}", fontsize=9)
    pictures = [picture_name(run.settings) for run in runs]
    return Artifact(figure, tabulate_panels(zip(pictures, rows, strict=True), "image", "psnr"), runs)
