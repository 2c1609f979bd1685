"""Settings of the semantic prior's training on people. They import no torch: the command line reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Interval

from pipelines.frame_settings import FrameSettings
from pipelines.people_loops import BY_STEPS, BY_THE_CLOCK
from pipelines.training.settings import LoopSettings
from studio.engines.semantic.settings import SemanticSettings, Side, Size, semantic_settings


@dataclass(frozen=True)
class SemanticTrainingSettings:
    """How a semantic network is trained on people."""

    network: SemanticSettings = field(default_factory=lambda: semantic_settings("small", 128))
    """How large the network is and which of its parts are on."""
    learning_rate: Annotated[float, Gt(0)] = 2e-4
    """Adam's, at its height (paper: 2e-4); β are 0.5 and 0.999."""
    perceptual_weight: Annotated[float, Ge(0)] = 10.0
    """Weight of how different pictures look."""
    eyes_and_mouth: Annotated[float, Ge(0)] = 0.0
    """Weight of an absolute difference around the keypoints in addition, where faces are read. Paper: 0."""
    warped_weight: Annotated[float, Ge(0)] = 0.0
    """Weight of the same differences for the warped source picture alone, so that the flow is learnt before
    the painting is. Needs `network.paint_over`. Paper: 0."""
    own_keypoints_weight: Annotated[float, Ge(0)] = 10.0
    """Weight of what keypoints are taught that the network finds by itself: to stick to the picture and to
    keep apart. Without effect on the head model's."""
    critic_weight: Annotated[float, Ge(0)] = 1.0
    """Weight of the discriminator's verdict; 0: there is none."""
    features_weight: Annotated[float, Ge(0)] = 10.0
    """Weight of matching the discriminator's features."""
    critic_from: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Share of the budget after which the discriminator takes part; 1: never."""
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
    loop: LoopSettings = BY_THE_CLOCK
    """Minutes, batch, average and memory."""


def training_settings(size: Size, side: Side) -> SemanticTrainingSettings:
    """The settings of a training by the network's size: small and tiny for two processor cores, the others
    for graphics cards. ValueError for a size or side that there is no network for."""
    network = semantic_settings(size, side)
    if size in ("small", "tiny"):
        return SemanticTrainingSettings(
            network=network,
            learning_rate=1e-3,
            eyes_and_mouth=5.0,
            warped_weight=2.0,
            critic_from=1.0,
            zoom=0.1,
        )
    return SemanticTrainingSettings(network=network, loop=BY_STEPS)
