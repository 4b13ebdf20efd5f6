"""What was asked for: overrides composed into the settings of every job."""

import copy
import difflib
import itertools
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dip_experiments.config.request import ONE_BY_ONE, Request
from dip_experiments.data.datasets import PICTURES

SORTED = ("image",)
"""Groups whose options lie in folders, image=set5/baby; any other folder inside a group is a group of its own."""
OPTIONAL = ("experiment", "change")
"""Groups of which there may be none, so that Hydra passes over an option that is not there."""
WHOLE = {"path": None, "size": "${scale.crop}", "fit": "crop", "multiple": 1}
"""A picture of the paper: cut from the middle, never scaled."""
DEFAULT_SCALE = "laptop"
"""Scale of conf/config.yaml: tables of values by scale have it."""
BATCHES = 8
"""Jobs for each of the processes side by side that Hydra composes at once."""
DRAWS, MOST_REPLICAS = 10, 100
"""Draws of noise that a study can have of a picture, and seeds between two of them."""
GRID_SWEEPER = "basic_sweeper.BasicSweeper"
"""How the class of Hydra's own sweeper ends."""
HARMLESS = ("hydra/launcher", "hydra.mode", "hydra.sweeper.max_batch_size")
"""Settings of Hydra's own that change nothing of jobs that run one after another in this process."""


def conf_folder() -> Path:
    """conf/ inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def register_pictures() -> None:
    """Makes every picture of the paper an option of its name, image=cset9/f16."""
    for picture in PICTURES:
        folder, name = picture.split("/")
        ConfigStore.instance().store(name, {**WHOLE, "name": picture}, group=f"image/{folder}", package="image")


register_pictures()


def seed_of(name: str, path: str | None, draw: int, replicas: int) -> int:
    """Return the first seed of a picture's draw of noise, as `seed: ${seed_of:...}` of the studies asks for it.

    CRC-32 of the picture's name, or of that of the user's file without its folder, times 1000, and 100 for each draw:
    pictures and draws share no seed (two names of 4.3e9 may be alike).

    Raises:
        ValueError: If there is no such draw, or are more replicas than seeds of a draw.
    """
    if isinstance(draw, bool) or draw not in range(DRAWS):
        raise ValueError(f"experiment.draw={draw}: a picture has draws 0 to {DRAWS - 1}; choose one of them")
    if replicas > MOST_REPLICAS:
        raise ValueError(f"replicas={replicas}: a draw of a study has at most {MOST_REPLICAS}; ask for more draws")
    return (zlib.crc32((Path(path).name if path else name).encode()) * DRAWS + draw) * MOST_REPLICAS


OmegaConf.register_new_resolver("seed_of", seed_of, replace=True)


def compose_jobs(overrides: Sequence[str], multirun: bool) -> list[DictConfig]:
    """The configuration of every job that the overrides ask for: one, or the grid of a sweep. Raises as Hydra does."""
    return [job for request in read_requests(overrides, multirun) for job in request.jobs]


def read_requests(overrides: Sequence[str], multirun: bool) -> list[Request]:
    """What the overrides ask for: one request, or one for each experiment of a sweep, as each brings its own grid."""
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        parsed = parser.parse_overrides(list(overrides))
        requests = _by_experiment(overrides, parsed, multirun)
        return [_read_request(words, multirun, parser) for words in requests]


def _by_experiment(overrides: Sequence[str], parsed: Sequence[Override], multirun: bool) -> list[list[str]]:
    for group in OPTIONAL:
        for name in (name for override in parsed if override.key_or_group == group for name in _values(override)):
            if name not in (known := options(group)) and name != "null":
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(known)}"
                raise ValueError(f"{group}={name}: no such {group}; {hint}")
    asked = [override for override in parsed if override.key_or_group == "experiment"]
    if not (multirun and asked and asked[-1].is_sweep_override()):
        return [list(overrides)]
    others = [word for word, override in zip(overrides, parsed, strict=True) if override not in asked]
    return [[f"experiment={name}", *others] for name in _values(asked[-1])]


def _read_request(words: list[str], multirun: bool, parser: OverridesParser) -> Request:
    parsed = parser.parse_overrides(words)
    fixed = [word for word, override in zip(words, parsed, strict=True) if not override.is_sweep_override()]
    common, hydra = _compose(fixed)
    _check_scale(common)
    own = hydra.callbacks or hydra.job.env_set or not all(map(_harmless, hydra.overrides.hydra))
    if not (multirun or hydra.mode == RunMode.MULTIRUN):
        job = common if fixed == words else compose("config", overrides=words)  # the latter says: several values
        return Request(words, [job], whole=True, launcher=ONE_BY_ONE, hydra=[] if own else [hydra])
    launcher = str(OmegaConf.select(hydra, "launcher._target_"))
    sweep = " ".join(word for word, override in zip(words, parsed, strict=True) if override.is_sweep_override())
    if not str(OmegaConf.select(hydra, "sweeper._target_")).endswith(GRID_SWEEPER):
        _check_direction(hydra.sweeper)
        one = [_one_value(override) for override in _searched(hydra.sweeper, words, parser)]
        return Request(words, [compose("config", overrides=one)], whole=False, launcher=launcher, sweep=sweep)
    searched = _searched(hydra.sweeper, words, parser)
    choices = {override.get_key_element(): _choices(override, parser) for override in searched}
    jobs, nodes = _grid(choices, common, hydra, fixed)
    if own or not launcher.endswith(ONE_BY_ONE):
        return Request(words, jobs, True, launcher, sweep, _batch(hydra))
    lines = [[str(value.input_line) for value in values] for values in itertools.product(*choices.values())]
    return Request(words, jobs, True, launcher, sweep, _batch(hydra), nodes, [_of_task(line) for line in lines])


def _compose(overrides: list[str]) -> tuple[DictConfig, DictConfig]:
    """The configuration without Hydra's own node, and that node."""
    composed = compose("config", overrides=overrides, return_hydra_config=True)
    return OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"]), composed.hydra


