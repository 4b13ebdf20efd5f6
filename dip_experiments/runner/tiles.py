"""The tiles of a large picture: the settings of each, whose noise they have, and their results taken together.

Every tile is a fit of its own, with seeds of its own. The noise is estimated once, in the picture, as a tile may have
no flat place, or no noise at all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.config.settings import Settings
from dip_experiments.data.pictures import picture_size
from dip_experiments.data.tiling import Tiling
from dip_experiments.metrics import image_estimate_in, psnr_of_estimate
from dip_experiments.runner.export import image_frame
from dip_experiments.stopping import Split

Array = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]
"""Those of a `fitting.tile.TileResult`."""


def tiling_of(settings: Settings) -> Tiling | None:
    """Return the tiles of the picture that settings name, None if it is restored in one piece.

    Raises:
        ValueError: For a picture that cannot be read, and as `tiling_for`.
    """
    if settings.tile is None:
        return None
    return tiling_for(settings, *picture_size(settings.image.name, settings.image.path, image_frame(settings)))


def tiling_for(settings: Settings, rows: int, columns: int) -> Tiling | None:
    """Return the tiles of a picture of so many pixels, None if it is restored in one piece.

    Raises:
        ValueError: Where tiles would not have the noise of the picture.
    """
    tiling = Tiling.of(rows, columns, settings.tile) if settings.tile else None
    if tiling is None:
        return None
    name = f"tile={settings.tile}"
    if not isinstance(settings.stopping, Split):
        raise ValueError(
            f"{name} with stopping={settings.stopping.name}: only the split stops tiles by the noise of the picture; "
            "use stopping=split, or tile=null"
        )
    if settings.observe:
        raise ValueError(
            f"{name} with observe=[{','.join(settings.observe)}]: rules that watch would see one tile alone; leave "
            "them out, or use tile=null"
        )
    return tiling


def tile_settings(settings: Settings, tiling: Tiling) -> list[Settings]:
    """Return the settings of the fit of each tile; replica r of tile i has the seed `seed + i replicas + r`."""
    for_all = {"tile": None, "output": None, "blend": 0.0}
    return [
        settings.model_copy(
            update={
                **for_all,
                "image": settings.image.model_copy(update={"window": window}),
                "seed": settings.seed + number * settings.replicas,
            }
        )
        for number, window in enumerate(tiling.windows)
    ]


def combined_summary(
    rule: str, tiling: Tiling, summaries: Sequence[Mapping[str, Any]], tiles: Sequence[Arrays]
) -> dict[str, Any]:
    """Return the numbers of a picture from those of its tiles.

    `tiles`: iterations, stop and lost iterations of each. `stopping`: as of a run; its stop is the latest one, its
    estimates are those of `combined_error`, and the weights of what is mixed in are means over pixels.

    Args:
        rule: Name of the stopping rule.
        tiling: The tiles.
        summaries: The summary of each.
        tiles: The arrays of each.
    """
    found = [summary["stopping"][rule] for summary in summaries]
    stops = [each["joint"] for each in found]
    shares = noisy_pixels(tiling, tiles)
    combined: dict[str, Any] = {
        "facts": found[0]["facts"],
        "joint": None if None in stops else max(stops),
        "joint_final": all(each["joint_final"] for each in found),
    }
    estimate, network = (combined_error(name, tiling, tiles) for name in ("estimate", "network"))
    if estimate and network:
        combined["estimate"] = network
        if all("mix" in each for each in found):
            mixed = {name: [each["mix"]["weights"][name] for each in found] for name in found[0]["mix"]["weights"]}
            weights = {name: float(np.average(values, weights=shares)) for name, values in mixed.items()}
            combined["mix"] = {"weights": weights, "estimate": estimate}
    return {
        "tiles": [
            {"iterations": summary["iterations"], "stop": stop, "final": each["joint_final"]}
            for summary, stop, each in zip(summaries, stops, found, strict=True)
        ],
        "wall_seconds": round(sum(summary["wall_seconds"] for summary in summaries), 3),
        "lost_iterations": [sum(summary["lost_iterations"]) for summary in summaries],
        "failed": [failure for summary in summaries for failure in summary["failed"]],
        "stopping": {rule: combined},
    }


def noisy_pixels(tiling: Tiling, tiles: Sequence[Arrays]) -> Array:
    """Return how many pixels with noise each tile gives to the picture, by its weights."""
    return np.array([weights.sum() * tile["noisy"] for weights, tile in zip(tiling.weights(), tiles, strict=True)])


def combined_error(name: str, tiling: Tiling, tiles: Sequence[Arrays]) -> dict[str, float] | None:
    """Return the estimated error of a picture from those of its tiles; None where one of them has none.

    The mean over pixels with noise, p_i of them in tile i. Noise differs from tile to tile, so that variances by chance
    add up: sum p_i^2 s_i^2 (n / n_i), as a tile's own s_i is that of n pixels, of which n_i count. What is not known of
    the noise is the same for all: sum p_i d_i. An upper bound in the mean: where tiles overlap, their mean is better.

    Args:
        name: `estimate` or `network`.
        tiling, tiles: See `combined_summary`.
    """
    shares = noisy_pixels(tiling, tiles)
    shares = shares / (shares.sum() or 1.0)
    counted = shares > 0
    errors = np.array([tile[name] for tile in tiles])[counted]
    if not counted.any() or not np.isfinite(errors).all():
        return None
    pixels = np.array([weights.sum() for weights in tiling.weights()])
    spread = np.sqrt(np.prod(tiling.size) / pixels)[counted]
    doubt = np.array([float(tile["doubt"]) for tile in tiles])[counted] @ shares[counted]
    by_chance = np.linalg.norm(shares[counted] * errors[:, 1] * spread)
    return {"mse": float(errors[:, 0] @ shares[counted]), "mse_se": float(np.hypot(by_chance, doubt))}


def estimate_of(rule: Mapping[str, Any]) -> float | None:
    """Return the estimated PSNR in dB of the restored picture from a rule's part of `combined_summary`."""
    found = image_estimate_in(rule)
    return None if found is None else psnr_of_estimate(**found)
