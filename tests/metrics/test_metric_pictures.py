"""PSNR, SSIM, sharpness, MS-SSIM, HaarPSI and LPIPS against closed forms and readable twins."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut
from skimage.metrics import structural_similarity

from studio.metrics import METRICS, Observed, Unavailable, metric
from studio.metrics.perceptual import lpips_with

SIZE = 176


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return cv2.resize(astronaut()[:400, 60:460], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def side(*pictures: np.ndarray, mask: np.ndarray | None = None) -> Observed:
    masks = None if mask is None else np.stack([mask] * len(pictures))
    return Observed(np.arange(len(pictures)), np.stack(pictures), mask=masks, size=pictures[0].shape[0])


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), sigma) if sigma else picture


@pytest.mark.parametrize("offset", [1, 7, 40])
def test_constant_offset_gives_the_closed_form_psnr(offset: int) -> None:
    flat = np.full((32, 40, 3), 100, np.uint8)
    measured = metric("psnr").measure(side(flat, flat), side(flat, flat + np.uint8(offset)))
    assert measured[0] == np.inf
    assert measured[1] == pytest.approx(20 * np.log10(255 / offset))


def test_darker_is_as_far_as_brighter() -> None:
    flat = np.full((8, 8, 3), 100, np.uint8)
    up = metric("psnr").measure(side(flat), side(flat + np.uint8(30)))
    down = metric("psnr").measure(side(flat), side(flat - np.uint8(30)))
    assert up[0] == down[0]  # a wrap-around in uint8 would differ


def test_person_psnr_sees_the_person_alone() -> None:
    real = np.full((16, 16, 3), 100, np.uint8)
    rendered = real.copy()
    rendered[:, :8] = 110  # the person, 10 off
    rendered[:, 8:] = 200  # the background, far off
    mask = np.zeros((16, 16), np.uint8)
    mask[:, :8] = 255
    value = metric("psnr_person").measure(side(real, mask=mask), side(rendered))
    assert value[0] == pytest.approx(20 * np.log10(255 / 10))
    empty = metric("psnr_person").measure(side(real, mask=0 * mask), side(rendered))
    assert np.isnan(empty[0])


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("ssim", 1.0),
        ("ms_ssim", 1.0),
        ("haarpsi", 1.0),
        ("sharpness_difference", 0.0),
        ("sharpness_difference_db", np.inf),
        ("sharpness_ratio", 1.0),
    ],
)
def test_identical_pictures_are_best(picture: np.ndarray, name: str, best: float) -> None:
    values = metric(name).measure(side(picture, picture[:, ::-1]), side(picture, picture[:, ::-1]))
    assert values.shape == (2,)
    assert values == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("name", ["ssim", "ms_ssim", "haarpsi", "sharpness_ratio"])
def test_more_blur_is_worse(picture: np.ndarray, name: str) -> None:
    steps = [blurred(picture, sigma) for sigma in (0, 0.7, 1.5, 3.0, 6.0)]
    values = metric(name).measure(side(*[picture] * 5), side(*steps))
    assert (np.diff(values) < -0.003).all()


def test_ssim_equals_skimage(picture: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 12, picture.shape)
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    twin = structural_similarity(
        picture,
        noisy,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    assert metric("ssim").measure(side(picture), side(noisy))[0] == pytest.approx(twin, abs=5e-5)


@pytest.mark.parametrize("shape", [(176, 176), (181, 200), (170, 163)])
def test_ms_ssim_equals_piq(shape: tuple[int, int]) -> None:
    import piq
    import torch

    real = np.ascontiguousarray(astronaut()[: shape[0], 100 : 100 + shape[1]])
    soft = blurred(real, 1.3)
    tensors = [torch.from_numpy(p.transpose(2, 0, 1)[None] / 255.0) for p in (soft, real)]
    twin = float(piq.multi_scale_ssim(*tensors, data_range=1.0))
    assert metric("ms_ssim").measure(side(real), side(soft))[0] == pytest.approx(twin, abs=1e-4)


def test_gradient_difference_of_a_step() -> None:
    real = np.zeros((5, 9, 3), np.uint8)
    rendered = real.copy()
    rendered[:, 4:] = 64  # one vertical edge of 64 levels in 8 columns of differences
    value = metric("sharpness_difference").measure(side(real), side(rendered))
    assert value[0] == pytest.approx(64 / 8)
    decibels = metric("sharpness_difference_db").measure(side(real), side(rendered))
    assert decibels[0] == pytest.approx(10 * np.log10(255 * 8 / 64))


def test_sharpness_ratio_is_symmetric_in_time_but_not_in_sides(picture: np.ndarray) -> None:
    soft = blurred(picture, 2.0)
    one, other = (
        metric("sharpness_ratio").measure(side(a), side(b))[0] for a, b in ((picture, soft), (soft, picture))
    )
    assert one < 0.8
    assert one * other == pytest.approx(1.0)


def test_ms_ssim_of_a_small_picture_says_why_not(picture: np.ndarray) -> None:
    small = picture[:128, :128]
    with pytest.raises(Unavailable, match="161"):
        metric("ms_ssim").measure(side(small), side(small))


def test_lpips_without_weights_says_why_not(picture: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="VGG"):
        metric("lpips").measure(side(picture), side(picture))
    foreign = tmp_path / "vgg16.pth"
    foreign.write_bytes(b"not a checkpoint")
    with pytest.raises(Unavailable, match=r"vgg16\.pth"):
        lpips_with(foreign)(side(picture), side(picture))


def test_lpips_reads_torchvision_trunk(picture: np.ndarray, tmp_path: Path) -> None:
    """A random trunk still gives zero for equal pictures and grows with blur; the file's weights matter."""
    import torch
    from torchvision.models import alexnet

    values = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        path = tmp_path / f"alexnet-{seed}.pth"
        torch.save(alexnet(weights=None).state_dict(), path)
        soft = [blurred(picture, s) for s in (0, 1.0, 4.0)]
        values.append(lpips_with(path, "alex")(side(*[picture] * 3), side(*soft)))
    assert values[0][0] == pytest.approx(0.0, abs=1e-6)
    assert 0 < values[0][1] < values[0][2]
    assert values[0][2] != pytest.approx(values[1][2], rel=1e-3)


def test_sides_of_different_shape_are_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="shape"):
        metric("psnr").measure(side(picture), side(picture[:100]))
    with pytest.raises(ValueError, match="float"):
        side(picture.astype(np.float32))


def test_catalog_has_each_metric_once() -> None:
    names = [entry.id for entry in METRICS]
    assert len(set(names)) == len(names)
    with pytest.raises(KeyError):
        metric("vibes")