def _harmless(override: str) -> bool:
    """True for a setting of Hydra's own that needs no Hydra to run the jobs: they run here, one after another."""
    return override.split("=")[0] in HARMLESS


def _of_task(overrides: Sequence[str]) -> list[str]:
    """Overrides of the jobs' own settings, without those of Hydra's."""
    return [line for line in overrides if not line.lstrip("+~").startswith(("hydra.", "hydra/"))]


def _check_scale(job: DictConfig) -> None:
    """Raise ValueError where an experiment has values by scale and none for the one that is asked for."""
    scale, name = str(job.scale.name), str(job.experiment.name)
    own: Any = OmegaConf.to_container(job.experiment, resolve=False)
    for values in own.values():
        if isinstance(values, dict) and DEFAULT_SCALE in values and scale not in values:
            raise ValueError(f"experiment={name} has no scale={scale}; it has {', '.join(values)}")


def _batch(hydra: DictConfig) -> int | None:
    """Few, so that a large sweep begins at once; enough that processes side by side seldom wait for each other."""
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
            "hydra/sweeper: it would look for the smallest estimated PSNR; choose hydra/sweeper=search, or say "
            "hydra.sweeper.direction=maximize"
        )


def _searched(sweeper: DictConfig, words: Sequence[str], parser: OverridesParser) -> list[Override]:
    """What a sweep is over; the words win over the experiment's own grid."""
    own = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
    return list({word.get_key_element(): word for word in parser.parse_overrides([*own, *words])}.values())


def _one_value(override: Override) -> str:
    """A word with one of the values that it sweeps over: the first, or the middle of an interval."""
    if not override.is_interval_sweep():
        return f"{override.get_key_element()}={_values(override)[0]}"
    interval: Any = override.value()
    start, end = interval.start, interval.end
    whole = isinstance(start, int) and isinstance(end, int)
    return f"{override.get_key_element()}={(start + end) // 2 if whole else (start + end) / 2}"


