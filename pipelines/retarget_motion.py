"""One person's motion made fit for another person's avatar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np

from studio.domain.camera import Floats
from studio.domain.controls import ControlTrack, track_from_motion
from studio.domain.motion import HeadMotion
from studio.head.sheet import PICTURE_GROWTH, PICTURE_TRAVEL, PICTURE_TURNS

STILL = {"expression": 0.15, "jaw": 0.01}
"""Standard deviation below which a driver's channel counts as unmoved, in the channel's own unit; less would
blow its noise up to the avatar's own liveliness."""
STRETCH = 2.5
"""Most that renormalisation may enlarge a driver's channel, and one over it the least."""


WINK = (0.5, 0.8)
"""Difference of the two lids' closing from which they may part, and from which each goes its own way."""
EXPRESSION_ROOM = 0.75
"""How far beyond the avatar's own range an expression coefficient may ease, in its standard deviations."""


@dataclass(frozen=True)
class RetargetSettings:
    """How a driver's motion is put onto an avatar."""

    normalise: bool = True
    """Give expression and jaw the avatar's own mean and spread (PVP); off copies coefficients as they are."""
    pose: Literal["relative", "absolute", "rest"] = "relative"
    """relative: turns are counted from how each person usually holds the head; absolute: the driver's own
    angles; rest: the head keeps still."""
    expression_space: Literal["head", "clebs"] = "head"
    """head: the driver's expression as the head model has it; clebs: as far as an Export3D base model's
    coefficients tell it, which were taught not to tell who it is, on the mean of whom it has learnt from."""
    space_model: str = ""
    """Whose coefficients clebs are: an Export3D base model of the home, or the beginning of its name; the
    newest that fits where none is named."""
    expression: float = 1.0
    """Strength of expression; 0 is the avatar's usual face, above 1 exaggerates."""
    jaw: float = 1.0
    """Strength of the jaw's movement."""
    eyes: float = 1.0
    """Strength of blinks and gaze."""
    turn: float = 1.0
    """Strength of yaw, pitch and roll."""
    travel: float = 1.0
    """Strength of the head's movement across the picture and of its size."""
    beyond: float = 10.0
    """Degrees that yaw, pitch and roll may go beyond what the avatar's clip showed before they ease to a
    stop; travel, jaw and expression are eased in the same proportion."""


def retarget_motion(
    driver: HeadMotion,
    driver_rate: Fraction,
    source: HeadMotion,
    rest_camera: Floats,
    settings: RetargetSettings,
    manner: HeadMotion | None = None,
    carry: Callable[[HeadMotion], HeadMotion] | None = None,
) -> ControlTrack:
    """Map a driver's motion to controls of an avatar.

    Args:
        driver: T frames of the driving person (frames without a face hold interpolated values).
        driver_rate: the driving clip's frame rate; the track keeps it.
        source: the frames that the avatar learnt from, whose statistics are its own manner. One frame
            alone, a picture, has no manner: expression, jaw, lids and gaze are then the driver's as they are.
        rest_camera: ``[3]`` the avatar's rest camera.
        settings: see :class:`RetargetSettings`.
        manner: the frames that the driver's statistics come from, normally the good ones; all when None.
        carry: through the space that ``settings.expression_space`` names, there and back, when it is not the
            head model's own: see :func:`pipelines.expression_spaces.carrier`.

    Returns:
        A track of T states. Expression and jaw follow ``(x - mean_driver) / std_driver * std_source +
        mean_source`` (PVP, section 5), with strengths scaling the distance from the source's mean. Driver and
        source being the same person and frames, with default settings, the motion comes back unchanged inside
        the clip's own range.
    """
    if (carry is None) != (settings.expression_space == "head"):
        raise ValueError(f"expression space {settings.expression_space!r} and carry do not go together")
    manner = driver if manner is None else manner
    if carry is not None:  # before anything is compared: the driver's own manner is what that space leaves
        driver, manner = carry(driver), carry(manner)
    driver_rest = np.median(manner.camera, axis=0)
    picture = len(source) == 1
    if picture:  # whose smile, if it has one, is no manner of smiling always
        expression = settings.expression * driver.expression
        jaw = settings.jaw * driver.jaw
        lids, gaze = np.zeros((1, 2), np.float32), np.zeros(2, np.float32)
    else:
        expression = _renormalised(
            driver.expression, manner.expression, source.expression, "expression", settings
        )
        jaw = _renormalised(driver.jaw, manner.jaw, source.jaw, "jaw", settings)
        lids, gaze = source.eyelids, np.median(source.gaze, axis=0)
    own = np.median(source.angles, axis=0)
    usual = {"relative": np.median(manner.angles, axis=0), "absolute": own, "rest": driver.angles}[
        settings.pose
    ]
    angles = own + settings.turn * (driver.angles - usual)
    # In metres at the driver's own distance, so that both heads travel alike whatever the frames' sizes.
    shift = (driver.camera[:, 1:] - driver_rest[1:]) / driver_rest[0]
    growth = driver.camera[:, :1] / driver_rest[0]
    centre = rest_camera[1:] + settings.travel * shift * rest_camera[0]
    scale = rest_camera[0] * growth**settings.travel
    moved = HeadMotion(
        expression=expression,
        jaw=jaw,
        eyelids=_eyelids(driver, manner.eyelids, lids, settings.eyes),
        gaze=gaze + settings.eyes * (driver.gaze - np.median(manner.gaze, axis=0)).astype(np.float32),
        angles=angles.astype(np.float32),
        camera=np.concatenate([scale, centre], 1).astype(np.float32),
    )
    eased = (_eased_around_picture if picture else _eased)(moved, source, settings.beyond)
    return track_from_motion(eased, rest_camera, driver_rate)


