import numpy as np
import pytest
import torch

from dip_experiments.tasks.targets import Natural, Noisy, PureNoise, Shuffled, Target
from dip_experiments.tensors import derive_seed, psnr_from_mse, total_variation

NOISY = Noisy(name="noisy", sigma=25.0, clip=False)
CLIPPED = Noisy(name="noisy", sigma=25.0, clip=True)
SHUFFLED, NOISE = Shuffled(name="shuffled"), PureNoise(name="noise")
IMAGE = torch.rand(3, 48, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_noise_has_the_standard_deviation_requested_and_the_clean_image_is_the_reference() -> None:
    assert (NOISY.signal(IMAGE, [0]) - IMAGE).std().item() == pytest.approx(25 / 255, rel=0.02)
    assert torch.equal(NOISY.reference(IMAGE, [0])[0], IMAGE)
    assert torch.equal(Natural(name="natural").reference(IMAGE, [0])[0], IMAGE)


def test_clipped_noise_stays_in_the_unit_range_and_is_not_quantised() -> None:
    signal = CLIPPED.signal(IMAGE, [0])
    assert signal.min() == 0
    assert signal.max() == 1
    assert not torch.equal((signal * 255).round(), signal * 255)


def test_no_noise_is_the_image() -> None:
    assert torch.equal(Noisy(name="noisy", sigma=0.0, clip=True).signal(IMAGE, [0])[0], IMAGE)


def test_a_shuffled_image_has_the_same_pixels_elsewhere_with_their_channels_together() -> None:
    signal = SHUFFLED.signal(IMAGE, [0])
    before, after = (np.array(sorted(map(tuple, x.flatten(1).T.tolist()))) for x in (IMAGE, signal[0]))
    assert np.array_equal(before, after)
    assert not torch.equal(signal[0], IMAGE)
    assert SHUFFLED.reference(IMAGE, [0]) is None


def test_noise_is_uniform_and_has_no_reference() -> None:
    signal = NOISE.signal(IMAGE, [0])
    assert signal.var().item() == pytest.approx(1 / 12, rel=0.05)
    assert signal.mean().item() == pytest.approx(0.5, abs=0.02)
    assert NOISE.reference(IMAGE, [0]) is None


@pytest.mark.parametrize("target", [NOISY, SHUFFLED, NOISE], ids=lambda target: target.name)
def test_each_replica_has_the_realisation_of_its_own_seed(target: Target) -> None:
    folded = target.signal(IMAGE, [5, 6])
    assert torch.equal(folded[1:], target.signal(IMAGE, [6]))
    assert not torch.equal(folded[0], folded[1])


def test_a_realisation_does_not_depend_on_the_precision() -> None:
    single = NOISE.signal(IMAGE.float(), [0])
    assert torch.equal(single, NOISE.signal(IMAGE, [0]).float())


def test_named_seeds_differ_by_name_and_by_seed_and_never_change() -> None:
    assert derive_seed(0, "init") == 1519069808562059438
    assert len({derive_seed(seed, name) for seed in range(3) for name in ("target", "init", "latent")}) == 9


def test_psnr_is_that_of_range_one_and_finite_for_a_perfect_fit() -> None:
    assert psnr_from_mse(torch.tensor([0.01, 1.0, 0.0])).tolist() == pytest.approx([20.0, 0.0, 120.0])


def test_total_variation_of_a_step_is_its_height_times_its_share_of_the_pixels() -> None:
    step = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    step[..., 4:] = 0.5
    assert total_variation(step).item() == pytest.approx(0.5 / 8, rel=1e-3)
