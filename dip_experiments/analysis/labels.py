"""Labels of runs: image, size, task, network, seeds, settings that differ."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dip_experiments.schema import flat
from dip_experiments.store import Run

SEEDS = "pictures of {}, numbers and curves with mean and range"
HOURGLASSES = ("skip", "encoder_decoder")
"""Architectures of the paper's own kind: their width says it all."""
MACHINE_SETTINGS = ("paths", "logger", "output", "force", "device")
"""Settings that do not change a run's numbers."""
SHARED = ("experiment", "scale")
"""Groups that all runs of a sweep have in common."""
SIGNALS, GROUPS = ("target", "task"), ("change", "method")
"""Groups that a run's signal is of; groups whose options' names stand for themselves, although no setting is theirs."""
TABLES = "experiment."
MOST_SETTINGS = 4
"""Settings of a run of no sweep that its label has room for (ours)."""
CHANNELS = ("down", "widths")
"""Arguments of an architecture that may hold its channels."""


def run_label(run: Run) -> str:
    """Return a run's signal and what was swept or set: `noisy lr=0.003`; its picture where nothing was."""
    return format_label(run.settings, swept_settings(run))


def swept_settings(run: Run) -> dict[str, str]:
    """Return the settings and groups that were swept, with their values in this run.

    Of a run of no sweep, all that its command set counts, unless that is more than a label has room for.
    """
    session = (run.provenance["sittings"] or [{}])[-1]
    pairs = (str(one).partition("=") for one in session.get("command", ["dip"])[1:])
    given = {key.lstrip("+"): unquoted(value) for key, _, value in pairs}
    own = [key for key in given if _may_differ(key)]
    swept = session.get("swept") or (own if len(set(own) - {*SIGNALS}) <= MOST_SETTINGS else [])
    return {key: given[key] for key in swept if key in given}


