"""The id of a run: a hash of all that can change its numbers, and of nothing else."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from dip_experiments.config.settings import Settings
from dip_experiments.schema import (
    TARGET,
    DefaultForHash,
    HashContent,
    NotHashed,
    Part,
    imported_object,
    source_digests,
)

CODE_EPOCHS = {
    "guard": 2,  # perturbed losses are judged by perturbed ones, a rejected block is run again
    "task.mask.name=authors": 2,  # where a mask is scaled, missing wins
    "task.mask.name=file": 2,
    "task.mask.name=damage": 2,
    "joins_of_one_channel": 2,  # several replicas had a wrong gradient there
    "image.name=file": 3,  # equal channels are read as grey; the split leaves out what is constant
    "estimated_gain_or_looks": 2,  # nor do dark ones
    "rules_of_an_own_operator": 2,  # where it makes 0 of any image, and noise is measured, this counts too
    "kernels_by_scale": 2,  # a large kernel of a fine scale leaves out no deeper one
    "laws_with_holes": 2,  # holes passed for clipped noise
    "estimated_covariance": 2,  # texture and clipping bias it less, brightness and colours may have two widths
}
"""Epochs of parts of the code, raised by hand when a part begins to give other numbers: names of older runs move then.

`path=value` counts for the runs with that value in their settings, a part of CONDITIONS for those that meet it, any
other part for all; `architecture.name` is here the first of a network's names, `device` its kind. An epoch of 1 leaves
the name.
"""

SHARED: Mapping[str | None, tuple[str, ...]] = {
    "correlated": ("sigma", "width", "correlation", "growth"),
    "poisson_gaussian": ("gain", "sigma"),
    "whitened": ("width", "correlation", "growth"),
}
"""By law or loss, the settings that are estimated by `noise.estimated_noise` where they are None."""


def joins_one_channel(config: Mapping[str, Any]) -> bool:
    """Return True if hourglasses side by side join a skip branch or a deeper map of one channel, on a CPU."""
    network = config["architecture"]
    if network.get("name") != "skip" or config["replicas"] == 1 or config["device"] != "cpu":
        return False
    deeper = [*network["up"][1:], network["down"][-1]]
    return any(1 in widths for widths in zip(network["skip"], deeper, strict=True) if widths[0])


def estimates_gain_or_looks(config: Mapping[str, Any]) -> bool:
    """Return True if a rule estimates the level of Poisson or gamma noise."""
    levels = ("gain", "looks")
    return any(law.get(level, "of another law") is None for law in _laws(config) for level in levels)


def estimates_covariance(config: Mapping[str, Any]) -> bool:
    """Return True if a rule or the loss estimates what neighbours and channels share of the noise, or how it grows."""
    parts = [*_laws(config), config.get("loss") or {}]
    return any(part.get(level, "given") is None for part in parts for level in SHARED.get(part.get("name"), ()))


def has_laws_with_holes(config: Mapping[str, Any]) -> bool:
    """Return True if a rule assumes noise that may be clipped, of a measurement of which a part may be missing."""
    incomplete = config["task"].get("mask") or config["task"]["name"] == "inverse"
    return bool(incomplete) and any(law.get("name") in ("correlated", "poisson_gaussian") for law in _laws(config))


def _laws(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the laws of noise of all rules."""
    observed = config["observe"]
    rules = [config["stopping"], *(observed.values() if isinstance(observed, Mapping) else ())]
    return [rule.get("law") or {} for rule in rules if isinstance(rule, Mapping)]


def has_kernels_by_scale(config: Mapping[str, Any]) -> bool:
    """Return True if the scales of an hourglass have kernels of different sides."""
    network = config["architecture"]
    lists = [sides for name in ("kernel_down", "kernel_up") if isinstance(sides := network.get(name), list)]
    return network.get("name") == "skip" and any(len(set(sides)) > 1 for sides in lists)


def has_rules_with_own_operator(config: Mapping[str, Any]) -> bool:
    """Return True if a rule or an observer monitors a fit with an operator of the user's."""
    return config["task"]["name"] == "inverse" and bool(config["observe"] or config["stopping"]["name"] != "none")


CONDITIONS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "joins_of_one_channel": joins_one_channel,
    "estimated_gain_or_looks": estimates_gain_or_looks,
    "kernels_by_scale": has_kernels_by_scale,
    "rules_of_an_own_operator": has_rules_with_own_operator,
    "laws_with_holes": has_laws_with_holes,
    "estimated_covariance": estimates_covariance,
}
"""Which runs a part of CODE_EPOCHS counts for, where no single setting decides it."""


def identity(
    settings: Settings, architecture: Mapping[str, Any], digests: Mapping[str, str], device: str
) -> dict[str, Any]:
    """Return names and values whose hash is a run's id.

    `architecture`: the network's name and all its arguments; `digests`: SHA-256 of each picture that the run reads, by
    what it is to the run; `device`: its kind, cpu or cuda.
    """
    config = {**settings.model_dump(mode="json", by_alias=True), "architecture": architecture, "device": device}
    epochs = {part: epoch for part, epoch in CODE_EPOCHS.items() if epoch > 1 and _counts(part, config)}
    hashed = _counted(settings) | {"architecture": dict(architecture), "files": dict(digests), "device": device}
    return hashed | ({"epochs": epochs} if epochs else {})


def same_settings(config: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Return True if the stored settings of two runs are the same, but for those that cannot change numbers."""
    try:
        some, more = (identity(Settings.model_validate(one), one["architecture"], {}, "") for one in (config, others))
    except (ValidationError, KeyError):
        return False
    return some == more


def by_content(group: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Return name, as in `task.mask.path`, and value of each setting that counts by content, by `HashContent`."""
    for name, field in type(group).model_fields.items():
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from by_content(value, (*path, name))
        elif value and any(isinstance(mark, HashContent) for mark in field.metadata):
            yield ".".join((*path, name)), str(value)


def _counted(group: BaseModel) -> dict[str, Any]:
    """Return the settings of a group that count, as its fields declare it; a group of which none counts leaves too."""
    fields = {name: (getattr(group, name), field.metadata) for name, field in type(group).model_fields.items()}
    found = {
        name: _hashed(value)
        for name, (value, marks) in fields.items()
        if not any(_leaves(value, mark) for mark in marks)
    }
    return {name: value for name, value in {**found, **(group.model_extra or {})}.items() if value != {}}


def _hashed(value: Any) -> Any:
    """Return what counts of a value: of a part of the user's also the source; of rules those that change the fit."""
    if isinstance(value, Mapping):
        return {name: _hashed(rule) for name, rule in value.items() if rule.changes_fit}
    if not isinstance(value, BaseModel):
        return value
    return _counted(value) | (_source(value) if isinstance(value, Part) and value.target else {})


def _source(part: Part) -> dict[str, Any]:
    found = imported_object(str(part.target), f"{part.kind}.{TARGET}")
    return {} if found.__module__.partition(".")[0] == "torch" else {"source": source_digests(found)}


def _leaves(value: Any, mark: Any) -> bool:
    return isinstance(mark, (NotHashed, HashContent)) or (isinstance(mark, DefaultForHash) and mark.value == value)


def _counts(part: str, config: Mapping[str, Any]) -> bool:
    if part in CONDITIONS:
        return CONDITIONS[part](config)
    path, equals, wanted = part.partition("=")
    value: Any = config
    for name in path.split(".") if equals else ():
        value = value.get(name) if isinstance(value, Mapping) else None
    return not equals or value == wanted
