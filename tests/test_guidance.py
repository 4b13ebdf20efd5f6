"""Methods that use the output within its own fit: their formulas, and fits that are resumed, rolled back or refused."""

import math
import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from conftest import SMALL, Dip
from torch import Tensor

from dip_experiments.config.compose import compose_jobs
from dip_experiments.config.settings import read_settings
from dip_experiments.fitting.module import DIPModule
from dip_experiments.fitting.schedule import block_ends
from dip_experiments.fitting.trainer import train
from dip_experiments.guidance import SelfDiffusion, SelfGuided
from dip_experiments.latents import framed, within
from dip_experiments.operators import back_projection
from dip_experiments.runner.build import build_fit
from dip_experiments.runner.validate import bytes_needed, validate

SHOWN = ["latent=adjoint", "task=denoising", "fit.iterations=20"]
METHODS = {
    "autoencoding": [*SHOWN, "guidance=autoencoding", "guidance.inner=3"],
    "self_guided": [*SHOWN, "guidance=self_guided", "latent.optimise=both", "guidance.draws=2"],
    "self_diffusion": ["latent=normal", *SHOWN[1:], "guidance=self_diffusion", "guidance.levels=6"],
    "target_moving": ["task=denoising", "fit.iterations=20", "guidance=target_moving", "guidance.every=7"],
}


def built(*words: str) -> DIPModule:
    (job,) = compose_jobs([*SMALL, "device=cpu", "precision=float64", *words], multirun=False)
    return build_fit(validate(read_settings(job)), [])


def fitted(fit: DIPModule) -> DIPModule:
    """The fit after twenty iterations, in blocks of ten."""
    train(fit, block_ends(20, 10), torch.device("cpu"), [])
    return fit


def latents(*words: str) -> tuple[DIPModule, list[Tensor], list[Tensor]]:
    """A fit, with its latent and the output of its weights for the latent before after each iteration."""
    fit, z, images = built(*words), [], []
    before = [fit.latent.detach().clone()]

    def remember(done: int) -> None:
        with torch.no_grad():
            images.append(fit.image(before[-1]).clone())
        z.append(fit.latent.detach().clone())
        before.append(z[-1])

    fit.on_iteration_end = remember
    return fitted(fit), z, images


def same(some: Tensor, other: Tensor) -> bool:
    return torch.allclose(some, other, rtol=0, atol=1e-12)


def test_the_output_becomes_the_latent_after_every_inner_iteration_and_never_between() -> None:
    fit, z, images = latents(*METHODS["autoencoding"], "image.size=30")
    assert fit.latent.shape[2:] == (32, 32)
    for done in range(1, 20):
        expected = framed(images[done], (3, 32, 32)) if (done + 1) % 3 == 0 else z[done - 1]
        assert same(z[done], expected)


def test_the_loss_draws_the_output_towards_the_latent() -> None:
    fit = built(*METHODS["autoencoding"], "guidance.weight=0.7", "image.size=30", "replicas=2")
    output = torch.rand(2, 3, 30, 30, dtype=torch.float64, requires_grad=True)
    y, z = fit.problem.task.measurement, fit.latent[:, :, 1:31, 1:31]
    error, loss = fit.problem.losses(output, fit.latent)
    torch.testing.assert_close(error, ((output - y) ** 2).mean((1, 2, 3)))
    torch.testing.assert_close(loss, error + 0.7 * ((output - z) ** 2).mean((1, 2, 3)))
    loss.sum().backward()
    torch.testing.assert_close(output.grad, 2 / 2700 * (output - y + 0.7 * (output - z)).detach())


@pytest.mark.parametrize("task", ["super_resolution", "inpainting"])
def test_the_first_latent_is_the_measurement_brought_to_the_size_and_brightness_of_the_image(task: str) -> None:
    words = [f"task={task}", *(["task/mask=bernoulli"] if task == "inpainting" else [])]
    fit, factor = (
        built("latent=adjoint", *words, "replicas=2", "image=coffee"),
        {"super_resolution": 16, "inpainting": 1},
    )
    y, operator = fit.problem.task.measurement, fit.problem.task.operator
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    z = within(fit.latent.detach(), x)
    ratios = (x * z).sum((1, 2, 3)) / (operator(x) * y).sum((1, 2, 3))  # <x, A^T y> = <A x, y>
    assert ratios.tolist() == pytest.approx([factor[task]] * 2, rel=0.15)
    error = [(operator(scale * z) - y).square().sum() for scale in (0.99, 1.0, 1.01)]
    assert error[1] < min(error[0], error[2])


