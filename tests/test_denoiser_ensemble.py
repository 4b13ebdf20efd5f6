"""What other denoisers are told when their images are mixed in at a split's stop."""

import pytest
import torch
from test_splitting import LAWS, SIGMA, WAITS, noisy, observation, smooth

from dip_experiments.fitting import ensemble
from dip_experiments.fitting.ensemble import denoiser_ensemble
from dip_experiments.operators import Identity
from dip_experiments.stopping import FitInput, RuleMonitor
from dip_experiments.stopping.split import Split


@pytest.mark.parametrize("a", [0.2, 1.0])
@pytest.mark.parametrize("law", ["gaussian", "gamma"])
def test_they_are_told_the_strength_of_the_noise_in_what_they_see(
    law: str, a: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def denoiser(image: torch.Tensor, *guide_and_sigma: float) -> torch.Tensor:
        told.append(guide_and_sigma[-1])
        return image

    monkeypatch.setitem(ensemble.DENOISERS, "tv", denoiser)
    monkeypatch.setattr(ensemble, "wiener", denoiser)
    clean, rule = smooth(64), Split(name="split", law=LAWS[law], a=a, mix=["tv", "wiener"], **WAITS)
    y = noisy(law, clean, 0).expand(2, -1, -1, -1)
    part = rule.hold_out(FitInput(y, Identity()), [0, 1])
    watch = RuleMonitor(rule, y, part, ends=False)
    watch.observe(observation(y.clone()))
    assert denoiser_ensemble(watch) is not None
    true = 255 * float((part.measurement - torch.from_numpy(clean)).std())
    assert told == pytest.approx([true] * 4, rel=0.03)
    if law == "gaussian":
        assert told == pytest.approx([SIGMA * (1 + a**2) ** 0.5] * 4)
