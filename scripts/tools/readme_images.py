"""Cut the pictures of the README out of the committed figures: `python scripts/tools/readme_images.py`."""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
CUTS = {
    "fig2_wide.png": ("results/laptop/figures/fig2.png", [(22, 211), (421, 457)]),
    "restored_wide.png": ("results/laptop/figures/restored.png", [(40, 216)]),
}
"""Name of a picture -> the figure, and first and last row of each part that is shown of it.

Of Figure 2 the row of the network, with the numbers of the axis that both of its rows share.
"""


def cut(name: str) -> Image.Image:
    """Return a picture of the README, cut out of the figure as it is now."""
    figure, parts = CUTS[name]
    with Image.open(ROOT / figure) as drawn:
        rows = [drawn.crop((0, first, drawn.width, last)) for first, last in parts]
    picture = Image.new(rows[0].mode, (rows[0].width, sum(row.height for row in rows)))
    top = 0
    for row in rows:
        picture.paste(row, (0, top))
        top += row.height
    return picture


def main() -> None:
    """Write all of them into docs/images."""
    for name in CUTS:
        cut(name).save(IMAGES / name, format="PNG", optimize=True)


if __name__ == "__main__":
    main()
