"""A run's name changes with what can change its numbers and with nothing else; new code renames no old run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from conftest import load_image, thorough_after
from pydantic import BaseModel

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.groups import options
from dip_experiments.config.run_id import identity
from dip_experiments.config.settings import Settings, read_settings
from dip_experiments.data import datasets
from dip_experiments.runner.select_runs import run_id
from dip_experiments.schema import TARGET, DefaultForHash, Group, HashContent, NotHashed
from dip_experiments.store import value_digest, write_image

NAMES = Path(__file__).with_name("signatures.json")
CHANGES = {"size": "scales_2", "layers": "nearest", "input": "z_depth_1", "fit": "sgd"}
FIRST = {
    name: f"image={image}" + more
    for name, image, more in (
        *((f"{kind}_denoising", "cset9/f16", " task/noise=noisy25") for kind in ("table", "pixels")),
        *((f"{kind}_inpainting", "standard11/barbara", "") for kind in ("table", "pixels")),
        *((f"{kind}_super_resolution", "set5/baby", " experiment.setting=x4") for kind in ("table", "pixels")),
        ("precision", "astronaut", " precision=float32"),
        ("acceleration", "astronaut", " optimizer=adam"),
        ("study_stopping", "astronaut", " experiment.noise=gaussian25 experiment.draw=0 experiment.kind=plain"),
        ("study_noises", "coffee", " experiment.noise=both experiment.kind=whitened"),
        ("study_stability", "coffee", " experiment.varies=rounding experiment.draw=0"),
        ("study_selection", "astronaut", " experiment.setting=default experiment.draw=1"),
        *((f"denoisers{more}", "cset9/f16", " experiment.noise=authors25") for more in ("", "_decoder")),
        ("denoisers_noise", "coffee", " experiment.noise=both"),
        ("restored", "cset9/f16", ""),
        ("restored_camera", "coffee", ""),
        ("prior_effect", "set5/butterfly", " architecture=skip regularizer=none"),
        ("fig8", "paper/library", " experiment.network=depth_6"),
        ("fig9", "chelsea", " task.layer=conv1"),
        ("fig9_pixels", "chelsea", " task.layer=conv1 regularizer=none"),
        ("samples", "astronaut", " experiment.network=depth_1 experiment.skips=none architecture.upsample=nearest"),
        ("fig8_others", "paper/library", " architecture=unet"),
        *((f"ablation_{one}", "astronaut", f" change={change}") for one, change in CHANGES.items()),
        ("ablation_lbfgs", "astronaut", " seed=0"),
        ("ablation_pictures", "cset9/house", " change=default"),
        ("ablation_impedance", "astronaut", " change=default target=natural"),
        ("benchmark", "astronaut", " experiment.problem=sigma25 method=plain"),
        ("benchmark_others", "astronaut", " experiment.problem=impulses method=l1"),
        ("benchmark_lowpass", "astronaut", " experiment.problem=sigma25 method=lowpass20"),
    )
} | dict.fromkeys(
    ("ablation_denoising", "restore", "restore_noisy", "restore_poisson", "restore_speckle"), "image=astronaut"
)
REQUESTS = [
    "",
    "scale=paper",
    "target=natural",
    "target=shuffled",
    "target=noise replicas=3",
    "architecture=encoder_decoder",
    "architecture=unet",
    "architecture.norm=group architecture.activation=gelu architecture.upsample=learnt",
    "fit.weight_noise=0.02",
    "architecture=resnet",
    "architecture=deep_decoder",
    "architecture=pixels regularizer=tv",
    "optimizer=adam_one_cycle",
    "optimizer=sgd",
    "optimizer=sgld",
    "optimizer=lbfgs",
    "latent=meshgrid precision=float64",
    "latent=normal guidance=self_diffusion",
    "latent=fourier_features loss=fourier",
    "architecture=siren",
    "architecture.upsample=lowpass60 latent.optimise=z_and_norms",
    "task=denoising loss=distributional",
    "task=denoising loss=distributional loss.gain=0.033 task/noise=poisson",
    "task=denoising loss=distributional loss.looks=10 task/noise=gamma",
    "task=denoising",
    "task=denoising task/noise=poisson",
    "task=denoising task/noise=speckle",
    "task=denoising task/noise=salt_and_pepper",
    "task=denoising task.noise=none",
    "task=denoising task/noise=gamma",
    "task=denoising task/noise=poisson_gaussian",
    "task=denoising task/noise=camera",
    "task=denoising stopping=split stopping/law=poisson_gaussian",
    "task=denoising stopping=split stopping/law=auto loss=whitened",
    "task=denoising task/noise=grey_gaussian",
    "task=denoising task/noise=blurred_gaussian",
    "task=denoising task/noise=blurred_gaussian task.noise.grey=true",
    "task=denoising shared=[task] replicas=3",
    "latent.jitter=1e-6",
    "task=denoising latent=adjoint guidance=autoencoding",
    "task=denoising latent=adjoint guidance=self_guided latent.optimise=both guidance.amplitude=0.5 guidance.weight=1",
    "task=denoising latent=adjoint guidance=self_diffusion",
    "task=denoising guidance=target_moving",
    "task=denoising stopping=split",
    "task=denoising stopping=split stopping.mix=[nlm]",
    "task=denoising observe=[split,windowed_variance]",
    "task=denoising observe=[held_out_pixels]",
    "task=denoising stopping=fixed",
    "task=denoising stopping=windowed_variance",
    "task=denoising stopping=moving_variance",
    "task=denoising stopping=held_out_pixels",
    "task=denoising stopping=discrepancy",
    "task=denoising stopping=sure latent=measurement",
    "task=denoising stopping=discrepancy stopping/law=correlated",
    "task=denoising stopping=sure latent=measurement stopping/law=poisson_gaussian",
    "task=denoising stopping=split stopping/law=auto loss=whitened loss.growth=null",
    "task=jpeg",
    "task=super_resolution",
    "task=inpainting",
    "task=inpainting task/mask=text",
    "task=inpainting task/mask=box task.mask.top=1 task.mask.left=2 task.mask.height=3 task.mask.width=4",
    "image=paper/kate task=inpainting task/mask=authors",
    "image=paper/cave task=flash_no_flash",
    "task=feature_inversion",
    "task=feature_inversion task/classifier=vgg19 task.layer=relu4_1",
    "task=activation_maximisation",
    *(f"experiment={name} {FIRST.get(name, '')}".rstrip() for name in options("experiment")),
]
"""Of an experiment, its first job; of a large grid, said in words, as composing all of it takes time."""


def settings_of(*words: str) -> Settings:
    return read_settings(compose_jobs(list(words), multirun=False)[0])


def name_of(*words: str) -> str:
    return run_id(settings_of(*words), "cpu")


OF_EXPERIMENTS = [request for request in REQUESTS if request.startswith("experiment=")]
OTHERS = [request for request in REQUESTS if request not in OF_EXPERIMENTS]


@pytest.mark.parametrize("some", thorough_after(2, [OTHERS, OF_EXPERIMENTS[::6], OF_EXPERIMENTS]), ids=len)
def test_names_stay(some: list[str]) -> None:
    """If one has moved: give the new setting a default for the hash, or raise an epoch if numbers have changed."""
    wanted = json.loads(NAMES.read_text())
    assert wanted.keys() == set(REQUESTS)
    assert {request: name_of(*request.split()) for request in some} == {request: wanted[request] for request in some}


def leaves(group: BaseModel, path: tuple[str, ...] = (), marks: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Path, value and marks of every setting below a group; of an architecture only its name."""
    for name, field in type(group).model_fields.items():
        value, here = getattr(group, name), (*marks, *field.metadata)
        if isinstance(value, BaseModel):
            yield from leaves(value, (*path, name), here)
        elif field.alias == TARGET:
            continue  # the class of a part, not one of its settings
        else:
            yield (*path, name), value, here


