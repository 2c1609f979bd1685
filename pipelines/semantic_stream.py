"""What has to be sent of a frame so that a semantic avatar can be driven far away, and how many bytes that
is.

Two kinds of stream. *keypoints* is the paper's: some keypoints and some of the code. *head* sends what
both are
made of instead: pose, eyelids, gaze and some of the code; the receiver, who has the head model and the
person in the picture, makes all keypoints, and with them the whole face, by itself.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from studio.domain.camera import Floats
from studio.domain.motion import HeadMotion
from studio.engines.semantic.keypoints import VERTICES, semantic_code
from studio.engines.semantic.settings import CODE, JAW
from studio.head import HeadModel

HEAD = 10
"""Numbers of a head's pose (three angles, scale, two places), eyelids and gaze."""
BYTES = 2
"""Of a number: a 16-bit float."""


@dataclass(frozen=True)
class Sent:
    """How much of what drives a frame reaches whoever draws it."""

    carries: Literal["keypoints", "head"] = "head"
    """What kind of stream."""
    keypoints: int = len(VERTICES)
    """Keypoints, the most important first; a head stream has none."""
    code: int = CODE
    """Numbers of the semantic code: the jaw's three, then expression from its first on."""

    @property
    def numbers(self) -> int:
        """Numbers a frame."""
        return self.code + (3 * self.keypoints if self.carries == "keypoints" else HEAD)

    @property
    def bytes(self) -> int:
        """Bytes a frame, as 16-bit floats and nothing else done."""
        return BYTES * self.numbers


def received(motion: HeadMotion, sent: Sent) -> HeadMotion:
    """The motion that a *head* stream's receiver knows: rounded to 16 bits, what was not sent being
    neutral."""
    jaw, expression = min(sent.code, JAW), max(0, sent.code - JAW)
    rounded = {
        name: getattr(motion, name).astype(np.float16).astype(np.float32)
        for name in ("expression", "jaw", "eyelids", "gaze", "angles", "camera")
    }
    rounded["jaw"][:, jaw:] = 0.0
    rounded["expression"][:, expression:] = 0.0
    return replace(motion, **rounded)


def stream(motion: HeadMotion, keypoints: Floats, sent: Sent, model: HeadModel) -> np.ndarray:
    """All numbers of a clip's T frames, in the order sent: ``[T, sent.numbers]`` 16-bit floats.

    Args:
        motion: consecutive frames.
        keypoints: ``[T, >= sent.keypoints, 3]`` of the same frames; a head stream does not look at them.
        sent: which of them.
        model: whose deviations scale the code.
    """
    code = semantic_code(motion, model)
    code = np.concatenate([code[:, CODE - JAW :], code[:, : CODE - JAW]], 1)[:, : sent.code]
    if sent.carries == "keypoints":
        first = keypoints[:, : sent.keypoints].reshape(len(keypoints), -1)
    else:
        first = np.concatenate([motion.angles, motion.camera, motion.eyelids, motion.gaze], 1)
    return np.concatenate([first, code], 1).astype(np.float16)


def coded_bytes(numbers: np.ndarray) -> float:
    """Bytes a frame of a stream ``[T, N]`` of 16-bit floats with entropy coding, without loss.

    Each number's bit pattern less that of the frame before, high and low bytes apart, deflated as a whole.
    """
    if not numbers.size:
        return 0.0
    patterns = np.ascontiguousarray(numbers).view(np.uint16)
    steps = np.diff(patterns, axis=0, prepend=np.zeros_like(patterns[:1]))
    # As signed and then folded (0, -1, 1, -2 …): small steps in either direction have a high byte of 0.
    signed = steps.view(np.int16).astype(np.int32)
    folded = np.where(signed < 0, -2 * signed - 1, 2 * signed).astype(np.uint16).T
    planes = (folded >> 8).astype(np.uint8).tobytes() + (folded & 255).astype(np.uint8).tobytes()
    return len(zlib.compress(planes, 9)) / len(numbers)
