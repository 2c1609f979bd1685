"""What can be chosen about tracking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt


@dataclass(frozen=True)
class TrackSettings:
    """How a clip is tracked."""

    person: str = "auto"
    """Whom to follow: auto for the largest, most central and most often seen person, or 0, 1, 2… in order of
    appearance, from left to right."""
    smoothing: Annotated[float, Ge(0)] = 1.0
    """How much the landmarks' tremble is smoothed away, in frames at 30 frames per second; 0 turns it off.
    Blinks and lips keep their speed."""
    max_faces: Annotated[int, Ge(1)] = 4
    """How many faces are looked for at once."""
    fewest_frames: Annotated[int, Ge(1)] = 10
    """With fewer frames that show the person, the clip is refused."""
    small_face: int = 64
    """Faces lower than this many pixels are flagged as too small."""
    blur: Annotated[float, Gt(0)] = 0.35
    """Frames with less than this share of the usual sharpness are flagged as blurred."""
    covered: float = 0.2
    """Frames in which more than this share of the visible skin has an unusual colour are flagged as
    covered."""
    look_for_hands: bool = True
    """Flag frames in which a hand covers part of the face."""
    start: Annotated[float, Ge(0)] = field(default=0.0, metadata={"absent": 0.0})
    """Second of the clip from which on it is used; what comes before is left out."""
    end: Annotated[float, Gt(0)] | None = field(default=None, metadata={"absent": None})
    """Second of the clip up to which it is used; None for its end."""
    landmarker: str = ""
    """MediaPipe's face_landmarker.task file, which adds 52 blendshape scores; empty for the built-in mesh."""
    flame: str = ""
    """FLAME's generic_model.pkl, whose coefficients are fitted instead of the built-in head model's, with
    mediapipe_landmark_embedding.npz beside it; empty for the built-in model. Engines say which they need."""