def changed(group: BaseModel, path: tuple[str, ...], value: Any) -> BaseModel:
    first, *rest = path
    inner = changed(getattr(group, first), tuple(rest), value) if rest else value
    return group.model_copy(update={first: inner})


def another(value: Any) -> Any:
    if value is None:
        return "given"
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return [*value, 1] if isinstance(value, list) else f"{value}2"


@pytest.mark.filterwarnings("ignore:Pydantic serializer")  # other words than the schema has are the point
@pytest.mark.parametrize(
    "request_", ["", "task=denoising", "task=inpainting", "optimizer=adam_one_cycle", "regularizer=tv"]
)
def test_every_setting_moves_the_name_unless_it_says_that_it_cannot_change_numbers(request_: str) -> None:
    settings = settings_of(*request_.split())
    plain = value_digest(identity(settings, {}, {}, "cpu"))
    seen = {True: 0, False: 0}
    for path, value, marks in leaves(settings):
        if path[0] in ("architecture", "device"):
            continue  # they come as arguments: what the words mean, not the words
        moved = value_digest(identity(changed(settings, path, another(value)), {}, {}, "cpu")) != plain  # type: ignore[arg-type]
        counts = not any(isinstance(mark, (NotHashed, HashContent)) for mark in marks)
        assert moved == counts, ".".join(path)
        seen[counts] += 1
    assert min(seen.values()) > 5


