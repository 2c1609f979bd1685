"""How large an Export3D network is and which of its parts are on. No torch: the help reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from annotated_types import Ge, Gt, Interval

Side = Literal[64, 128, 256, 512]
"""Sides of pictures a network can be made for, pixels."""
Size = Literal["tiny", "small", "middle", "full"]
"""Named sizes: full is the paper's, the others are this project's."""
Encoding = Literal["clebs", "lebs", "direct"]
"""How an expression is told: table 3 of the paper."""
How = Literal["eadaln", "cross_attention"]
"""How it enters the generator: table 4 of the paper."""
CanonicalSource = Literal["off", "placed", "frontal"]
"""How the generator sees the source."""


@dataclass(frozen=True)
class Export3DSettings:
    """An Export3D network. Defaults are the paper's; docs/engines/export3d.md compares all values."""

    side: Side = 256
    """Side of the pictures in pixels."""

    encoding: Encoding = "clebs"
    """clebs: few directions, learnt before by contrast and then frozen; lebs: the same, learnt together with
    all else; direct: linear layers without directions."""
    directions: Annotated[int, Interval(ge=1, le=64)] = 10
    """Orthonormal directions of an expression, n."""
    representation: Annotated[int, Ge(1)] = 256
    """Numbers in an expression's representation, d; at least as many as directions."""
    expression_hidden: Annotated[int, Ge(4)] = 256
    """Numbers between the two linear layers that read an expression."""
    conditioning: How = "eadaln"
    """eadaln: the expression scales and shifts tokens behind every normalisation; cross_attention: tokens
    look at it."""
    condition_tokens: Annotated[int, Ge(1)] = 8
    """Tokens that a representation becomes where it is looked at."""

    stem_first: Annotated[int, Ge(4)] = 64
    """Channels of the stem's first convolution; they double up to a quarter of the token's width."""
    stem_halvings: Annotated[int, Interval(ge=1, le=4)] = 3
    """How often the stem halves the picture; merging patches halves it once more."""
    width: Annotated[int, Ge(16)] = 1024
    """Width of the tokens, h: a multiple of four times the heads."""
    heads: Annotated[int, Ge(1)] = 4
    """Heads of every attention."""
    blocks: Annotated[int, Ge(1)] = 5
    """ViT blocks that are told the expression."""
    reduction: Annotated[int, Ge(1)] = 1
    """Their keys are of so many by so many tokens, merged (efficient attention)."""
    late_blocks: Annotated[int, Ge(0)] = 1
    """ViT blocks after the first enlargement, which are not told it."""
    late_reduction: Annotated[int, Ge(1)] = 2
    """The same of those."""
    expansion: Annotated[int, Ge(1)] = 4
    """How many times wider a Mix-FFN is inside."""
    low_pass: Annotated[float, Ge(0)] = 1.0
    """Deviation of the Gaussian after every pixel shuffle, pixels; 0 for none."""
    skips: bool = False
    """Whether the stem's finer features are also laid beside what the tokens became, at the same side: they
    are no expression's. Off: the paper."""
    decoder_channels: Annotated[int, Ge(4)] = 128
    """Channels of the convolutions that end in planes."""
    plane_features: Annotated[int, Ge(3)] = 32
    """Features of a place of a plane."""
    plane_side: Annotated[int, Ge(8)] = 128
    """Side of the planes: half the picture's (paper)."""
    plane_average: Annotated[float, Interval(ge=0, le=1)] = 0.998
    """Share of the planes' moving average that stays at each step, δ; 1 for no average."""

    raw_side: Annotated[int, Ge(8)] = 64
    """Side of the picture that rays draw: a quarter of the picture's (paper)."""
    coarse_samples: Annotated[int, Ge(2)] = 48
    """Places looked at along a ray, evenly apart."""
    fine_samples: Annotated[int, Ge(2)] = 48
    """Places looked at where the first ones found something. Without a surface to begin with, both together
    make the picture; with one, the first look at that surface alone, and these make the picture."""
    near: Annotated[float, Gt(0)] = 0.167
    """Rays begin so many metres before the head's plane."""
    far: Annotated[float, Gt(0)] = 0.222
    """They end so many metres behind it."""
    density: Annotated[float, Gt(0)] = 2.7
    """Density per metre that a rectified logit of one stands for: 1 in EG3D's unit of 0.37 m."""
    head_hidden: Annotated[int, Ge(4)] = 64
    """Numbers between the two linear layers of colour and density."""
    rendered: Annotated[int, Ge(3)] = 32
    """Channels that rays bring back, colours first; the super-resolution sees all."""
    sharp_first: Annotated[int, Ge(4)] = 128
    """Channels of the super-resolution's first block; they halve with every further one."""

    canonical_source: CanonicalSource = "off"
    """placed: the stem sees the source as its own camera brings it onto the front plane: upright, in the
    planes' size and place. frontal: seen from the front, as far as the head's surface allows, so that eyes
    and mouth are always in their place. off: as it is (paper)."""
    lifted: bool = False
    """Whether a point of the volume also knows what the source picture shows where the source's camera saw
    that point. Nothing is deformed: which colours it takes from there, and which of its own, is learnt, and
    where matter is comes from the planes. Off: planes alone (paper)."""
    lifted_channels: Annotated[int, Ge(0)] = 0
    """Features of the source that come with those colours."""
    surface_prior: bool = False
    """Whether matter begins behind the surface of the head model's neutral face, continued backwards for hair
    and shoulders, and where the source shows the person, instead of evenly everywhere. What is learnt is
    added. Off: all of it is learnt (paper)."""
    background: bool = False
    """Whether pictures come with their person's outline as a fourth channel, and the person is drawn before
    the source's surroundings, continued smoothly to where they were. Off: the volume holds all (paper)."""
    still_body: bool = False
    """Whether what is below the chin keeps the turn it has in the source and goes half of the head's way, as
    bodies do. Off: everything turns with the head (paper)."""

    face_plane: Annotated[int, Ge(0)] = 0
    """Side of a finer front plane of the face alone, which says what is painted there; a multiple of 8. 0 for
    none (paper)."""
    face_channels: Annotated[int, Ge(4)] = 16
    """Channels of its first convolution; its tokens are six times as wide, a multiple of the heads."""

    critic_first: Annotated[int, Ge(4)] = 64
    """Channels of the discriminator at the picture's side; they double with every halving…"""
    critic_most: Annotated[int, Ge(8)] = 512
    """…up to this many."""

    @property
    def source_channels(self) -> int:
        """Channels of a source picture: colours and perhaps the person's outline."""
        return 4 if self.background else 3

    @property
    def token_side(self) -> int:
        """Tokens along a side."""
        return self.side >> (self.stem_halvings + 1)

    @property
    def needs_camera(self) -> bool:
        """Whether the source's camera must be given."""
        return self.canonical_source != "off" or self.lifted or self.still_body or self.face_plane > 0