def test_a_measurement_of_nothing_has_a_latent_of_nothing() -> None:
    operator, y = built("task=super_resolution").problem.task.operator, torch.zeros(1, 3, 8, 8)
    assert not back_projection(operator.float(), y).any()


def test_images_of_latents_around_z_are_averaged_and_both_are_fitted() -> None:
    fit = built(*METHODS["self_guided"], "guidance.draws=3", "guidance.amplitude=0.5", "replicas=2", "seed=4")
    most = 0.5 * fit.latent.detach().abs().amax(dim=(1, 2, 3), keepdim=True)
    drawn = torch.stack(fit.problem.perturbed(fit.latent, draws([1, 2]))).detach() - fit.latent
    assert drawn.min() >= 0
    assert (drawn <= most).all()
    assert abs((drawn / most).mean().item() - 0.5) < 4 / math.sqrt(12 * drawn.numel())
    alone = built(*METHODS["self_guided"], "guidance.draws=3", "guidance.amplitude=0.5", "seed=5")
    single = torch.stack(alone.problem.perturbed(alone.latent, draws([2]))).detach() - alone.latent
    assert same(single[:, 0], drawn[:, 1])
    some = [torch.rand_like(fit.latent) for _ in range(3)]
    with torch.no_grad():
        assert same(fit.mean_image(some), torch.stack([fit.image(z) for z in some]).mean(0))


