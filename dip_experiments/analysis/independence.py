"""Count what stands behind a table: independent noise draws, seeds, pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dip_experiments.store import Run

DRAWN_MASKS = ("bernoulli",)
"""Masks that are drawn at random: the others are read, or follow from the settings."""
PUBLISHED_NOISE, NO_NOISE = "noisy25", "none"
"""Noise that the authors published, another one for each picture, and a picture that is noisy already."""
Draw = tuple[str, ...]
"""Identifies a draw."""


@dataclass(frozen=True)
class Independent:
    """Numbers of draws, seeds and images: two results that share one are not independent of each other."""

    noise_draws: int
    mask_draws: int
    seeds: int
    pictures: int

    @property
    def text(self) -> str:
        """Return the sentence of every table, `Behind it: 9 independent noise draws, 12 seeds, 5 pictures.`"""
        noise = format_count(self.noise_draws, "independent noise draw") if self.noise_draws else "no noise drawn"
        masks = [format_count(self.mask_draws, "independent mask draw")] if self.mask_draws else []
        counts = [noise, *masks, format_count(self.seeds, "seed"), format_count(self.pictures, "picture")]
        return f"Behind it: {', '.join(counts)}."


def format_count(count: int, name: str) -> str:
    """Return so many of something, `1 seed` or `3 seeds`."""
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def count_independent(runs: Sequence[Run]) -> Independent:
    """Count the independent noise draws, mask draws, seeds and pictures of the fits that have numbers.

    A draw is identified by its stream and seed alone: noise of another strength, law or image from the same seed is
    made of the same random numbers (the noise of a grey image is that of the first channel of a coloured one of its
    size). Noise that was published with an image is a draw of its own, and an image that is noisy already has one.
    """
    noise = {draw for run in runs for draw in noise_draws(run)}
    masks = {draw for run in runs for draw in mask_draws(run)}
    seeds = {seed for run in runs for seed in run.seeds}
    return Independent(len(noise), len(masks), len(seeds), len({picture(run) for run in runs}))


def describe_independence(runs: Sequence[Run]) -> str:
    """Return the sentence of every table, and whether pictures share draws of noise; empty without runs."""
    if not runs:
        return ""
    text = count_independent(runs).text
    return f"{text} Some pictures share a noise draw." if share_draws(runs) else text


def share_draws(runs: Sequence[Run]) -> bool:
    """Return whether the same random numbers are the noise of several pictures."""
    pictures: dict[Draw, set[Draw]] = {}
    for run in runs:
        for draw in noise_draws(run):
            pictures.setdefault(draw, set()).add(picture(run))
    return any(len(of_draw) > 1 for of_draw in pictures.values())


def noise_draws(run: Run) -> Iterator[Draw]:
    """Yield what identifies each noise draw of a run's measurements, or of its random targets (impedance)."""
    task, target = run.settings["task"], run.settings["target"]
    if task["name"] == "reconstruction":
        yield from seeded_draws(run, "target") if target["name"] != "natural" else ()
    elif noise := task.get("noise"):
        published = noise["name"] in (PUBLISHED_NOISE, NO_NOISE)
        yield from [(noise["name"], *picture(run))] if published else seeded_draws(run, "task")


def mask_draws(run: Run) -> Iterator[Draw]:
    """Yield what identifies each mask draw of a run's measurements."""
    mask: dict[str, Any] = run.settings["task"].get("mask") or {"name": None}
    yield from seeded_draws(run, "task") if mask["name"] in DRAWN_MASKS else ()


def seeded_draws(run: Run, stream: str) -> Iterator[Draw]:
    """Yield stream and seed of each replica that did not fail: its own seed, or the first one's if they share it."""
    shared = stream in run.settings["shared"]
    for seed in run.seeds:
        yield (stream, str(run.provenance["seeds"][0] if shared else seed))


def picture(run: Run) -> Draw:
    """Return what identifies a run's image."""
    image = run.settings["image"]
    return image["name"], str(image["path"])