def test_what_comes_from_outside_the_words_moves_the_name() -> None:
    settings = settings_of()
    asked: list[tuple[Any, ...]] = [({}, {}, "cpu"), ({"name": "skip"}, {}, "cpu"), ({}, {"image": "a"}, "cpu")]
    asked += [({}, {}, "cuda"), ({}, {"mask": "a"}, "cpu"), ({"name": "skip", "down": [8]}, {}, "cpu")]
    assert len({value_digest(identity(settings, *words)) for words in asked}) == len(asked)


class Later(Settings):
    """The settings of a later version."""

    added: Annotated[float, DefaultForHash(0.0)] = 0.0


def test_a_new_setting_renames_nothing_at_its_neutral_value_and_counts_at_any_other() -> None:
    settings = settings_of()
    later = Later(**{name: getattr(settings, name) for name in type(settings).model_fields})
    names = [
        value_digest(identity(one, {}, {}, "cpu")) for one in (settings, later, later.model_copy(update={"added": 0.5}))
    ]
    assert names[0] == names[1] != names[2]


def test_a_picture_counts_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    picture = load_image("coffee", None, 32, "resize")
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, picture)
    write_image(tmp_path / "c.png", 1 - picture)
    a, b, c = (name_of("image=file", f"image.path={tmp_path / name}") for name in ("a.png", "b.png", "c.png"))
    assert a == b != c
    mask = ["task=inpainting", "task/mask=file"]
    with_a, with_b, with_c = (
        name_of(*mask, f"task.mask.path={tmp_path / name}") for name in ("a.png", "b.png", "c.png")
    )
    assert with_a == with_b != with_c


def test_a_picture_inside_scikit_image_counts_by_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    before = name_of()
    monkeypatch.setattr("dip_experiments.runner.select_runs._pixels", lambda name: "of another version")
    assert name_of() != before


def test_the_papers_pictures_have_their_names_without_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["image=cset9/f16", "task=denoising", "task/noise=noisy25"]
    before = name_of(*words)
    monkeypatch.setenv("DIP_DATA", str(tmp_path / "empty"))
    assert name_of(*words) == before
    with pytest.raises(ValueError, match="make data"):
        datasets.locate("cset9/f16")


def test_a_file_that_is_not_there_is_reported_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"image\.path=.*no such file"):
        name_of("image=file", f"image.path={tmp_path / 'none.png'}")


def test_an_architecture_counts_by_its_name_and_all_its_arguments_however_they_were_said() -> None:
    plain = name_of("architecture=skip")
    assert (
        name_of("architecture=skip", "architecture._target_=dip_experiments.architectures.fast_skip.FastSkip") == plain
    )
    assert name_of("architecture=skip", "~architecture.padding") == plain
    assert name_of("architecture=skip", "architecture.padding=zero") != plain
    assert name_of("architecture=encoder_decoder") == name_of("architecture=skip", "architecture.skip=[0,0,0,0,0]")


def test_marks_are_read_from_nested_groups_too() -> None:
    class Inner(Group):
        counted: int
        path: Annotated[str, HashContent()]

    group = Inner(counted=1, path="x")
    assert [mark for _, _, marks in leaves(group) for mark in marks] == [HashContent()]