FULL = Export3DSettings()
SMALL = Export3DSettings(
    side=128,
    representation=64,
    expression_hidden=128,
    stem_first=24,
    stem_halvings=2,
    width=128,
    blocks=4,
    reduction=2,
    late_blocks=0,
    expansion=2,
    skips=True,
    decoder_channels=32,
    plane_features=12,
    plane_side=64,
    raw_side=64,
    coarse_samples=24,
    fine_samples=8,
    near=0.15,
    far=0.1,
    density=250.0,
    head_hidden=16,
    rendered=6,
    sharp_first=16,
    canonical_source="frontal",
    lifted=True,
    surface_prior=True,
    background=True,
    still_body=True,
    face_plane=64,
    critic_first=16,
    critic_most=96,
)
MIDDLE = replace(
    SMALL,
    side=256,
    representation=128,
    expression_hidden=256,
    stem_first=32,
    stem_halvings=3,
    width=384,
    blocks=4,
    reduction=1,
    late_blocks=1,
    late_reduction=2,
    expansion=4,
    decoder_channels=96,
    plane_features=24,
    plane_side=128,
    coarse_samples=32,
    fine_samples=24,
    head_hidden=64,
    rendered=16,
    sharp_first=64,
    lifted_channels=8,
    face_plane=128,
    face_channels=48,
    critic_first=48,
    critic_most=384,
)
TINY = replace(
    SMALL,
    stem_first=16,
    width=64,
    blocks=2,
    decoder_channels=16,
    plane_features=8,
    raw_side=32,
    face_channels=8,
)
SIZES: dict[Size, Export3DSettings] = {"tiny": TINY, "small": SMALL, "middle": MIDDLE, "full": FULL}
"""Each size at its own side; :func:`export3d_settings` fits it to another."""


def export3d_settings(size: Size, side: Side | None = None) -> Export3DSettings:
    """The settings of a named size for pictures of a side; its own side (256, or 128 for small and tiny)
    where that is None.

    Planes and raw pictures grow and shrink with the picture, and at 64 the stem halves once less, so that
    there are still tokens enough. ValueError for a size or side that is none.
    """
    if size not in SIZES or side not in (None, *get_args(Side)):
        raise ValueError(f"no Export3D network is called {size} at {side}")
    shape = SIZES[size]
    if side is None or side == shape.side:
        return shape
    halvings = shape.stem_halvings - 1 if side == 64 and shape.stem_halvings > 1 else shape.stem_halvings
    return replace(
        shape,
        side=side,
        stem_halvings=halvings,
        plane_side=shape.plane_side * side // shape.side,
        face_plane=shape.face_plane * side // shape.side,
        # Looks are compared in pictures of 32 pixels at least.
        raw_side=max(32, shape.raw_side * side // shape.side),
    )
