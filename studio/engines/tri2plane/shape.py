"""How large a Tri²-plane network is; docs/engines/tri2plane.md sets the paper's values beside these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge


@dataclass(frozen=True)
class Tri2Shape:
    """The network's numbers. Defaults are the paper's or its public code's, but for what docs name; the draft
    has smaller ones."""

    levels: Annotated[int, Ge(1)] = 3
    """Tri-planes in the pyramid; each is twice as fine as the one before."""
    plane: Annotated[int, Ge(8)] = 128
    """Side of the coarsest tri-plane, and of the grid of rays of a pass."""
    features: Annotated[int, Ge(4)] = 32
    """Channels of a tri-plane, and of what a ray brings back."""
    channel_base: Annotated[int, Ge(64)] = 24576
    """Channels at a resolution are this over the resolution…"""
    channel_max: Annotated[int, Ge(8)] = 256
    """…and at most this."""
    convolutions: Annotated[int, Ge(1)] = 3
    """Modulated convolutions in each block."""
    plane_convolutions: Annotated[int, Ge(1)] = 3
    """Convolutions from a block to its tri-plane; all but the first look along the other planes as well."""
    style: Annotated[int, Ge(8)] = 128
    """Numbers in a style."""
    encoded: Annotated[int, Ge(8)] = 256
    """Numbers that the motion map is encoded into."""
    encoder_base: Annotated[int, Ge(4)] = 32
    """Channels of the encoder's first layer; they double at each of its four."""
    code: Annotated[int, Ge(0)] = 32
    """Numbers in a frame's own latent code γ."""
    hidden: Annotated[int, Ge(8)] = 128
    """Neurons of the density and colour networks' hidden layer."""
    view_octaves: Annotated[int, Ge(0)] = 4
    """Octaves of the viewing direction that colours may depend on; 0: they do not depend on it."""
    lateral: bool = False
    """Whether motion map and displacement also enter every block in place, not only as styles."""
    standing: bool = True
    """Whether a tri-plane has a part of its own that does not depend on expression."""
    coarse_samples: Annotated[int, Ge(2)] = 32
    """Samples of a ray that find out where matter is."""
    fine_samples: Annotated[int, Ge(2)] = 32
    """Samples of a ray where matter is."""
    capacity: Annotated[int, Ge(4)] = 32
    """Channels of the upsampler's first layer."""
    depth: Annotated[int, Ge(1)] = 3
    """How many times the upsampler halves the picture on its way."""
    upscale: Annotated[int, Ge(1)] = 1
    """The picture's side over the rays'."""

    @property
    def sides(self) -> tuple[int, ...]:
        """Side of each level's tri-plane, coarse to fine."""
        return tuple(self.plane * 2**level for level in range(self.levels))

    @property
    def tiles(self) -> int:
        """Passes of rays, side by side, that cover a picture at its full resolution."""
        return 2 ** (self.levels - 1)

    @property
    def resolution(self) -> int:
        """Side of the grid of rays that covers a picture."""
        return self.plane * self.tiles

    def channels(self, side: int) -> int:
        """Channels of the generator's block of a resolution."""
        return min(self.channel_max, max(8, self.channel_base // side))
