"""How large a semantic network is and which of its parts are on. No torch: the help reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

from annotated_types import Ge, Gt, Interval

Side = Literal[64, 128, 256, 512]
"""Sides of pictures a network can be made for, pixels."""
Size = Literal["tiny", "small", "middle", "full"]
"""Named sizes: full is the paper's, the others are this project's."""
KeypointSource = Literal["head_model", "unsupervised"]
"""Where keypoints come from."""

EXPRESSIONS, JAW = 50, 3
CODE = EXPRESSIONS + JAW
"""Numbers in the semantic code of a frame (paper, section 3.2)."""


@dataclass(frozen=True)
class SemanticSettings:
    """A semantic network. Defaults are the paper's 256² one; docs/engines/semantic.md compares all values."""

    side: Side = 256
    """Side of the pictures in pixels."""
    person_mask: bool = False
    """Whether source pictures come with their person's outline as a fourth channel. It lies in the volume and
    is moved with it, so that motion knows what can move at all. Off: colours alone (paper)."""
    volume_side: Annotated[int, Ge(8)] = 64
    """Side of the feature volume; pictures are halved until they have it."""
    first_channels: Annotated[int, Ge(4)] = 64
    """Channels of the appearance extractor's first layer; they double with every halving…"""
    most_channels: Annotated[int, Ge(8)] = 256
    """…up to this many."""
    volume_channels: Annotated[int, Ge(4)] = 32
    """Channels of the feature volume."""
    volume_depth: Annotated[int, Ge(2)] = 16
    """Layers of the feature volume from far to near."""
    volume_blocks: Annotated[int, Ge(0)] = 6
    """Residual blocks of 3-D convolutions that end the extractor."""
    keypoints: Annotated[int, Interval(ge=1, le=16)] = 16
    """How many keypoints drive it: the first ones of the list in keypoints.py, most important first."""
    keypoint_source: KeypointSource = "head_model"
    """head_model: points of the tracked head; unsupervised: points that a network finds by itself."""
    expression_code: bool = True
    """Whether the generator is told expression and jaw beside what keypoints say."""
    keypoint_code: bool = False
    """Whether it is also told how keypoints have moved within the head, source to driving frame. These
    numbers are in the stream anyway. Off: the paper."""
    turning: bool = False
    """Whether every keypoint's flow also turns and grows with the head, as the keypoints together say it does
    (first order). Off: keypoints only shift what is around them (zeroth order, the paper's base)."""
    mask_reach: Annotated[float, Ge(0)] = 0.0
    """Masks begin as nearness to keypoints: what is farther than this from all of them, in half sides of the
    picture, stays where it was. What is learnt is added to that. 0: all of it is learnt (paper)."""
    face_flow: bool = False
    """Whether, where the face is, the flow is that of all the head model's points and not only of the
    keypoints (studio.networks.face_flow). They are moved by the same numbers, so a receiver that has the head
    model needs no more than pose and code. Off: keypoints alone (paper)."""
    face_surface: bool = False
    """Whether the face's flow knows its surface: points turned away have no say in it, and what the source
    does not show of a face is taken from the face's other half, as in a mirror. Needs `face_flow`."""
    compressed: Annotated[int, Ge(1)] = 4
    """Channels of the volume that motion is estimated from."""
    motion_side: Annotated[int, Ge(4)] = 64
    """Side of the grid on which masks are estimated; at most the volume's."""
    hourglass_first: Annotated[int, Ge(4)] = 32
    """Channels at the hourglass's rim; they double at each level…"""
    hourglass_most: Annotated[int, Ge(8)] = 1024
    """…up to this many."""
    hourglass_levels: Annotated[int, Ge(1)] = 5
    """How often the hourglass halves width and height."""
    mask_kernel: Annotated[int, Ge(1)] = 7
    """Side of the convolution that ends in masks; odd."""
    keypoint_variance: Annotated[float, Gt(0)] = 0.01
    """Variance of the Gaussians that show keypoints to the hourglass, in half sides squared."""
    label_channels: Annotated[int, Ge(8)] = 256
    """Channels of the warped features as the decoder sees them."""
    decoder_channels: Annotated[int, Ge(8)] = 512
    """Channels of the decoder's blocks at the volume's resolution."""
    decoder_blocks: Annotated[int, Ge(1)] = 6
    """How many blocks those are."""
    decoder_last: Annotated[int, Ge(4)] = 64
    """Channels of the decoder's last block; from the first ones they halve with every enlargement."""
    spade_hidden: Annotated[int, Ge(4)] = 128
    """Channels between the condition and what modulates."""
    light: bool = False
    """Whether layers have cheaper forms: halvings by strided convolutions, one condition for each block of
    the decoder, worked out at the volume's resolution and enlarged. Off: the paper's."""
    norm: Literal["batch", "group"] = "batch"
    """What extractor and motion estimator normalise by: statistics of the batch (paper) or of one example."""
    spectral: bool = True
    """Whether the decoder's weights are divided by their largest singular value."""
    paint_over: bool = False
    """Whether the same flow also warps the source picture itself, at full resolution, and the decoder, which
    then ends at half of that, refines the flow and paints over. Off: it gives the whole picture (paper)."""
    code_dropout: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Share of training examples whose code loses some of its last numbers."""
    keypoint_dropout: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Share of training examples that lose some of their last keypoints, for low bitrates."""
    face_dropout: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Share of training examples that have keypoints alone where there is a face's flow, for receivers that
    are sent no more."""
    critic_first: Annotated[int, Ge(4)] = 64
    """Channels of the discriminator's first layer; they double up to…"""
    critic_most: Annotated[int, Ge(8)] = 512
    """…this many."""
    critic_layers: Annotated[int, Ge(2)] = 4
    """Its layers before the last."""
    critic_scales: Annotated[int, Ge(1)] = 2
    """At how many resolutions patches are judged, each half of the one before."""

    @property
    def source_channels(self) -> int:
        """Channels of a source picture: colours and perhaps the person's outline."""
        return 4 if self.person_mask else 3

    @property
    def halvings(self) -> int:
        """How often a picture is halved on the way to the volume."""
        return (self.side // self.volume_side).bit_length() - 1


FULL = SemanticSettings()
SMALL = SemanticSettings(
    person_mask=True,
    volume_side=32,
    first_channels=24,
    most_channels=64,
    volume_channels=16,
    volume_depth=4,
    volume_blocks=2,
    keypoint_code=True,
    turning=True,
    mask_reach=0.5,
    face_flow=True,
    face_surface=True,
    compressed=2,
    motion_side=16,
    hourglass_first=24,
    hourglass_most=96,
    hourglass_levels=3,
    mask_kernel=3,
    label_channels=64,
    decoder_channels=64,
    decoder_blocks=2,
    decoder_last=32,
    spade_hidden=32,
    light=True,
    norm="group",
    spectral=False,
    paint_over=True,
    keypoint_dropout=0.2,
    face_dropout=0.1,
    critic_first=24,
    critic_most=96,
    critic_layers=3,
    critic_scales=2,
)
MIDDLE = replace(
    FULL,
    person_mask=True,
    first_channels=32,
    most_channels=128,
    volume_blocks=4,
    keypoint_code=True,
    turning=True,
    mask_reach=0.5,
    face_flow=True,
    face_surface=True,
    motion_side=32,
    hourglass_most=256,
    hourglass_levels=4,
    mask_kernel=5,
    label_channels=128,
    decoder_channels=256,
    decoder_blocks=4,
    decoder_last=32,
    spade_hidden=64,
    light=True,
    norm="group",
    paint_over=True,
    keypoint_dropout=0.2,
    face_dropout=0.1,
    critic_first=48,
    critic_most=384,
)
TINY = replace(SMALL, first_channels=16, most_channels=48, decoder_channels=48, decoder_blocks=1)
SIZES: dict[Size, SemanticSettings] = {"tiny": TINY, "small": SMALL, "middle": MIDDLE, "full": FULL}
"""Each size at its own volume; :func:`semantic_settings` fits it to a side."""


def semantic_settings(size: Size, side: Side = 256) -> SemanticSettings:
    """The settings of a named size for pictures of a side.

    The volume keeps its side where it can (64 for full and middle, 32 for small and tiny) and has at most
    half of the picture's. ValueError for a size or side that is none.
    """
    if size not in SIZES or side not in get_args(Side):
        raise ValueError(f"no semantic network is called {size} at {side}")
    shape = SIZES[size]
    volume = min(shape.volume_side, side // 2)
    return replace(
        shape,
        side=side,
        volume_side=volume,
        motion_side=min(shape.motion_side, volume),
        # Patches must fit into the smallest picture that is judged.
        critic_scales=shape.critic_scales if side > 64 else 1,
    )
