"""What each measure means, in words for a person; shown beside the figures."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

_T: Callable[[str, str], str] = QT_TRANSLATE_NOOP  # type: ignore[assignment]
_MEANINGS = {
    "psnr": _T("measures", "How close the pixels are on average. 3 dB more means half the squared error."),
    "psnr_person": _T("measures", "The same, counting the person alone and not what is behind them."),
    "ssim": _T("measures", "Whether light, contrast and structure agree in small patches; 1 is equal."),
    "ms_ssim": _T("measures", "The same at several sizes, from fine detail to the whole face; 1 is equal."),
    "haarpsi": _T("measures", "How alike edges and textures look to the eye; 1 is equal."),
    "lpips": _T(
        "measures", "How different the pictures look to a trained network; close to what people say."
    ),
    "flmd": _T("measures", "How far the points of eyes, brows, nose, mouth and jaw are from the real ones."),
    "flmd_normalised": _T("measures", "The same as a share of the distance between the eyes."),
    "akd": _T("measures", "How far all points of the face mesh are from the real ones."),
    "akd_mouth": _T("measures", "How far the points of the mouth are from the real ones: lips and speech."),
    "aed": _T("measures", "How far the expression is from the real one."),
    "apd": _T("measures", "How far the pose of the head is from the real one: turn, nod, tilt and place."),
    "pose_degrees": _T("measures", "How many degrees the head is turned away from the real one."),
    "csim": _T("measures", "Whether a face recognition network takes it for the same person; 1 is surely."),
    "sharpness_difference": _T("measures", "How much the edges differ from the real ones, in levels of 255."),
    "sharpness_difference_db": _T("measures", "How well the edges agree with the real ones, in decibels."),
    "sharpness_ratio": _T("measures", "Below 1 it is softer than the real frame, above 1 it is harsher."),
    "jitter": _T(
        "measures", "Above 0 the face trembles more than in the real clip; below 0 it moves smoother."
    ),
    "flicker": _T("measures", "Above 0 it flickers more than the real clip from frame to frame."),
    "face_found": _T("measures", "In how many frames a face can be found at all; 1 is every frame."),
}
_SHORT = {
    "flmd_normalised": _T("measures", "F-LMD by eyes"),
    "sharpness_difference_db": _T("measures", "Sharpness in dB"),
}
"""Names that fit into a column, and of which no two are alike."""
_DIRECTIONS = {
    "higher": _T("measures", "More is better."),
    "lower": _T("measures", "Less is better."),
    "near zero": _T("measures", "The nearer to 0, the better."),
    "near one": _T("measures", "The nearer to 1, the better."),
}


def meaning(measure: str) -> str:
    """What a measure tells; nothing for one that this window does not know."""
    text = _MEANINGS.get(measure, "")
    return QCoreApplication.translate("measures", text) if text else ""


def short_title(measure: str, title: str) -> str:
    """A measure's name for a row of a table."""
    text = _SHORT.get(measure)
    return QCoreApplication.translate("measures", text) if text else title


def direction(better: str) -> str:
    """Which way is better, as a sentence."""
    text = _DIRECTIONS.get(better, "")
    return QCoreApplication.translate("measures", text) if text else ""
