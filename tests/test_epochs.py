"""Epochs of the code: which run ids move when code begins to give other numbers."""

import pytest
from test_identity import name_of, settings_of

from dip_experiments.config.run_id import CODE_EPOCHS
from dip_experiments.runner.select_runs import run_id


def test_an_epoch_moves_the_names_of_the_runs_that_use_the_part_and_of_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ("task=denoising", "task=inpainting")
    before = [name_of(word) for word in asked]
    monkeypatch.setitem(CODE_EPOCHS, "task.name=inpainting", 1)
    assert [name_of(word) for word in asked] == before
    monkeypatch.setitem(CODE_EPOCHS, "task.name=inpainting", 2)
    after = [name_of(word) for word in asked]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)
    skips = ("architecture=skip", "architecture=encoder_decoder", "architecture=unet")
    plain = [name_of(word) for word in skips]
    monkeypatch.setitem(CODE_EPOCHS, "architecture.name=skip", 2)
    assert [name_of(word) == name for word, name in zip(skips, plain, strict=True)] == [False, False, True]
    monkeypatch.setitem(CODE_EPOCHS, "guard", 99)
    assert not {name_of(word) for word in asked} & {*before, *after}


@pytest.mark.parametrize(
    ("words", "moves"),
    [
        ("replicas=2 architecture.skip=[4,1,4,4,4]", True),
        ("replicas=2 architecture.up=[8,1,8,8,8]", True),
        ("replicas=2 architecture.down=[8,8,8,8,1]", True),
        ("replicas=2", False),
        ("replicas=1 architecture.skip=[4,1,4,4,4]", False),
        ("replicas=2 architecture.skip=[4,0,4,4,4] architecture.up=[8,8,1,8,8]", False),
        ("replicas=2 architecture.up=[1,8,8,8,8] architecture.down=[1,8,8,8,8]", False),
        ("replicas=2 architecture=deep_decoder architecture.widths=[1,1]", False),
    ],
)
def test_an_epoch_may_count_for_the_runs_that_meet_a_condition(
    words: str, moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one channel at a join, replicas >= 2 on a CPU had wrong gradients."""
    settings = settings_of(*words.split())
    after = [run_id(settings, device) for device in ("cpu", "cuda")]
    monkeypatch.setitem(CODE_EPOCHS, "joins_of_one_channel", 1)
    before = [run_id(settings, device) for device in ("cpu", "cuda")]
    assert [one != other for one, other in zip(before, after, strict=True)] == [moves, False]


@pytest.mark.parametrize(
    ("words", "moves"),
    [
        ("stopping=split stopping/law=auto", True),
        ("stopping=split stopping/law=poisson_gaussian", True),
        ("loss=whitened loss.width=0.7", True),
        ("stopping=split stopping/law=poisson_gaussian stopping.law.sigma=5 stopping.law.gain=null", True),
        ("loss=whitened loss.width=0.7 loss.correlation=0", False),
        ("stopping=split", False),
    ],
)
def test_the_epoch_of_the_estimated_covariance_counts_where_it_is_estimated(
    words: str, moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = name_of("task=denoising", *words.split())
    monkeypatch.setitem(CODE_EPOCHS, "estimated_covariance", 1)
    assert (name_of("task=denoising", *words.split()) != after) == moves


@pytest.mark.parametrize(
    ("words", "moves"),
    [
        ("task=inpainting stopping=split stopping/law=correlated", True),
        ("task=inpainting stopping=split", False),
        ("task=denoising stopping=split stopping/law=correlated", False),
    ],
)
def test_the_epoch_of_laws_with_holes_counts_for_noise_that_may_be_clipped_under_a_mask(
    words: str, moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ["stopping.law.sigma=5"]
    known += ["stopping.law.width=0", "stopping.law.correlation=0"] if "correlated" in words else []
    after = name_of(*words.split(), *known)
    monkeypatch.setitem(CODE_EPOCHS, "laws_with_holes", 1)
    assert (name_of(*words.split(), *known) != after) == moves
