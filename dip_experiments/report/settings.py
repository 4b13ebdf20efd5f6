"""Settings as text, and how they differ from the experiment's and the default ones."""

from collections.abc import Callable, Mapping
from typing import Any

from dip_experiments.analysis.labels import MACHINE_SETTINGS, SHARED, format_network
from dip_experiments.schema import NO_EXPERIMENT, flat
from dip_experiments.store import Run

Config = Mapping[str, Any]
Compose = Callable[[str | None, str], Config]
"""Experiment (None for no experiment) and scale -> the settings that `dip` composes of them."""


def text(value: Any) -> str:
    """Format a value as one would write it: lists of one value many times as `32 x 5`."""
    if isinstance(value, (list, tuple)):
        if len(value) > 2 and len(set(map(str, value))) == 1:
            return f"{text(value[0])} x {len(value)}"
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def format_settings(config: Config) -> dict[str, str]:
    """Return the settings that can change numbers, by full key, as text; those that are null are left out."""
    relevant = flat({key: value for key, value in config.items() if key not in (*MACHINE_SETTINGS, *SHARED)})
    return {key: text(value) for key, value in relevant.items() if value is not None and not key.endswith("_target_")}


def differing(config: Config, experiment: Config, plain: Config) -> list[tuple[str, str, str, str]]:
    """Return key, value here, in the `experiment` and in the `plain` default, of all that differ among the three.

    First those that differ from the experiment. A missing setting is an empty text.
    """
    here, one, other = format_settings(config), format_settings(experiment), format_settings(plain)
    rows = [(key, here.get(key, ""), one.get(key, ""), other.get(key, "")) for key in {**here, **one, **other}]
    return sorted((row for row in rows if len(set(row[1:])) > 1 and row[1]), key=lambda row: (row[1] == row[2], row[0]))


def searchable(run: Run, plain: Config) -> list[list[str]]:
    """Return `key=value` of the settings that differ from `plain`, and of all others and the run's overrides."""
    here, other = format_settings(run.settings), format_settings(plain)
    command = (run.provenance["sittings"] or [{}])[-1].get("command", ["dip"])[1:]
    changed = [f"{key}={value}" for key, value in here.items() if other.get(key) != value]
    others = {*map(str, command), *(f"{key}={value}" for key, value in here.items())}.difference(changed)
    return [changed, sorted(others)]


def format_task(config: Config) -> str:
    """Format a task: `denoising, gaussian 25`, `super-resolution x4`, `inpainting, authors`."""
    task = config["task"]
    name = str(task["name"]).replace("_", " ")
    noise, mask = task.get("noise"), task.get("mask")
    if isinstance(noise, Mapping) and noise["name"] != "none":
        return f"{name}, {noise['name']}" + (f" {noise['sigma']:g}" if "sigma" in noise else "")
    if isinstance(mask, Mapping):
        return f"{name}, {mask['name']}"
    return f"{name} x{task['factor']}" if "factor" in task else name


def format_architecture(config: Config) -> str:
    """Format a network: `skip, width 32`."""
    name, more = str(config["architecture"]["name"]), format_network(config["architecture"])
    return more if more.startswith(name) else f"{name}, {more}"


def experiment_of(config: Config) -> str:
    """Return the experiment for which a run was first fitted."""
    return str((config.get("experiment") or {}).get("name", NO_EXPERIMENT))
