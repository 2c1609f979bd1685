"""Emotions by name: which of the head model's handles make each, as data.

The choice follows what the facial action coding system says of the basic emotions (Ekman, Friesen and Hager
2002), as far as MediaPipe's points see it: a wrinkled nose they do not. Everything is coefficients, so an
emotion works with every engine, without any weights. What opens or closes the lips is left out of all of them
(:mod:`studio.editing.emotion_finder`): that is for whoever speaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.editing.method import MethodSpec


@dataclass(frozen=True)
class Emotion:
    """What one emotion does at strength 1."""

    name: str
    """Stable identifier; what its edit is called."""
    title: str
    """What a person reads."""
    handles: tuple[tuple[str, float], ...]
    """Handles of the head model (``studio.head.handle_shapes``) and how much of each."""
    calm: float = 0.5
    """Share of the face's own expression that is taken away at strength 1, so that a driver's smile does not
    laugh through anger."""


EMOTIONS = (
    Emotion("happy", "Happy", (("smile", 1.15), ("squint", 0.5), ("brow_raise_outer", 0.15))),
    Emotion("sad", "Sad", (("brow_raise_inner", 1.0), ("frown", 1.1), ("squint", 0.3), ("brow_lower", 0.2))),
    Emotion("angry", "Angry", (("brow_lower", 1.1), ("lip_press", 0.6), ("squint", 0.4), ("frown", 0.5))),
    Emotion("surprised", "Surprised", (("brow_raise", 1.2), ("eyes_wide", 1.2), ("mouth_wide", -0.3))),
    Emotion(
        "disgusted",
        "Disgusted",
        (("upper_lip_raise", 1.0), ("squint", 0.8), ("brow_lower", 0.7), ("frown", 0.5)),
    ),
    Emotion(
        "afraid",
        "Afraid",
        (
            ("brow_raise_inner", 1.0),
            ("brow_raise", 0.5),
            ("eyes_wide", 1.1),
            ("mouth_wide", 0.6),
            ("frown", 0.5),
        ),
    ),
    Emotion("neutral", "Neutral", (), 1.0),
)
"""All emotions."""
EmotionName = Literal["happy", "sad", "angry", "surprised", "disgusted", "afraid", "neutral"]
"""What can be wished for."""


@dataclass(frozen=True)
class EmotionWish:
    """Which emotion the face should show."""

    emotion: EmotionName = "happy"
    """The emotion. neutral takes away what the face expresses, but for what the lips do to speak."""


SPEC = MethodSpec(
    id="emotion",
    title="Emotion",
    summary=(
        "What the face expresses is shifted towards an emotion, whoever drives it; the lips go on speaking. "
        "Works at once with every avatar; understands no text."
    ),
    spaces=("expression",),
    generator=False,
    finder="studio.editing.emotion_finder:find_emotion",
    wish="studio.editing.emotions:EmotionWish",
    missing=lambda assets: None,
)