def unquoted(text: str) -> str:
    """Return the name of a file that is in quotes for Hydra as it was typed, other texts as they are."""
    if len(text) < 2 or text[0] + text[-1] != "''":
        return text
    halved = re.sub(r"(\\+)('|$)", lambda found: found[1][: len(found[1]) // 2] + found[2], text[1:-1])
    return re.sub(r"(\\+)\$\{", lambda found: found[1][: len(found[1]) // 2] + "${", halved)


def _may_differ(key: str) -> bool:
    """Return True for a setting or group that may tell the runs of a sweep apart."""
    return key not in SHARED and key.split(".")[0].split("/")[0] not in (*MACHINE_SETTINGS, "hydra")


def format_label(config: Mapping[str, Any], swept: Mapping[str, str]) -> str:
    """Format the signal of a run, and the settings and groups that were swept: see `run_label`."""
    task = config["task"]["name"]
    signal = str(config["target"]["name"] if task == "reconstruction" else task).replace("_", " ")
    return " ".join([signal, *(format_swept(config, swept).values() or [picture_name(config)])])


def format_swept(config: Mapping[str, Any], swept: Mapping[str, str]) -> dict[str, str]:
    """Format each swept setting but those of the signal: `lr=0.003`, the option of a group, the name of a file."""
    leaves = Counter(key.rpartition(".")[2] for key in swept)
    named = {}
    for key, value in ((key, value) for key, value in swept.items() if key not in SIGNALS):
        leaf = key.rpartition(".")[2]
        if key == "image.path":
            named[key] = Path(value).name
        elif isinstance(config.get(key), Mapping) or key in GROUPS or "/" in key:
            named[key] = value
        else:
            named[key] = f"{leaf if leaves[leaf] == 1 else key}={value}"
    return named


def picture_name(config: Mapping[str, Any]) -> str:
    """Return the name of the picture that was fitted: of a file of the user's that of the file.

    Of a tile also its first row and column.
    """
    image = config["image"]
    name = Path(image["path"]).name if image.get("path") else str(image["name"])
    return f"{name} at {image['window'][0]}, {image['window'][1]}" if image.get("window") else name


def describe_fit(runs: Sequence[Run], scale: str, picture: NDArray[np.float64], shown: str = "the first") -> str:
    """Return image, size, network, rates, precision, scale and seeds of runs, and whose images are `shown`.

    `picture`: an image of the size that was fitted.
    """
    config, (height, width) = runs[0].settings, picture.shape[1:]
    cut = (
        {"crop": "middle ", "resize": "resized to ", "whole": "whole, resized to "}[config["image"]["fit"]]
        if config["image"]["size"]
        else ""
    )
    rates = sorted({run.settings["optimizer"]["lr"] for run in runs}, reverse=True)
    seeds = runs[0].seeds
    return (
        f"{picture_name(config)}, {cut}{width} x {height} pixels; {format_network(config['architecture'])}; "
        f"{config['optimizer']['name'].capitalize()} {', '.join(map(str, rates))}; {config['precision']}; "
        f"scale {scale}{', where numbers mean nothing' if scale == 'smoke' else ''}\n"
        + (f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}: {SEEDS.format(shown)}")
    )


def format_size(run: Run) -> str:
    """Return size and network: `middle 128 x 128, width 32`."""
    image = run.settings["image"]
    cut = "middle" if image["fit"] == "crop" else "scaled to"
    part = "whole picture" if image["size"] is None else f"{cut} {image['size']} x {image['size']}"
    if image["size"] and image["fit"] == "whole":
        part = f"whole picture, short side {image['size']}"
    return f"{part}, {format_network(run.settings['architecture'])}"


def format_network(architecture: Mapping[str, Any]) -> str:
    """Return an architecture's channels, `width 32` or `channels 8, 16`, with its name if it is not the paper's own."""
    name = architecture["name"]
    named = [] if name in HOURGLASSES else [str(name)]
    given: list[object] = next((architecture[key] for key in CHANNELS if isinstance(architecture.get(key), list)), [])
    different = list(dict.fromkeys(given))
    if not different:
        return str(name)
    return ", ".join([*named, f"{'width' if len(different) == 1 else 'channels'} {', '.join(map(str, different))}"])


def format_task(config: Mapping[str, Any]) -> str:
    """Return the task with its noise, or the target of a plain reconstruction: `denoising gaussian 25`."""
    task = config["task"]
    if task["name"] == "reconstruction":
        return str(config["target"]["name"])
    noise = task.get("noise") or {}
    strength = (noise.get(name) for name in ("sigma", "peak", "looks"))
    return " ".join(map(str, [task["name"], *([noise["name"]] if noise else []), *filter(None, strength)]))


def format_seeds(run: Run) -> str:
    """Return how many seeds succeeded, and how many failed: `2 (1 failed)`."""
    failed = len(run.provenance["seeds"]) - len(run.seeds)
    return f"{len(run.seeds)} ({failed} failed)" if failed else f"{len(run.seeds)}"


def format_lost_iterations(runs: Sequence[Run]) -> str:
    """Return how many iterations the guard discarded, over all runs and seeds; empty without runs."""
    lost = sum(lost_iterations(run) for run in runs)
    done = sum(run.summary["iterations"] * len(run.provenance["seeds"]) for run in runs)
    return f"Iterations lost to the guard: {lost} of {done}." if runs else ""


def lost_iterations(run: Run) -> int:
    """Count the iterations of all seeds that the guard discarded and repeated."""
    return sum(run.summary["lost_iterations"])


def differing_settings(config: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that differ from `default` by their full names; of the experiment only its name."""
    plain, mine = flat(default), flat({key: value for key, value in config.items() if key not in MACHINE_SETTINGS})
    return {
        key: "null" if value is None else str(value)
        for key, value in mine.items()
        if (key not in plain or plain[key] != value) and (not key.startswith(TABLES) or key == f"{TABLES}name")
    }
