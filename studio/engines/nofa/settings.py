"""How large a NOFA network is and which of its parts are on. No torch: the help reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from annotated_types import Ge, Gt, Interval

Side = Literal[64, 128, 256, 512]
"""Sides of pictures a network can be made for, pixels."""
Size = Literal["tiny", "small", "middle", "full"]
"""Named sizes: full is the paper's, the others are this project's."""
Encoder = Literal["e4e", "plain"]
"""What reads the source picture."""
Planes = Literal["published", "all_pairs"]
"""Which coordinates planes are of."""

IDENTITY = 40
"""Numbers of who it is: the built-in head's coefficients."""


@dataclass(frozen=True)
class NofaSettings:
    """A NOFA network. Defaults are the paper's; docs/engines/nofa.md compares all values."""

    side: Side = 512
    """Side of the pictures in pixels."""

    z_dim: Annotated[int, Ge(4)] = 512
    """Numbers in the prior's random latent."""
    w_dim: Annotated[int, Ge(4)] = 512
    """Numbers in a row of W+."""
    mapping_layers: Annotated[int, Ge(1)] = 2
    """Layers of the prior's mapping network."""
    channel_base: Annotated[int, Ge(64)] = 32768
    """Channels of the prior's backbone at a resolution are this over the resolution…"""
    channel_max: Annotated[int, Ge(4)] = 512
    """…up to this many."""
    plane_side: Annotated[int, Ge(16)] = 256
    """Side of the planes: half the picture's."""
    plane_features: Annotated[int, Ge(3)] = 32
    """Features of a place of a plane."""
    planes: Planes = "published"
    """published: x·y, x·z and z·x, which NVIDIA's generators have; all_pairs: x·y, x·z and z·y."""
    decoder_hidden: Annotated[int, Ge(4)] = 64
    """Numbers between the decoder's two layers."""
    rendered: Annotated[int, Ge(3)] = 32
    """Channels that rays bring back, colours first; the super-resolution sees all."""
    raw_side: Annotated[int, Ge(16)] = 128
    """Side of the picture that rays draw."""
    coarse_samples: Annotated[int, Ge(4)] = 48
    """Places looked at along a ray, evenly apart."""
    fine_samples: Annotated[int, Ge(0)] = 48
    """Places looked at where the first ones found something; where the volume is guided, these alone make the
    picture."""
    near: Annotated[float, Gt(0)] = 0.167
    """Rays begin so many metres before the head's plane."""
    far: Annotated[float, Gt(0)] = 0.222
    """They end so many metres behind it."""
    lowered: float = 0.0
    """Metres below the head's origin at which the planes' middle lies."""
    sharp: tuple[int, ...] = (256, 128)
    """Channels of the super-resolution's blocks, each of which doubles the side."""

    encoder: Encoder = "e4e"
    """e4e: the residual network of e4e; plain: few convolutions."""
    encoder_widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Channels of the encoder's four stages; of e4e the last is ``w_dim``."""
    encoder_squeeze: Annotated[int, Ge(1)] = 16
    """e4e: its channel attention is this many times narrower inside."""

    frequencies: Annotated[int, Interval(ge=0, le=12)] = 6
    """Sines and cosines for each coordinate of a point, doubling in frequency."""
    offset_width: Annotated[int, Ge(4)] = 256
    """Width of the network of offsets (D-Net)."""
    offset_layers: Annotated[int, Ge(2)] = 8
    """Its layers; half-way it sees the point again."""
    moves: Annotated[int, Interval(ge=1, le=64)] = 16
    """Offsets that it gives each point, of which the expression mixes one."""
    weighting: bool = True
    """Whether a second network (W-Net) says how much of its offset a point goes; off: all of it (table 5)."""
    weight_width: Annotated[int, Ge(4)] = 128
    """Its width."""
    weight_layers: Annotated[int, Ge(2)] = 4
    """Its layers."""
    identity_condition: bool = True
    """Whether both are told who it is (table 5)."""
    canonical_jaw: float = 0.0
    """Radians by which the jaw of the canonical expression is open; nothing else of it is moved."""

    compensation: bool = True
    """Whether the source picture adds to the planes (table 3)."""
    compensation_from: Annotated[int, Ge(8)] = 64
    """Side of the backbone's features that compensation begins with."""
    compensation_width: Annotated[int, Ge(8)] = 256
    """Channels of its first block; they halve with each doubling of the side."""
    compensation_hidden: Annotated[int, Ge(4)] = 128
    """Channels by which the source modulates a block."""

    motion_prior: bool = False
    """Whether offsets begin with the head model's own, as a map from the front, instead of nothing. What is
    learnt is added. Off: all of it is learnt (paper)."""
    guided: bool = False
    """Whether the volume is told where a head is: matter begins behind the surface of the head model's
    canonical face and where the source shows the person; the person is drawn before the source's own
    surroundings; what is below the chin keeps the source's turn; encoder and compensation see the source
    from the front with the canonical expression. What is learnt is added. Off: all of it is learnt
    (paper)."""
    seen_source: bool = False
    """Whether compensation also lets points of the volume take the source picture's own colour where its
    camera saw them; how much is learnt. Needs ``guided``. Off: planes alone (paper)."""
    share_hidden: Annotated[int, Ge(4)] = 16
    """Numbers between the two linear layers that say how much."""
    density: Annotated[float, Gt(0)] = 2.7
    """Density per metre that a rectified logit of one stands for where the volume is guided: 1 in EG3D's
    unit of 0.37 m."""

    critic_first: Annotated[int, Ge(4)] = 64
    """Channels of the prior's discriminator at the picture's side; they double with every halving…"""
    critic_most: Annotated[int, Ge(8)] = 512
    """…up to this many."""

    @property
    def doublings(self) -> int:
        """How often compensation doubles its side."""
        return (self.plane_side // self.compensation_from).bit_length() - 1


FULL = NofaSettings()
MIDDLE = replace(
    FULL,
    side=256,
    w_dim=256,
    z_dim=256,
    channel_base=8192,
    channel_max=256,
    plane_side=128,
    plane_features=24,
    planes="all_pairs",
    rendered=16,
    raw_side=64,
    coarse_samples=32,
    fine_samples=24,
    lowered=0.03,
    sharp=(64, 32),
    encoder_widths=(32, 64, 128, 256),
    offset_width=128,
    offset_layers=6,
    weight_width=64,
    compensation_from=32,
    compensation_width=128,
    compensation_hidden=64,
    canonical_jaw=0.2,
    motion_prior=True,
    near=0.15,
    far=0.1,
    guided=True,
    seen_source=True,
    density=250.0,
    critic_first=48,
    critic_most=384,
)
SMALL = replace(
    MIDDLE,
    side=128,
    z_dim=64,
    w_dim=64,
    channel_base=1024,
    channel_max=64,
    plane_side=64,
    plane_features=12,
    decoder_hidden=32,
    rendered=8,
    raw_side=64,
    coarse_samples=24,
    fine_samples=8,
    sharp=(16,),
    encoder="plain",
    encoder_widths=(16, 32, 64, 96),
    frequencies=3,
    offset_width=48,
    offset_layers=4,
    moves=12,
    weight_width=32,
    weight_layers=3,
    compensation_from=16,
    compensation_width=64,
    compensation_hidden=24,
    critic_first=16,
    critic_most=96,
)
TINY = replace(
    SMALL,
    z_dim=32,
    w_dim=32,
    channel_base=512,
    channel_max=32,
    plane_features=8,
    raw_side=32,
    sharp=(16, 16),
    encoder_widths=(8, 16, 24, 32),
    offset_width=24,
    offset_layers=3,
    moves=8,
    weight_width=16,
    compensation_width=32,
    compensation_hidden=16,
)
SIZES: dict[Size, NofaSettings] = {"tiny": TINY, "small": SMALL, "middle": MIDDLE, "full": FULL}
"""Each size at its own side; :func:`nofa_settings` fits it to another."""


def nofa_settings(size: Size, side: Side | None = None) -> NofaSettings:
    """The settings of a named size for pictures of a side; its own side (512, 256, or 128 for small and tiny)
    where that is None.

    Planes, raw pictures and the features that compensation begins with grow and shrink with the picture.
    ValueError for a size or side that is none.
    """
    if size not in SIZES or side not in (None, *get_args(Side)):
        raise ValueError(f"no NOFA network is called {size} at {side}")
    shape = SIZES[size]
    if side is None or side == shape.side:
        return shape

    def fitted(length: int) -> int:
        return length * side // shape.side

    return replace(
        shape,
        side=side,
        plane_side=fitted(shape.plane_side),
        raw_side=fitted(shape.raw_side),
        compensation_from=max(8, fitted(shape.compensation_from)),
    )
