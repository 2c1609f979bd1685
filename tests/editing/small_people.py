"""Small persons for tests: one whose pictures are a known function of latents, one with a real network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from studio.assets import AssetLibrary
from studio.domain.edits import Edit, EditStack, LatentShift
from studio.domain.progress import silent
from studio.editing.method import Workplace
from studio.editing.person import Samples
from studio.networks.stylegan2 import StyleGan2Config, SynthesisNetwork


class Drawn:
    """What both have in common: Gaussian samples, and counted drawing."""

    num_ws: int
    w_dim: int
    resolution: int
    moments = 6
    device = torch.device("cpu")
    spread: Tensor
    """``[w_dim]`` deviation of each number."""
    rows_differ = True
    """Whether rows of a latent are drawn apart from each other."""
    mean = 0.0

    def __init__(self) -> None:
        self.pictures = 0

    def sample(self, count: int, seed: int) -> Samples:
        chance = torch.Generator().manual_seed(1000 + seed)
        rows = self.num_ws if self.rows_differ else 1
        noise = torch.randn(count, rows, self.w_dim, generator=chance) * self.spread + self.mean
        moments = torch.randint(self.moments, (count,), generator=chance)
        return Samples(noise.expand(-1, self.num_ws, -1).contiguous(), moments)

    def usual(self, count: int) -> Samples:
        moments = torch.arange(min(count, self.moments))
        return Samples(torch.full((len(moments), self.num_ws, self.w_dim), self.mean), moments)


class LinearPerson(Drawn):
    """Each channel of a picture is one grey value, and a linear function of the latents: ``<colours, w>``.

    A moment adds its own to every picture, as a guide does.
    """

    def __init__(
        self,
        colours: Tensor,
        spread: Tensor | None = None,
        guide: Tensor | None = None,
        rows_differ: bool = True,
        resolution: int = 8,
    ) -> None:
        """
        Args:
            colours: ``[3, num_ws, w_dim]``.
            spread: ``[w_dim]`` of the samples.
            guide: ``[moments, 3]`` added in each moment.
        """
        super().__init__()
        self.colours = colours
        self.num_ws, self.w_dim = colours.shape[1:]
        self.spread = torch.ones(self.w_dim) if spread is None else spread
        self.guide = torch.zeros(self.moments, 3) if guide is None else guide
        self.rows_differ, self.resolution = rows_differ, resolution
        self.style_widths, self.style_rows = (self.w_dim,) * self.num_ws, tuple(range(self.num_ws))

    def styles(self, ws: Tensor) -> Tensor:
        return ws.flatten(1)

    def draw_styles(self, styles: Tensor, moments: Tensor) -> Tensor:
        return self.draw(styles.reshape(-1, self.num_ws, self.w_dim), moments)

    def draw(self, ws: Tensor, moments: Tensor) -> Tensor:
        self.pictures += len(ws)
        grey = torch.einsum("brw,crw->bc", ws, self.colours) + self.guide[moments]
        return grey[:, :, None, None].expand(-1, -1, self.resolution, self.resolution)


class TinyPerson(Drawn):
    """A StyleGAN2 of 32 pixels with random weights."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        config = StyleGan2Config(32, w_dim=12, z_dim=12, channel_base=256, channel_max=12)
        self.network = SynthesisNetwork(config).eval().requires_grad_(False)
        self.num_ws, self.w_dim, self.resolution = config.num_ws, config.w_dim, 32
        self.spread = torch.full((12,), 0.4)
        layers = [layer for block in self.network.blocks() for layer in block.layers]
        self.style_widths = tuple(layer.affine.weight.shape[0] for layer in layers)
        self.style_rows = tuple(self.network.style_rows())

    def styles(self, ws: Tensor) -> Tensor:
        return torch.cat(self.network.styles(ws), 1)

    def draw_styles(self, styles: Tensor, moments: Tensor) -> Tensor:
        self.pictures += len(styles)
        return torch.tanh(0.5 * self.network.from_styles(styles.split(list(self.style_widths), 1)))

    def draw(self, ws: Tensor, moments: Tensor) -> Tensor:
        return self.draw_styles(self.styles(ws), moments)


def workplace(folder: Path, faces=None, edits: EditStack | None = None) -> Workplace:
    """A place to work in, without weights."""
    return Workplace(AssetLibrary(folder), folder / "cache", silent, faces, edits or EditStack())


def channel(number: int):
    """A score: the mean of one channel of each picture."""
    return lambda pictures: pictures[:, number].mean((1, 2)).numpy()


def rows_of_edit(edit: Edit) -> np.ndarray:
    """What an edit of latents adds at strength 1."""
    assert isinstance(edit.effect, LatentShift)
    return edit.effect.rows


def cosine(a, b) -> float:
    a, b = np.ravel(a).astype(np.float64), np.ravel(b).astype(np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
