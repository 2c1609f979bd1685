"""The structural loss against piq and by its behaviour; LPIPS against the lpips package itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from studio.networks.perceptual import (
    FLOOR,
    SCALE_WEIGHTS,
    PerceptualLoss,
    StructuralLoss,
    ms_ssim,
    perceptual_loss,
    scales,
)


def smooth(seed: int, height: int, width: int, count: int = 1) -> Tensor:
    """``[count, 3, height, width]`` float64 in 0..1 with structure at several sizes."""
    chance = torch.Generator().manual_seed(seed)
    total = torch.zeros(count, 3, height, width, dtype=torch.float64)
    for cells in (4, 11, 29):
        coarse = torch.rand(count, 3, cells, cells, generator=chance, dtype=torch.float64)
        total += F.interpolate(coarse, size=(height, width), mode="bilinear") / 3.0
    return total


def noisy(picture: Tensor, size: float, seed: int = 9) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return picture + size * torch.randn(picture.shape, generator=chance, dtype=picture.dtype)


def blurred(picture: Tensor, times: int) -> Tensor:
    for _ in range(times):
        picture = F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return picture


@pytest.fixture
def loss() -> PerceptualLoss:
    return perceptual_loss(None)


@pytest.fixture(scope="module")
def alex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from torchvision.models import alexnet

    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("trunk") / "alexnet.pth"
    convolutions = {k: v for k, v in alexnet(weights=None).state_dict().items() if k.startswith("features")}
    torch.save(convolutions, path)
    return path


@pytest.mark.parametrize(("height", "width"), [(161, 161), (170, 183), (192, 208)])
def test_ms_ssim_is_piqs(height: int, width: int) -> None:
    import piq

    x = smooth(1, height, width, 2)
    y = noisy(blurred(x, 2), 0.03).clamp(0, 1)
    wanted = piq.multi_scale_ssim(x, y, data_range=1.0, reduction="none")
    assert wanted.max() < 0.99
    torch.testing.assert_close(ms_ssim(x, y), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("side", "count"), [(32, 2), (64, 3), (96, 4)])
def test_small_pictures_have_fewer_scales(side: int, count: int) -> None:
    import piq

    assert scales(side, 2 * side) == count
    x = smooth(2, side, 2 * side)
    y = noisy(x, 0.05).clamp(0, 1)
    weights = torch.tensor(SCALE_WEIGHTS[:count], dtype=torch.float64)
    wanted = piq.multi_scale_ssim(x, y, data_range=1.0, reduction="none", scale_weights=weights)
    torch.testing.assert_close(ms_ssim(x, y), wanted, rtol=0, atol=1e-12)


def test_loss_contains_ms_ssim_and_gradients(loss: PerceptualLoss) -> None:
    """On a picture made brighter by a constant no gradient differs; on a slope, exactly the slope's does."""
    x = smooth(3, 64, 64)
    x = 0.2 + 0.5 * x
    brighter = x + 0.1
    expected = 1.0 - ms_ssim(x, brighter)
    torch.testing.assert_close(loss(2 * x - 1, 2 * brighter - 1), expected, rtol=1e-9, atol=0)
    slope = x + 0.001 * torch.arange(64, dtype=torch.float64)
    beyond = loss(2 * x - 1, 2 * slope - 1) - (1.0 - ms_ssim(x, slope))
    steps = torch.tensor([0.001, 0.002, 0.004], dtype=torch.float64)  # a slope doubles from scale to scale
    soft = ((steps.square() + 1e-4).sqrt() - 0.01).mean()
    torch.testing.assert_close(beyond, soft[None], rtol=1e-6, atol=0)


def test_equal_pictures_differ_by_nothing_and_pull_nowhere(loss: PerceptualLoss) -> None:
    for picture in (
        smooth(4, 64, 64, 2).float() * 2 - 1,
        torch.zeros(1, 3, 64, 64),
        torch.ones(1, 3, 32, 32),
    ):
        x = picture.clone().requires_grad_()
        value = loss(x, picture)
        assert value.shape == (len(picture),)
        assert value.abs().max() <= 1e-6
        (gradient,) = torch.autograd.grad(value.sum(), x)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() < 1e-4


def test_flat_against_structure_has_a_finite_gradient(loss: PerceptualLoss) -> None:
    for flat in (0.0, -1.0, 1.0):
        x = torch.full((1, 3, 64, 64), flat, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss(x, smooth(5, 64, 64).float() * 2 - 1).sum(), x)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0


