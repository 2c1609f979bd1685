"""Emotions change faces as they should, and whoever speaks goes on speaking."""

from __future__ import annotations

import numpy as np
import pytest

from studio.assets import AssetLibrary
from studio.domain.edits import EditStack, ExpressionShift
from studio.domain.motion import HeadMotion
from studio.domain.progress import silent
from studio.editing.catalog import METHODS
from studio.editing.emotion_finder import find_emotion, named_emotion
from studio.editing.emotions import EMOTIONS, EmotionWish
from studio.editing.method import Workplace
from studio.head.builtin import builtin_head
from studio.head.expressing import expressing
from studio.head.topology import INNER_LOWER_LIP, INNER_UPPER_LIP
from studio.project.edit_files import load_edits, save_edits

NAMES = [emotion.name for emotion in EMOTIONS]
KEPT = 0.5
"""Millimetres by which an emotion at full strength may change how far lips are apart, at any moment."""


def speaking(frames: int = 120) -> HeadMotion:
    """Somebody who talks with jaw and lips, smiles and blinks."""
    model = builtin_head()
    t = np.arange(frames)
    motion = HeadMotion.neutral(frames, np.array([1000.0, 0.0, 0.0]))
    motion.jaw[:, 0] = 0.12 * (0.5 + 0.5 * np.sin(t / 3))
    for name, amount in (
        ("mouth_open", 0.5 + 0.5 * np.sin(t / 4)),
        ("pucker", np.clip(np.sin(t / 7), 0, 1)),
        ("smile", 0.4 * np.clip(np.sin(t / 31), 0, 1)),
        ("brow_raise", 0.3 * np.sin(t / 11)),
    ):
        motion.expression[:] += np.outer(amount, model.handles[name].expression)
    motion.eyelids[:] = (np.abs(t % 40 - 20) < 2)[:, None]
    return motion


def apart(motion: HeadMotion) -> np.ndarray:
    """``[T, 9]`` millimetres between the lips."""
    model = builtin_head()
    shape = model.vertices(np.zeros(model.identities), np.zeros_like(model.template), motion)
    return 1e3 * np.linalg.norm(shape[:, INNER_UPPER_LIP] - shape[:, INNER_LOWER_LIP], axis=-1)


def shifted(motion: HeadMotion, name: str, strength: float = 1.0) -> HeadMotion:
    emotion = next(one for one in EMOTIONS if one.name == name)
    shift = ExpressionShift(named_emotion(name), builtin_head().id, emotion.calm)
    return expressing(builtin_head(), motion, (shift,), np.array([strength], np.float32))


@pytest.mark.parametrize("name", NAMES)
def test_lips_are_as_far_apart_as_they_were_at_every_moment(name: str) -> None:
    own = apart(speaking())
    assert np.ptp(own[:, 4]) > 10.0  # they do talk
    changed = np.abs(apart(shifted(speaking(), name)) - own)
    assert changed.max() < KEPT
    # The jaw, which is heard, is untouched.
    assert np.array_equal(shifted(speaking(), name).jaw, speaking().jaw)


def test_the_bound_would_be_broken_without_keeping_the_lips() -> None:
    smile = builtin_head().handles["smile"]
    loud = smile.apply(speaking(), 1.15)
    assert np.abs(apart(loud) - apart(speaking())).max() > 4 * KEPT


def face(name: str, strength: float = 1.0) -> np.ndarray:
    """``[V, 3]`` millimetres that a resting face moves."""
    model = builtin_head()
    rest = HeadMotion.neutral(1, np.ones(3))
    neutral = (np.zeros(model.identities), np.zeros_like(model.template))
    return 1e3 * (model.vertices(*neutral, shifted(rest, name, strength)) - model.vertices(*neutral, rest))[0]


def test_every_emotion_looks_like_itself() -> None:
    corners, inner, outer, lids = [61, 291], [107, 336], [70, 300], [159, 386]
    assert face("happy")[corners, 1].min() > 2.5
    assert face("happy")[291, 0] > 2.5
    assert face("sad")[corners, 1].max() < -2.0
    assert face("sad")[inner, 1].min() > 2.0
    assert face("sad")[inner, 1].min() > face("sad")[outer, 1].max() + 2.0
    assert face("angry")[inner, 1].max() < -3.0
    assert face("surprised")[[*inner, *outer], 1].min() > 3.0
    assert face("surprised")[lids, 1].min() > 1.0
    assert face("afraid")[inner, 1].min() > 4.0
    assert face("afraid")[291, 0] > 2.0
    assert face("disgusted")[0, 1] > 1.0
    assert face("disgusted")[inner, 1].max() < -1.5
    assert np.abs(face("neutral")).max() == 0.0
    half = face("happy", 0.5)
    assert np.abs(half - 0.5 * face("happy")).max() < 0.15
    # Both sides of the face alike.
    for name in NAMES:
        assert np.abs(face(name)[61] * (-1, 1, 1) - face(name)[291]).max() < 0.25


def test_neutral_takes_the_expression_away_and_leaves_speech() -> None:
    model, own = builtin_head(), speaking()
    calm = shifted(own, "neutral")
    brows = 1e3 * np.tensordot(own.expression, model.expression_basis[:, [105, 334], 1], 1)
    left = 1e3 * np.tensordot(calm.expression, model.expression_basis[:, [105, 334], 1], 1)
    assert np.abs(brows).max() > 1.0
    assert np.abs(left).max() < 0.3
    assert np.abs(apart(calm) - apart(own)).max() < KEPT


def test_a_blink_stays_one() -> None:
    wide = shifted(speaking(), "surprised")
    closed = speaking().eyelids[:, 0] == 1.0
    assert closed.any()
    assert (wide.eyelids[closed] == 1.0).all()
    shift = ExpressionShift(np.r_[np.zeros(53), -0.4, -0.4].astype(np.float32), "builtin", 0.0)
    opened = expressing(builtin_head(), speaking(), (shift,), np.ones(1, np.float32))
    assert (opened.eyelids[closed] == 1.0).all()
    assert np.allclose(opened.eyelids[~closed], -0.4)


def test_nothing_asked_is_nothing_done() -> None:
    own = speaking()
    assert shifted(own, "angry", 0.0) is own


def test_it_is_found_stored_and_read(tmp_path) -> None:
    workplace = Workplace(AssetLibrary(tmp_path), tmp_path, silent)
    edit = METHODS["emotion"].find(None, EmotionWish("sad"), workplace)
    assert edit == find_emotion(None, EmotionWish("sad"), workplace)
    assert (edit.name, edit.space, edit.control.low) == ("sad", "expression", 0.0)
    save_edits(tmp_path, EditStack((edit,)))
    (back,) = load_edits(tmp_path).edits
    assert back == edit
    assert isinstance(back.effect, ExpressionShift)
    assert back.effect.calm == 0.5


@pytest.mark.parametrize(("size", "calm"), [(54, 0.0), (55, 1.5), (55, -0.1)])
def test_what_cannot_be_is_refused(size: int, calm: float) -> None:
    with pytest.raises(ValueError, match="ExpressionShift"):
        ExpressionShift(np.zeros(size, np.float32), "builtin", calm)
