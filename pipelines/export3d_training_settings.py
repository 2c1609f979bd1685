"""Settings of Export3D's training on people. They import no torch: the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

from annotated_types import Ge, Gt, Interval

from pipelines.frame_settings import FrameSettings
from pipelines.people_loops import BY_STEPS, BY_THE_CLOCK
from pipelines.training.settings import LoopSettings
from studio.engines.export3d.settings import Export3DSettings, Side, Size, export3d_settings

SMALL_LOOP = replace(BY_THE_CLOCK, minutes=25.0, batch=4)
"""What two processor cores do."""
FULL_LOOP = replace(BY_STEPS, steps=310_000, batch=8)
"""The paper's 300,000 steps and the 10,000 with a discriminator."""


@dataclass(frozen=True)
class ContrastSettings:
    """How the space of expressions is learnt before all else (CLeBS; paper, section 3.1)."""

    side: Annotated[int, Ge(32)] = 128
    """Side of the pictures that the image encoder looks at, pixels; at most the network's."""
    width: Annotated[int, Ge(4)] = 64
    """Channels of the image encoder's first stage; 64 is ResNet-18's."""
    from_front: bool = False
    """Whether it looks at the face alone, as the tracked head brings it to the front, instead of the whole
    picture: few people then do. Off: the paper."""
    beside: Annotated[float, Ge(0)] = 0.0
    """Largest share of that window by which it looks beside, larger or smaller. Paper: 0."""
    weight_decay: Annotated[float, Ge(0)] = 0.0
    """AdamW's. Paper: 0."""
    clips: Annotated[int, Ge(1)] = 8
    """Clips in a step…"""
    frames: Annotated[int, Ge(2)] = 33
    """…and frames of each: every one is the positive of its own expression and a negative of the others', so
    33 give the paper's 32 negatives. Clips with fewer good frames take no part."""
    learning_rate: Annotated[float, Gt(0)] = 1e-4
    """Adam's, at its height (paper: 1e-4)."""
    temperature: Annotated[float, Gt(0)] = 0.07
    """τ (paper: 0.07)."""
    steps: Annotated[int, Ge(1)] = 60_000
    """Steps at most (paper: 60,000)."""
    share: Annotated[float, Interval(gt=0, lt=1)] = 0.12
    """Share of the training's minutes that this takes, where those are limited."""


@dataclass(frozen=True)
class Export3DTrainingSettings:
    """How Export3D is trained on people."""

    network: Export3DSettings = field(default_factory=lambda: export3d_settings("small"))
    """How large the network is and which of its parts are on."""
    contrast: ContrastSettings = field(default_factory=ContrastSettings)
    """How expressions are learnt before, where `network.encoding` is clebs."""
    learning_rate: Annotated[float, Gt(0)] = 1e-4
    """Adam's, at its height (paper: 1e-4)."""
    squared_weight: Annotated[float, Ge(0)] = 1.0
    """Weight of squared differences of pictures, raw and final (paper: 1)."""
    looks_weight: Annotated[float, Ge(0)] = 1.0
    """Weight of how different pictures look, raw and final (paper: LPIPS of VGG16, 1)."""
    eyes_and_mouth: Annotated[float, Ge(0)] = 0.0
    """How many times more differences count at eyes and mouth, where faces are read. Paper: 0."""
    face_weight: Annotated[float, Ge(0)] = 0.0
    """Weight of how the face's own plane, where there is one, differs from the driving frame's face seen from
    the front, most at eyes and mouth. Paper: 0."""
    face_squares: Annotated[float, Ge(0)] = 1.0
    """How many times more squared differences count there than in pictures, whose squares are of large flat
    regions mostly."""
    face_pairs: Annotated[int, Ge(0)] = 0
    """Pairs in a step that teach that plane alone. They take no rays, so there can be many."""
    face_rate: Annotated[float, Gt(0)] = 1e-4
    """Adam's learning rate, at its height, for what paints that plane."""
    critic_weight: Annotated[float, Ge(0)] = 0.01
    """Weight of the discriminator's verdict (paper: 0.01)."""
    critic_rate: Annotated[float, Gt(0)] = 1e-5
    """The discriminator's learning rate (paper: 1e-5)."""
    critic_from: Annotated[float, Interval(ge=0, le=1)] = 300 / 310
    """Share of the budget after which the discriminator takes part (paper: after 300,000 steps); 1: never."""
    flip: bool = True
    """Whether half of the pairs are seen in a mirror."""
    jitter: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    """Largest change of brightness, contrast and saturation, alike for both pictures of a pair."""
    zoom: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Largest share by which both pictures of a pair are enlarged and shifted. Paper: 0."""
    validation_identities: Annotated[int, Ge(0)] = 3
    """People of the training side by whom training is judged and from whom it never learns. Held-out people
    are not looked at before the end."""
    validation_pairs: Annotated[int, Ge(1)] = 48
    """Pairs of theirs that are looked at each time."""
    frames: FrameSettings = field(default_factory=FrameSettings)
    """How pictures reach the training."""
    loop: LoopSettings = SMALL_LOOP
    """Minutes, batch, average and memory."""


def training_settings(size: Size, side: Side) -> Export3DTrainingSettings:
    """The settings of a training by the network's size: small and tiny for two processor cores, the others
    for graphics cards. ValueError for a size or side that there is no network for."""
    network = export3d_settings(size, side)
    if size in ("small", "tiny"):
        return Export3DTrainingSettings(
            network=network,
            contrast=ContrastSettings(
                side=64,
                width=16,
                from_front=True,
                beside=0.06,
                weight_decay=0.05,
                clips=4,
                learning_rate=1e-3,
                share=0.06,
            ),
            learning_rate=1e-3,
            looks_weight=2.0,
            eyes_and_mouth=5.0,
            face_weight=1.0,
            face_squares=10.0,
            face_pairs=16,
            face_rate=2e-3,
            critic_from=1.0,
            zoom=0.1,
            loop=replace(SMALL_LOOP, batch=2),
        )
    settings = Export3DTrainingSettings(network=network, loop=FULL_LOOP)
    if size == "full":
        return settings
    return replace(settings, eyes_and_mouth=5.0, face_weight=1.0, face_squares=10.0, face_pairs=16)
