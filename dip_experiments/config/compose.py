"""Compose the overrides of a request into the configuration of every job."""

import copy
import itertools
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dip_experiments.config.groups import (
    OPTIONAL,
    conf_folder,
    did_you_mean,
    group_names,
    option_file,
    options,
    search_in,
)
from dip_experiments.config.hints import experiment_hint
from dip_experiments.config.overrides import SEARCH_PATH, search_path_override, split_config_dirs
from dip_experiments.config.request import ONE_BY_ONE, Request
from dip_experiments.data.datasets import PICTURES

PAPER_IMAGE = {"path": None, "size": "${scale.crop}", "fit": "crop", "multiple": 1}
"""A picture of the paper: cut from the middle, never scaled."""
DEFAULT_SCALE = "laptop"
"""Scale of conf/config.yaml: tables of values by scale have it."""
BATCHES = 8
"""Jobs for each of the processes side by side that Hydra composes at once."""
DRAWS, MOST_REPLICAS = 10, 100
"""Draws of noise that a study can have of a picture, and seeds between two of them."""
GRID_SWEEPER = "basic_sweeper.BasicSweeper"
"""How the class of Hydra's own sweeper ends."""
HARMLESS = ("hydra/launcher", "hydra.mode", "hydra.sweeper.max_batch_size", SEARCH_PATH)
"""Settings of Hydra's own that change nothing of jobs that run one after another in this process."""


def register_pictures() -> None:
    """Make every picture of the paper an option of its name, image=cset9/f16."""
    for picture in PICTURES:
        folder, name = picture.split("/")
        ConfigStore.instance().store(name, {**PAPER_IMAGE, "name": picture}, group=f"image/{folder}", package="image")


register_pictures()


def seed_of(name: str, path: str | None, draw: int, replicas: int) -> int:
    """Return the first seed of a picture's draw of noise, for `seed: ${seed_of:...}` in the studies.

    CRC-32 of the picture's name, or of that of the user's file without its folder, times 1000, and 100 for each draw:
    pictures and draws share no seed (two names of 4.3e9 may be alike).

    Raises:
        ValueError: If the draw is out of range, or has fewer seeds than replicas.
    """
    if isinstance(draw, bool) or draw not in range(DRAWS):
        raise ValueError(f"experiment.draw={draw}: a picture has draws 0 to {DRAWS - 1}; choose one of them")
    if replicas > MOST_REPLICAS:
        raise ValueError(f"replicas={replicas}: a draw of a study has at most {MOST_REPLICAS}; ask for more draws")
    return (zlib.crc32(os.fsencode(Path(path).name if path else name)) * DRAWS + draw) * MOST_REPLICAS


OmegaConf.register_new_resolver("seed_of", seed_of, replace=True)


def compose_jobs(overrides: Sequence[str], multirun: bool) -> list[DictConfig]:
    """Compose the configuration of every job of a request: one, or the grid of a sweep. Raises as Hydra does."""
    return [job for request in read_requests(overrides, multirun) for job in request.jobs]


def read_requests(overrides: Sequence[str], multirun: bool) -> list[Request]:
    """Compose a request: one, or one for each experiment of a sweep, as each brings its own grid.

    Options are searched in the package's conf/, in the folders of `search_in` and in those that `overrides` name.
    """
    folders, overrides = split_config_dirs(overrides)
    with search_in(folders), initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        overrides = [*search_path_override(), *overrides]
        parsed = parser.parse_overrides(overrides)
        return [_read_request(one, multirun, parser) for one in _by_experiment(overrides, parsed, multirun)]


def experiment_grid(name: str) -> dict[str, str]:
    """Return the sweep of an experiment: setting or group -> its values, separated by commas."""
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        overrides = [*search_path_override(), f"experiment={name}"]
        params = compose("config", overrides=overrides, return_hydra_config=True).hydra.sweeper.params
    return {str(key): str(value) for key, value in (params or {}).items()}


def _by_experiment(overrides: Sequence[str], parsed: Sequence[Override], multirun: bool) -> list[list[str]]:
    for group in OPTIONAL:
        for name in (name for override in parsed if override.key_or_group == group for name in _values(override)):
            if name not in (known := options(group)) and name != "null":
                close = did_you_mean(name, known) or f"; choose from {', '.join(known)}"
                hint = (experiment_hint(name) if group == "experiment" else "") or close
                raise ValueError(f"{group}={name}: no such {group}{hint}")
    chosen = [override for override in parsed if override.key_or_group == "experiment"]
    if not (multirun and chosen and chosen[-1].is_sweep_override()):
        return [list(overrides)]
    others = [given for given, override in zip(overrides, parsed, strict=True) if override not in chosen]
    return [[f"experiment={name}", *others] for name in _values(chosen[-1])]


