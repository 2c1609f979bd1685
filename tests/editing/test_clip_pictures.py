"""Pictures reach CLIP through the filter it was trained with, and crops are where they say."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from studio.editing.clip_pictures import looked_at, random_windows


@pytest.mark.parametrize(("before", "after"), [(64, 24), (512, 224), (32, 32), (16, 40)])
def test_a_whole_picture_is_resized_as_pytorch_does_it(before, after):
    picture = torch.rand(2, 3, before, before, generator=torch.Generator().manual_seed(0))
    theirs = functional.interpolate(
        picture, (after, after), mode="bicubic", antialias=True, align_corners=False
    )
    # With a low-pass both use Pillow's kernel; PyTorch enlarges with the same one when antialias is asked
    # for.
    torch.testing.assert_close(looked_at(picture, after), theirs, rtol=0, atol=2e-5)


def test_a_window_is_the_crop():
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    # Left and top at a quarter and an eighth, half as wide: pixels 16..48 and 8..40.
    window = torch.tensor([[0.25, 0.125, 0.5]])
    seen = looked_at(picture, 32, window)
    torch.testing.assert_close(seen, picture[:, :, 8:40, 16:48], rtol=0, atol=1e-5)
    both = looked_at(picture.expand(2, -1, -1, -1), 32, torch.tensor([[0.0, 0.0, 1.0], [0.25, 0.125, 0.5]]))
    torch.testing.assert_close(both[1:], seen)
    torch.testing.assert_close(both[:1], looked_at(picture, 32))


def test_gradients_are_right():
    picture = torch.rand(2, 3, 7, 7, dtype=torch.float64, requires_grad=True)
    windows = torch.tensor([[0.1, 0.2, 0.7], [0.0, 0.0, 1.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: looked_at(x, 4, windows), picture)


def test_random_windows_lie_inside():
    windows = random_windows(500, 0.6, torch.Generator().manual_seed(0))
    left, top, side = windows.T
    assert side.min() >= 0.6
    assert side.min() < 0.62
    assert side.max() <= 1.0
    assert (left + side).max() <= 1.0 + 1e-6
    assert (top + side).max() <= 1.0 + 1e-6
    assert (left - top).abs().max() > 0.2
    again = random_windows(500, 0.6, torch.Generator().manual_seed(0))
    assert torch.equal(windows, again)
    assert torch.equal(random_windows(3, 1.0, torch.Generator()), torch.tensor([[0.0, 0.0, 1.0]] * 3))
