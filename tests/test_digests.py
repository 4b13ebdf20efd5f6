"""What leaves a run's name by its path comes in by its content, and a list that is a set has one order."""

from itertools import permutations
from pathlib import Path
from typing import Annotated

import pytest
from conftest import load_image
from test_identity import name_of, settings_of

from dip_experiments.config.run_id import by_content
from dip_experiments.config.settings import Settings
from dip_experiments.runner.select_runs import digests, run_id
from dip_experiments.schema import HashContent
from dip_experiments.store import write_image

LEAVING = {"image.name", "image.path", "task.mask.path", "task.flash"}


class Reading(Settings):
    """The settings of a version with a further file, which no task says it reads."""

    prior: Annotated[str | None, HashContent()] = None


def test_a_file_whose_path_counts_by_content_is_digested_whoever_reads_it(tmp_path: Path) -> None:
    settings = settings_of()
    plain = Reading(**{name: getattr(settings, name) for name in type(settings).model_fields})
    names = []
    for name, content in (("a.npy", "1"), ("b.npy", "1"), ("c.npy", "2")):
        (tmp_path / name).write_text(content)
        names.append(run_id(plain.model_copy(update={"prior": str(tmp_path / name)}), "cpu"))
    assert run_id(plain, "cpu") == run_id(settings, "cpu") != names[0] == names[1] != names[2]
    with pytest.raises(ValueError, match=r"prior=.*no such file"):
        run_id(plain.model_copy(update={"prior": str(tmp_path / "none")}), "cpu")


@pytest.mark.thorough
def test_of_every_file_that_leaves_by_content_a_digest_comes_in(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", load_image("coffee", None, 32, "resize"))
    path = tmp_path / "a.png"
    asked = ["", "image=file image.path={}", "task=inpainting task/mask=file task.mask.path={}",
             "task=flash_no_flash task.flash={}", "image=cset9/f16 task=denoising task/noise=noisy25"]  # fmt: skip
    roles = [{"image"}, {"image"}, {"image", "mask"}, {"image", "flash"}, {"image", "noisy"}]
    for words, wanted in zip(asked, roles, strict=True):
        settings = settings_of(*words.format(path).split())
        assert set(digests(settings)) == wanted
        assert {name for name, _ in by_content(settings)} <= {
            "image.name",
            "image.path",
            "task.mask.path",
            "task.flash",
        }


@pytest.mark.parametrize("request_", ["shared=[{}] replicas=3", "task=denoising stopping=split stopping.mix=[{}]"])
def test_a_list_that_is_a_set_counts_whatever_its_order(request_: str) -> None:
    some = ("task", "latent", "init") if "shared" in request_ else ("nlm", "dct", "wiener")
    names = {name_of(*request_.format(",".join(order)).split()) for order in permutations(some)}
    assert len(names) == 1
    assert name_of(*request_.format(",".join(some[:2])).split()) not in names
    with pytest.raises(ValueError, match=f"{some[0]} stands there twice; name each once"):
        settings_of(*request_.format(f"{some[0]},{some[1]},{some[0]}").split())