def _read_request(overrides: list[str], multirun: bool, parser: OverridesParser) -> Request:
    fixed = [str(one.input_line) for one in parser.parse_overrides(overrides) if not one.is_sweep_override()]
    common, hydra = _compose(fixed)
    _check_scale(common)
    overrides = _prefixed_as(list(hydra.sweeper.get("params") or {}), overrides)
    several = [str(one.input_line) for one in parser.parse_overrides(overrides) if one.is_sweep_override()]
    own = hydra.callbacks or hydra.job.env_set or not all(map(_harmless, hydra.overrides.hydra))
    if not (multirun or hydra.mode == RunMode.MULTIRUN):
        job = common if not several else compose("config", overrides=overrides)  # which says: several values
        return Request(overrides, [job], True, launcher=ONE_BY_ONE, hydra=[] if own else [hydra])
    launcher = str(OmegaConf.select(hydra, "launcher._target_"))
    searched = _searched(hydra.sweeper, overrides, parser)
    swept = [one.get_key_element().lstrip("+") for one in searched if one.is_sweep_override()]
    if not str(OmegaConf.select(hydra, "sweeper._target_")).endswith(GRID_SWEEPER):
        _check_direction(hydra.sweeper)
        one = [_one_value(override) for override in searched]
        return Request(overrides, [compose("config", overrides=one)], False, launcher, " ".join(several), swept)
    choices = {override.get_key_element(): _choices(override, parser) for override in searched}
    jobs, nodes = _grid(choices, common, hydra, fixed)
    request = Request(overrides, jobs, True, launcher, " ".join(several), swept, _batch(hydra))
    if own or not launcher.endswith(ONE_BY_ONE):
        return request
    lines = [[str(value.input_line) for value in values] for values in itertools.product(*choices.values())]
    return replace(request, hydra=nodes, job_overrides=[_of_task(line) for line in lines])


