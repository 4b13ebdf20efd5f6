"""Noise that is drawn is as strong as was requested."""

import pytest
import torch

from dip_experiments.tasks import noise

GREY = 0.4
DRAWN: dict[str, tuple[noise.AddedNoise, float]] = {
    "gaussian": (noise.Gaussian(name="gaussian", sigma=25, clip=False), 25 / 255),
    "grey_gaussian": (noise.GreyGaussian(name="grey_gaussian", sigma=25), 25 / 255),
    "blurred_gaussian": (noise.BlurredGaussian(name="blurred_gaussian", sigma=25, radius=1), 25 / 255),
    "gamma": (noise.Gamma(name="gamma", looks=10), GREY / 10**0.5),
    "speckle": (noise.Speckle(name="speckle", sigma=25), GREY * 25 / 255),
    "poisson": (noise.Poisson(name="poisson", peak=30), (GREY / 30) ** 0.5),
    "poisson_gaussian": (
        noise.PoissonGaussian(name="poisson_gaussian", peak=30, sigma=10),
        (GREY / 30 + (10 / 255) ** 2) ** 0.5,
    ),
    "salt_and_pepper": (
        noise.SaltAndPepper(name="salt_and_pepper", fraction=0.2),
        (0.1 * GREY**2 + 0.1 * (1 - GREY) ** 2 - (0.1 * (1 - 2 * GREY)) ** 2) ** 0.5,
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_the_noise_of_a_measurement_is_as_strong_as_was_requested(name: str) -> None:
    noise, deviation = DRAWN[name]
    image = torch.full((3, 256, 256), GREY, dtype=torch.float64)
    found = noise.measured(image, [0, 1], {}) - image
    assert found.std().item() == pytest.approx(deviation, rel=0.02)
    assert found[0].std().item() == pytest.approx(found[1].std().item(), rel=0.02)