def _renormalised(
    driver: Floats,
    manner: Floats,
    source: Floats,
    channel: Literal["expression", "jaw"],
    settings: RetargetSettings,
) -> Floats:
    strength = getattr(settings, channel)
    mean = source.mean(0)
    if not settings.normalise:
        return np.asarray(mean + strength * (driver - mean), np.float32)
    floor = STILL[channel]
    ratio = np.maximum(source.std(0), floor) / np.maximum(manner.std(0), floor)
    ratio = np.clip(ratio, 1.0 / STRETCH, STRETCH)
    return np.asarray(mean + strength * (driver - manner.mean(0)) * ratio, np.float32)


def _eyelids(driver: HeadMotion, manner: Floats, source: Floats, strength: float) -> Floats:
    """Open is each person's own usual opening, closed is closed for both: a blink stays a blink.

    Lids come down together. On a turned head the far eye is seen badly, so both follow the eye that is seen
    better, unless they differ so much that it must be a wink.
    """
    driver_open = np.minimum(np.median(manner, axis=0), 0.6)
    source_open = np.minimum(np.median(source, axis=0), 0.6)
    closing = (driver.eyelids - driver_open) / (1.0 - driver_open)
    left = np.clip(0.5 + driver.angles[:, :1] / 30.0, 0.1, 0.9)
    together = left * closing[:, :1] + (1.0 - left) * closing[:, 1:]
    apart = np.abs(closing[:, :1] - closing[:, 1:])
    wink = np.clip((apart - WINK[0]) / (WINK[1] - WINK[0]), 0.0, 1.0)
    closing = together + wink * (closing - together)
    return np.asarray(source_open + strength * closing * (1.0 - source_open), np.float32)


def _eased_around_picture(motion: HeadMotion, source: HeadMotion, beyond: float) -> HeadMotion:
    """As if the picture had shown what one usually carries. Its expression says nothing about how far the
    face can go, so expression and jaw are left alone."""
    share = beyond / 10.0
    at, metre = source.camera[0], float(source.camera[0, 0])
    turns = np.array(PICTURE_TURNS, np.float32)
    travel = np.array([PICTURE_GROWTH * metre, *(PICTURE_TRAVEL * metre,) * 2], np.float32)
    room = np.array([0.1 * metre, 0.03 * metre, 0.03 * metre], np.float32) * share
    return replace(
        motion,
        angles=_ease(motion.angles, source.angles[0] - turns, source.angles[0] + turns, beyond),
        camera=_ease(motion.camera, at - travel, at + travel, room),
    )


def _ease(values: Floats, low: Floats, high: Floats, room: float | Floats) -> Floats:
    over = np.maximum(values - high, 0.0) - np.maximum(low - values, 0.0)
    return np.asarray(values - over + room * np.tanh(over / np.maximum(room, 1e-6)), np.float32)


def _eased(motion: HeadMotion, source: HeadMotion, beyond: float) -> HeadMotion:
    def ease(values: Floats, shown: Floats, room: float | Floats) -> Floats:
        low, high = np.percentile(shown, [0.5, 99.5], axis=0)
        return _ease(values, low, high, room)

    share = beyond / 10.0
    metre = float(np.median(source.camera[:, 0]))
    room = np.array([0.1 * metre, 0.03 * metre, 0.03 * metre]) * share
    camera = np.stack([ease(motion.camera[:, i], source.camera[:, i], room[i]) for i in range(3)], 1)
    room_of_expression = share * (0.1 + EXPRESSION_ROOM * source.expression.std(0))
    return replace(
        motion,
        expression=ease(motion.expression, source.expression, room_of_expression),
        angles=ease(motion.angles, source.angles, beyond),
        jaw=ease(motion.jaw, source.jaw, 0.06 * share),
        camera=camera,
    )