def _prefixed_as(params: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """Return the overrides, `++a=3` as `a=3` where an experiment sweeps over `a`, as it takes that one's place."""
    written = {name.lstrip("+"): name for name in params}
    return [
        f"{written[name]}{one[one.index('=') :]}" if (name := one.partition("=")[0].lstrip("+")) in written else one
        for one in overrides
    ]


def _compose(overrides: list[str]) -> tuple[DictConfig, DictConfig]:
    """Return the configuration without Hydra's own node, and that node."""
    composed = compose("config", overrides=overrides, return_hydra_config=True)
    return OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"]), composed.hydra


def _harmless(override: str) -> bool:
    """Return True for a setting of Hydra's own that needs no Hydra to run the jobs one after another here."""
    return override.split("=")[0] in HARMLESS


def _of_task(overrides: Sequence[str]) -> list[str]:
    """Return the overrides of the jobs' own settings, without those of Hydra's."""
    return [line for line in overrides if not line.lstrip("+~").startswith(("hydra.", "hydra/"))]


def _check_scale(job: DictConfig) -> None:
    """Raise ValueError where an experiment has values by scale and none for the requested one."""
    scale, name = str(job.scale.name), str(job.experiment.name)
    own: Any = OmegaConf.to_container(job.experiment, resolve=False)
    for values in own.values():
        if isinstance(values, dict) and DEFAULT_SCALE in values and scale not in values:
            raise ValueError(f"experiment={name} has no scale={scale}; it has {', '.join(values)}")


def _batch(hydra: DictConfig) -> int | None:
    """Return few, so that a large sweep starts soon; enough that parallel processes seldom wait for each other."""
    if hydra.sweeper.max_batch_size is not None:
        return None
    if str(hydra.launcher._target_).endswith(ONE_BY_ONE):
        return 1
    at_once = OmegaConf.select(hydra, "launcher.n_jobs") or 0
    return BATCHES * at_once if at_once > 0 else None


def _check_direction(sweeper: DictConfig) -> None:
    direction = sweeper.get("direction")
    if getattr(direction, "name", direction) == "minimize":
        raise ValueError(
            "hydra/sweeper: it would search for the smallest estimated PSNR; choose hydra/sweeper=search or "
            "hydra.sweeper.direction=maximize"
        )


def _searched(sweeper: DictConfig, overrides: Sequence[str], parser: OverridesParser) -> list[Override]:
    """Return what a sweep is over; the overrides win over the experiment's own grid."""
    own = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
    return list({one.get_key_element(): one for one in parser.parse_overrides([*own, *overrides])}.values())


def _one_value(override: Override) -> str:
    """Return an override with one of the values that it sweeps over: the first, or the middle of an interval."""
    if not override.is_interval_sweep():
        return f"{override.get_key_element()}={_values(override)[0]}"
    interval: Any = override.value()
    start, end = interval.start, interval.end
    integers = isinstance(start, int) and isinstance(end, int)
    return f"{override.get_key_element()}={(start + end) // 2 if integers else (start + end) / 2}"


def _choices(override: Override, parser: OverridesParser) -> list[Override]:
    """Return every value that an override sweeps over, as an override of its own."""
    key = override.get_key_element()
    return parser.parse_overrides([f"{key}={value}" for value in _values(override)])


def _grid(
    choices: Mapping[str, Sequence[Override]], common: DictConfig, hydra: DictConfig, fixed: Sequence[str]
) -> tuple[list[DictConfig], list[DictConfig]]:
    """Return the jobs of all combinations of the sweep's values, and Hydra's own node of each.

    `common` and `hydra` are composed of the `fixed` overrides: a sweep over plain settings needs no more.
    """
    plain = _plain(choices)
    kinds = {str(value.input_line): _kind(str(value.value())) for value in choices["image"]} if "image" in plain else {}
    composed: dict[tuple[str | None, ...], tuple[DictConfig, DictConfig]] = {}
    jobs, nodes = [], []
    for values in itertools.product(*choices.values()):
        chosen = dict(zip(choices, (str(value.input_line) for value in values), strict=True))
        others = tuple(kinds.get(one, one) for key, one in chosen.items() if key not in plain or one in kinds)
        if others not in composed:
            reused = set(others) <= set(fixed) and all(_has_value(common, path) for path in plain.values())
            composed[others] = (common, hydra) if reused else _compose(list(chosen.values()))
            _check_scale(composed[others][0])
        jobs.append(copy.deepcopy(composed[others][0]))
        nodes.append(composed[others][1])
        for key, value in zip(choices, values, strict=True):
            if key in plain:
                OmegaConf.update(jobs[-1], plain[key], value.value())
    return jobs, nodes


def _has_value(config: DictConfig, path: str) -> bool:
    """Return True if a configuration has a single value at a path."""
    above, _, name = path.rpartition(".")
    group = OmegaConf.select(config, above) if above else config
    return isinstance(group, DictConfig) and name in group and not OmegaConf.is_config(group[name])


def _plain(choices: Mapping[str, Sequence[Override]]) -> dict[str, str]:
    """Return keys whose values can be set in the composition of another job, which is many times faster.

    They are settings, no groups, take single values, and none lies within another, as Hydra sets them in turn; and the
    group of the images, whose name is the one setting in which those of a kind differ. Key -> setting.
    """
    groups = group_names()
    settings = {key: key.lstrip("+~") for key in choices if key not in groups}
    if "image" in choices and all(_kind(str(value.value())) for value in choices["image"]):
        settings["image"] = "image.name"
    return {
        key: path
        for key, path in settings.items()
        if key.replace(".", "_").isidentifier()
        and len(choices[key]) > 1
        and all(isinstance(value.value(), str | int | float | None) for value in choices[key])
        and sum(f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.") for other in settings.values())
        == 1
    }


def _kind(image: str) -> str | None:
    """Return the settings of an image but for its name, which many share; None if its name is not the option's."""
    if image in PICTURES:
        return str(PAPER_IMAGE)
    file = option_file("image", image)
    config: Any = OmegaConf.to_container(OmegaConf.load(file)) if file else {}
    return str({**config, "name": None}) if config.get("name") == image else None


def expand_grid(overrides: Sequence[str]) -> list[list[str]]:
    """Return every combination of a sweep's values: `a=1,2 b=3` gives `a=1 b=3` and `a=2 b=3`."""
    values = [
        [f"{override.get_key_element()}={value}" for value in _values(override)]
        for override in OverridesParser.create().parse_overrides(list(overrides))
    ]
    return [list(one) for one in itertools.product(*values)]


def _values(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    if not override.is_discrete_sweep():
        raise ValueError(
            f"{override.input_line}: a grid needs single values: a,b,c or range(start,stop,step); "
            "intervals are for another hydra/sweeper, such as optuna"
        )
    return list(override.sweep_string_iterator())