def test_a_negative_finds_its_way_back(loss: PerceptualLoss) -> None:
    """MS-SSIM counts opposed structure as 0, without a gradient; the loss must not."""
    y = (4.0 * (smooth(6, 32, 32).float() - 0.5)).clamp(-1, 1)
    x = (-y).requires_grad_()
    flat = ms_ssim(0.5 * x + 0.5, 0.5 * y + 0.5)
    assert float(flat.detach()) < FLOOR
    with torch.enable_grad():
        optimiser = torch.optim.Adam([x], 0.02)
        for _ in range(150):
            optimiser.zero_grad()
            loss(x, y).sum().backward()
            optimiser.step()
    assert float(ms_ssim(0.5 * x.detach() + 0.5, 0.5 * y + 0.5)) > 0.9


@pytest.mark.parametrize("kind", ["blur", "shift", "noise"])
def test_grows_with_the_damage(loss: PerceptualLoss, kind: str) -> None:
    x = smooth(7, 64, 64).float() * 2 - 1
    damaged = {
        "blur": [blurred(x, n) for n in (1, 2, 4, 8)],
        "shift": [x.roll(n, -1) for n in (1, 2, 3, 4)],
        "noise": [noisy(x, s) for s in (0.02, 0.05, 0.1, 0.3)],
    }[kind]
    values = [0.0] + [float(loss(d, x)) for d in damaged]
    assert all(a + 1e-3 < b for a, b in zip(values, values[1:]))


def test_a_batch_is_its_pictures(loss: PerceptualLoss) -> None:
    x = smooth(8, 48, 56, 3) * 2 - 1
    y = noisy(x, 0.1)
    alone = torch.cat([loss(x[n : n + 1], y[n : n + 1]) for n in range(3)])
    torch.testing.assert_close(loss(x, y), alone, rtol=1e-12, atol=0)
    assert len(set(alone.tolist())) == 3


def test_gradient_is_the_numerical_one(loss: PerceptualLoss) -> None:
    x = (smooth(9, 32, 32) * 2 - 1).requires_grad_()
    y = noisy(x.detach(), 0.2)
    assert torch.autograd.gradcheck(lambda a: loss(a, y), (x,), fast_mode=True)


def test_half_precision_pictures_and_autocast_change_little(loss: PerceptualLoss) -> None:
    x = smooth(10, 64, 64).float() * 2 - 1
    y = noisy(x, 0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(x, y)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, loss(x, y))
    assert loss(x.half(), y.half()).dtype == torch.float32


def test_shapes_that_do_not_fit_are_refused(loss: PerceptualLoss) -> None:
    for x, y in (((1, 3, 31, 64), (1, 3, 31, 64)), ((1, 3, 64, 64), (1, 3, 64, 65)), ((1, 1, 64, 64),) * 2):
        with pytest.raises(ValueError):
            loss(torch.zeros(x), torch.zeros(y))


def test_what_stands_in_is_said(tmp_path: Path, alex: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = perceptual_loss(None)
    assert isinstance(absent, StructuralLoss)
    assert "VGG" in absent.sentence
    assert "stand in" in absent.sentence
    foreign = tmp_path / "vgg16.pth"
    foreign.write_bytes(b"not a checkpoint")
    assert "vgg16.pth" in perceptual_loss(foreign).sentence
    # A good file of the wrong kind.
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "other.pth")
    assert "other.pth" in perceptual_loss(tmp_path / "other.pth", "alex").sentence
    monkeypatch.setitem(sys.modules, "lpips", None)
    without = perceptual_loss(alex, "alex")
    assert isinstance(without, StructuralLoss)
    assert "lpips package" in without.sentence


def test_lpips_is_the_packages(alex: Path) -> None:
    from studio.networks.perceptual import lpips_network

    state = torch.random.get_rng_state()
    loss = perceptual_loss(alex, "alex").train()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert loss.name == "LPIPS (ALEX)"
    x = smooth(11, 64, 80, 2).float() * 2 - 1
    y = blurred(x, 3)
    wanted = lpips_network(alex, "alex")(x, y).reshape(-1)
    assert wanted.min() > 1e-3
    torch.testing.assert_close(loss(x, y), wanted, rtol=0, atol=1e-5)
    assert loss(x, x).abs().max() == 0
    assert not any(p.requires_grad for p in loss.parameters())


def test_lpips_is_differentiable_even_where_nothing_is_felt(alex: Path, tmp_path: Path) -> None:
    """Biases far below zero silence every feature; the package's own gradient is then not a number."""
    weights = torch.load(alex, weights_only=True)
    weights = {k: v - 100.0 if k.endswith("bias") else v for k, v in weights.items()}
    torch.save(weights, tmp_path / "silent.pth")
    x = smooth(12, 64, 64).float().requires_grad_()
    for trunk, felt in ((alex, True), (tmp_path / "silent.pth", False)):
        loss = perceptual_loss(trunk, "alex")
        (gradient,) = torch.autograd.grad(loss(x, blurred(x.detach(), 3)).sum(), x)
        assert torch.isfinite(gradient).all()
        assert bool(gradient.abs().max() > 0) == felt
