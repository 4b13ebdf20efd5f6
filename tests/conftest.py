import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fast_composition import compose
from omegaconf import DictConfig

from dip_experiments.cli.main import main
from dip_experiments.config.compose import compose_jobs
from dip_experiments.data.cropping import cut
from dip_experiments.data.layers import Array
from dip_experiments.data.reading import read_picture
from dip_experiments.runner import select_runs
from dip_experiments.store import Run

torch.set_num_threads(1)  # the networks of the tests are too small to share
SHARED = Path(__file__).parents[2] / "shared"
EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = [
    "scale=smoke",
    "logger=none",
    "image.size=32",
    "architecture.down=[8,8,8]",
    "architecture.skip=[4,4,4]",
    "fit.iterations=40",
    "fit.block=10",
]
"""A fit of a second."""
Dip = Callable[..., int]
NUMBER = rb"(?<![\w./])(-?\d+(?:\.\d+)?)(?!\w)"


@pytest.fixture(autouse=True)
def same_draws_in_every_run() -> None:
    """A test that draws from the default generator sees the same numbers every time, in whichever order they run."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk() -> Iterator[None]:
    """What a test writes need not survive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def committed() -> Iterator[None]:
    """What a test fits counts as fitted by committed code, whatever the working tree has."""
    answers = {"rev-parse": "0" * 40, "status": ""}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dip_experiments.store.provenance._git", lambda *words: answers[words[0]])
        yield


@pytest.fixture(autouse=True, scope="session")
def options_are_composed_once() -> Iterator[None]:
    """Of the requests in this process; tests/test_fast_composition.py compares what comes out with Hydra's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dip_experiments.config.compose.compose", compose)
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared with the golden files is not here")
    return SHARED


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The modules of examples/ can be imported."""
    monkeypatch.syspath_prepend(EXAMPLES)
    yield
    for name in ("my_network", "my_operator", "my_parts"):
        sys.modules.pop(name, None)


@pytest.fixture
def dip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `dip` in this process with a results folder of its own; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: main([*words, f"paths.results={tmp_path / 'results'}"])


def thorough_after(count: int, values: Iterable[Any]) -> list[Any]:
    """The values of a parameter, of which only the first ones are tried in every run of the tests."""
    own = list(values)
    late = [one if isinstance(one, tuple) else (one,) for one in own[count:]]
    return [*own[:count], *(pytest.param(*one, marks=pytest.mark.thorough) for one in late)]


def every_third_first(values: Sequence[Any]) -> list[Any]:
    """The values of a parameter, of which every third one is tried in every run of the tests."""
    others = [value for index, value in enumerate(values) if index % 3]
    return thorough_after(len(values) - len(others), [*values[::3], *others])


@cache
def composed(words: tuple[str, ...], multirun: bool) -> list[DictConfig]:
    """What the words are composed into, composed once."""
    return compose_jobs(words, multirun)


@pytest.fixture
def composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For where runs are looked for many times by the same words: composing takes longer than all else."""
    monkeypatch.setattr(select_runs, "compose_jobs", lambda words, multirun: composed(tuple(words), multirun))


def only_run(tmp_path: Path) -> Run:
    (folder,) = [path for path in (tmp_path / "results" / "runs").iterdir() if path.is_dir()]
    return Run(folder)


def load_image(name: str, path: str | None, size: int | None, fit: str) -> Array:
    """The picture called `name` (`file`: the one at `path`), cut to `size` x `size` pixels."""
    return cut(read_picture(name, path), size, fit, 1)


def assert_same_files(some: dict[str, bytes], others: dict[str, bytes]) -> None:
    """By name and byte; of a PDF numbers to a thousandth of a point, as the solver of the layout rounds differently."""
    assert set(some) == set(others)
    for name, content in some.items():
        if not name.endswith(".pdf"):
            assert content == others[name], name
            continue
        (words, numbers), (others_words, others_numbers) = drawn_pdf(content), drawn_pdf(others[name])
        assert words == others_words, name
        np.testing.assert_allclose(numbers, others_numbers, rtol=0, atol=1e-3, err_msg=name)


def drawn_pdf(content: bytes) -> tuple[list[list[bytes]], list[float]]:
    """What the page and its pictures are made of, words and numbers apart."""
    streams = [zlib.decompress(stream) for stream in re.findall(rb"stream\n(.*?)\nendstream", content, re.DOTALL)]
    parts = [re.split(NUMBER, stream) for stream in streams]
    return [part[::2] for part in parts], [float(number) for part in parts for number in part[1::2]]


def fresh(tmp_path: Path, dip: Dip, *words: str) -> Run:
    """The run of a fit in an empty results folder."""
    for path in sorted((tmp_path / "results").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert dip(*SMALL, *words) == 0
    return only_run(tmp_path)