def draws(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_the_latent_has_a_rate_of_its_own() -> None:
    fit, z, _ = latents(*METHODS["self_guided"], "guidance.lr=0.03", "optimizer.lr=0.002")
    first = built(*METHODS["self_guided"]).latent.detach()
    moved = (z[0] - first).abs()  # a first step of Adam is the rate, whatever the gradient
    assert moved.max() == pytest.approx(0.03, rel=1e-3)
    assert moved.median() == pytest.approx(0.03, rel=1e-2)
    weights = torch.cat([weight.flatten() for weight in fit.network.convolution_weights(0)])
    start = torch.cat([weight.flatten() for weight in built(*METHODS["self_guided"]).network.convolution_weights(0)])
    assert 0.002 < (weights - start).abs().max() < 20 * 0.002 * 1.5


def test_levels_of_noise_fall_as_the_product_of_betas_says() -> None:
    method = SelfDiffusion(name="self_diffusion", levels=5, first_beta=0.01, last_beta=0.05)
    betas = np.linspace(0.01, 0.05, 5)
    expected = np.sqrt(1 - np.cumprod(1 - betas))[::-1]
    np.testing.assert_allclose([method.sigma(level) for level in range(5)], expected, rtol=1e-12)
    assert SelfDiffusion(name="self_diffusion", levels=1, first_beta=0.04, last_beta=0.1).sigma(0) == pytest.approx(0.2)


def test_between_levels_the_latent_is_the_output_with_the_levels_noise() -> None:
    fit, z, images = latents(*METHODS["self_diffusion"], "guidance.last_beta=0.2", "image.size=32")
    method = fit.problem.guidance
    assert isinstance(method, SelfDiffusion)
    changes = [done for done in range(1, 20) if not same(z[done], z[done - 1])]
    assert changes == [2, 5, 8, 11, 14]  # six levels of three iterations, the last one of five
    noise = [(z[done] - images[done]) / method.sigma(level + 1) for level, done in enumerate(changes)]
    first = built("latent=normal", "task=denoising").latent.detach()
    noise += [(z[0] - first) / method.sigma(0), first]
    flat = torch.stack([one.flatten() for one in noise])
    assert (flat.std(dim=1) - 1).abs().max() < 4 / math.sqrt(2 * flat.shape[1])
    assert torch.corrcoef(flat).triu(1).abs().max() < 4 / math.sqrt(flat.shape[1])


def test_the_measurement_becomes_its_mean_with_what_the_operator_makes_of_the_output() -> None:
    fit = built(*METHODS["target_moving"], "task=inpainting", "task/mask=bernoulli", "guidance.share=0.25")
    y, operator = fit.problem.task.measurement, fit.problem.task.operator
    hidden, original = ~operator.measured(y), y.clone()
    seen = []

    def remember(done: int) -> None:
        seen.append((y.clone(), operator(fit.unperturbed())))

    fit.on_iteration_end = remember
    fitted(fit)
    for done in range(1, 20):
        before, image = seen[done - 1][0], seen[done][1]
        expected = 0.75 * before + 0.25 * image if (done + 1) % 7 == 0 else before
        assert same(seen[done][0], expected)
    assert torch.equal(fit.problem.original_task.measurement, original)
    assert hidden.any()
    assert not y[hidden].any()


@pytest.mark.parametrize("method", METHODS)
def test_a_replica_is_the_single_fit_with_its_seed(method: str) -> None:
    three, single = fitted(built(*METHODS[method], "replicas=3")), fitted(built(*METHODS[method], "seed=2"))
    np.testing.assert_allclose(three.curves[..., 2], single.curves[..., 0], rtol=0, atol=1e-7)
    assert (three.curves[..., 0] - three.curves[..., 2]).abs().max() > 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_fit_is_the_uninterrupted_one(method: str) -> None:
    words = METHODS[method]
    uninterrupted = fitted(built(*words))
    first, second = built(*words), built(*words)
    train(first, [10], torch.device("cpu"), [])
    second.resume_from, second.done = first.state_to_save(), 10
    fitted(second)
    assert torch.equal(second.curves, uninterrupted.curves)
    assert torch.equal(second.latent, uninterrupted.latent)
    assert torch.equal(second.problem.task.measurement, uninterrupted.problem.task.measurement)


@pytest.mark.parametrize("method", ["self_guided", "target_moving"])
def test_a_block_that_is_rejected_leaves_neither_latent_nor_measurement(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*METHODS[method], "latent.perturbation=0"]
    plain, again = fitted(built(*words)), built(*words)
    judge, rejected = again.guard.bad, []

    def bad(losses: Tensor, block: tuple[int, int]) -> list[int]:
        if block[1] == 20 and not rejected:
            rejected.append(block)
            return [0]
        return judge(losses, block)

    monkeypatch.setattr(again.guard, "bad", bad)
    fitted(again)
    assert rejected
    assert torch.equal(again.curves[:10], plain.curves[:10])
    fresh_draws = again.problem.draws  # those of a rejected block are not drawn again
    assert torch.equal(again.curves[10:], plain.curves[10:]) is not fresh_draws
    assert torch.equal(again.problem.task.measurement, plain.problem.task.measurement)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("guidance=self_guided latent=adjoint", "guidance=self_guided with latent.optimise=theta: set latent.optimise"),
        ("guidance=autoencoding", "guidance=autoencoding: the image has 3 channels, .*; set latent.channels=3"),
        ("guidance=self_diffusion latent=adjoint fit.iterations=5", "each of guidance.levels=30 takes one iteration"),
        ("guidance=autoencoding latent=adjoint optimizer=lbfgs", "it counts on a loss that stays the same"),
        ("guidance=autoencoding latent=adjoint architecture=siren", "architecture=siren: that looks at no latent"),
        ("guidance=target_moving observe=[discrepancy]", "rule discrepancy: it counts on a measurement"),
        ("guidance=autoencoding latent=measurement observe=[sure]", "rule sure: it counts on a measurement"),
        (
            "guidance=self_guided latent=adjoint latent.optimise=both optimizer=adam_one_cycle",
            "its latent has a constant rate",
        ),
        ("guidance=self_gided", "did you mean self_guided"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_line(
    words: str, message: str, dip: Dip, capfd: pytest.CaptureFixture[str]
) -> None:
    assert dip("scale=smoke", "task=denoising", *words.split()) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert re.search(message, line)


def test_memory_counts_every_image_of_an_iteration() -> None:
    method = SelfGuided(name="self_guided", weight=1.0, draws=4, amplitude=0.5, lr=0.1)
    assert method.passes == 4
    (job,) = compose_jobs([*SMALL, "task=denoising"], multirun=False)
    plain = read_settings(job)
    guided = plain.model_copy(update={"guidance": method})
    assert bytes_needed(guided, 1000, (1, 3, 8, 8)) == 4 * bytes_needed(plain, 1000, (1, 3, 8, 8)) > 0