def _choices(override: Override, parser: OverridesParser) -> list[Override]:
    """Every value that an override sweeps over, as an override of its own."""
    key = override.get_key_element()
    return parser.parse_overrides([f"{key}={value}" for value in _values(override)])


def _grid(
    choices: Mapping[str, Sequence[Override]], common: DictConfig, hydra: DictConfig, fixed: Sequence[str]
) -> tuple[list[DictConfig], list[DictConfig]]:
    """The jobs of all combinations of the sweep's values, and Hydra's own node of each.

    `common` and `hydra` are composed of the `fixed` overrides: a sweep over plain settings needs no more.
    """
    plain = _plain(choices)
    kinds = {str(value.input_line): _kind(str(value.value())) for value in choices["image"]} if "image" in plain else {}
    composed: dict[tuple[str | None, ...], tuple[DictConfig, DictConfig]] = {}
    jobs, nodes = [], []
    for values in itertools.product(*choices.values()):
        said = dict(zip(choices, (str(value.input_line) for value in values), strict=True))
        others = tuple(kinds.get(word, word) for key, word in said.items() if key not in plain or word in kinds)
        if others not in composed:
            reused = set(others) <= set(fixed) and all(_is_there(common, path) for path in plain.values())
            composed[others] = (common, hydra) if reused else _compose(list(said.values()))
            _check_scale(composed[others][0])
        jobs.append(copy.deepcopy(composed[others][0]))
        nodes.append(composed[others][1])
        for key, value in zip(choices, values, strict=True):
            if key in plain:
                OmegaConf.update(jobs[-1], plain[key], value.value())
    return jobs, nodes


def _is_there(config: DictConfig, path: str) -> bool:
    """True if a configuration has a single value at a path."""
    above, _, name = path.rpartition(".")
    group = OmegaConf.select(config, above) if above else config
    return isinstance(group, DictConfig) and name in group and not OmegaConf.is_config(group[name])


def _plain(choices: Mapping[str, Sequence[Override]]) -> dict[str, str]:
    """Keys whose values a job can take from another one's composition, which is many times faster than its own.

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


@cache
def _kind(image: str) -> str | None:
    """What an option of the images says but for its name, as many say the same; None if its name is another."""
    if image in PICTURES:
        return str(WHOLE)
    file = conf_folder() / "image" / f"{image}.yaml"
    words: Any = OmegaConf.to_container(OmegaConf.load(file)) if file.is_file() else {}
    return str({**words, "name": None}) if words.get("name") == image else None


def one_by_one(words: Sequence[str]) -> list[list[str]]:
    """Of words that sweep, every combination: `a=1,2 b=3` gives `a=1 b=3` and `a=2 b=3`."""
    values = [
        [f"{override.get_key_element()}={value}" for value in _values(override)]
        for override in OverridesParser.create().parse_overrides(list(words))
    ]
    return [list(said) for said in itertools.product(*values)]


def _values(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    if not override.is_discrete_sweep():
        raise ValueError(
            f"{override.input_line}: a grid needs single values: a,b,c or range(start,stop,step); "
            "intervals are for another hydra/sweeper, such as optuna"
        )
    return list(override.sweep_string_iterator())


@cache
def group_names() -> tuple[str, ...]:
    """The groups of conf/, read once; Hydra's own are not shown."""
    folders = [path.relative_to(conf_folder()) for path in conf_folder().rglob("*") if path.is_dir()]
    return tuple(sorted(folder.as_posix() for folder in folders if folder.parts[0] != "hydra"))


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The known word that is closest to a wrong one, in brackets; nothing if none is close."""
    close = difflib.get_close_matches(given, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def options(group: str) -> list[str]:
    """What can be chosen in a group, those with a folder in their name last."""
    names = [path.stem for path in (conf_folder() / group).glob("*.yaml")]
    return sorted([*names, *(PICTURES if group in SORTED else ())], key=lambda name: ("/" in name, name))
