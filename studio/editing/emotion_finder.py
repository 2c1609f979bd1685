"""From an emotion's handles to a direction that leaves the lips' gap alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from studio.domain.camera import Floats
from studio.domain.edits import Edit, ExpressionShift
from studio.domain.motion import EXPRESSIONS
from studio.editing.emotions import EMOTIONS, Emotion, EmotionWish
from studio.head import HeadModel, builtin_head
from studio.head.lips import lip_motion

if TYPE_CHECKING:  # torch
    from studio.editing.method import Workplace
    from studio.editing.person import LatentPerson

STRENGTH = 0.8
"""Of an emotion that is just added: seen at once, and no grimace."""


def find_emotion(person: LatentPerson | None, wish: EmotionWish, workplace: Workplace) -> Edit:
    """An edit of what the face expresses; see :class:`studio.editing.method.EditMethod`. Needs no person."""
    emotion = next(emotion for emotion in EMOTIONS if emotion.name == wish.emotion)
    direction = named_emotion(emotion.name).copy()
    return Edit(
        name=emotion.name,
        title=emotion.title,
        method="emotion",
        effect=ExpressionShift(direction, builtin_head().id, emotion.calm),
        strength=STRENGTH,
        suggested=(0.0, 1.0),
        limits=(0.0, 1.5),
        found={
            "emotion": emotion.name,
            "handles": dict(emotion.handles),
            "deviations": round(float(np.linalg.norm(direction[:EXPRESSIONS])), 2),
        },
    )


@cache
def named_emotion(name: str) -> Floats:
    """``[55]`` the direction of one of ``EMOTIONS``, of the built-in head. Not to be written to."""
    emotion = next(emotion for emotion in EMOTIONS if emotion.name == name)
    return emotion_direction(builtin_head(), emotion)


def emotion_direction(model: HeadModel, emotion: Emotion) -> Floats:
    """``[55]`` what an emotion adds to expression, jaw and eyelids at strength 1.

    The sum of its handles, less the likeliest movement that opens and closes the lips as that sum does: the
    lips of a smile part a little, and whoever speaks must not be heard to pause. The jaw takes no part at
    all.

    Args:
        model: a head whose vertices are MediaPipe's points.
        emotion: what to do.
    """
    total = np.zeros(EXPRESSIONS + 5, np.float32)
    for name, amount in emotion.handles:
        total += amount * model.handles[name].direction
    expression = total[:EXPRESSIONS]
    total[:EXPRESSIONS] = expression - lip_motion(model) @ expression
    total[EXPRESSIONS : EXPRESSIONS + 3] = 0.0
    return total
