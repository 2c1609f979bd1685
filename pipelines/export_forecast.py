"""How long an export will take and how large it will be, from what was measured here and elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from pipelines.export_job import Export
from pipelines.export_settings import ExportSettings
from studio.media.codecs import CODECS, CodecId

_WRITING: dict[CodecId, float] = {"h264": 6.0, "hevc": 16.0, "prores": 6.0, "vp9": 26.0, "png": 20.0}
"""Milliseconds of one processor core for a frame of 512 x 512, at good quality."""
_ALPHA = 60.0
"""The same for taking the background away."""
_STARTING = 4.0
"""Seconds until a worker renders its first frame."""
_PIXELS = 512 * 512
_FIXED = 0.3
"""Share of rendering a 512 x 512 frame that does not grow with the picture."""


@dataclass(frozen=True)
class ExportForecast:
    """What an export takes."""

    frames: int
    """Pictures."""
    length: float
    """Seconds that it plays."""
    seconds: float | None
    """Time to render and write; None while nothing is known of rendering."""
    size_bytes: float
    """On the disk."""


def forecast_export(
    frames: int,
    rate: Fraction,
    settings: ExportSettings,
    rendering: tuple[float, int] | None = None,
    before: Iterable[Export] = (),
    engine: str = "",
) -> ExportForecast:
    """Forecast one export.

    Args:
        frames: how many will be written.
        rate: at which rate.
        settings: how.
        rendering: milliseconds that a frame took to render, and how many pixels it had.
        before: exports that were made; the last finished one of the same codec and avatar kind is the best
            witness.
        engine: which kind of avatar.
    """
    length = float(frames / rate)
    pixels = settings.size**2
    codec = CODECS[settings.codec]
    quality = codec.qualities[settings.quality]
    seconds = None
    witness = _witness(before, settings, engine)
    if witness is not None:
        a_frame, side = witness
        seconds = _STARTING + frames * a_frame * _growth(pixels, side**2)
    elif rendering is not None:
        milliseconds, seen = rendering
        writing = _WRITING[settings.codec] + (_ALPHA if settings.alpha != "none" else 0.0)
        a_frame = milliseconds * _growth(pixels, seen) + writing * pixels / _PIXELS
        seconds = _STARTING + frames * a_frame / 1000.0
    picture = frames * pixels * quality.bits_per_pixel / 8
    if settings.alpha != "none" and settings.codec != "vp9":
        picture *= 1.15
    sound = length * _sound_kbit(settings) * 125 if settings.sound else 0.0
    return ExportForecast(frames, length, seconds, picture + sound)


def _sound_kbit(settings: ExportSettings) -> float:
    codec = CODECS[settings.codec]
    return codec.qualities[settings.quality].sound_kbit or 1536.0


def _growth(pixels: int, seen: int) -> float:
    """How much longer a picture of so many pixels takes than one of another size."""
    return (_FIXED * _PIXELS + pixels) / (_FIXED * _PIXELS + seen)


def _witness(before: Iterable[Export], settings: ExportSettings, engine: str) -> tuple[float, int] | None:
    """Seconds for a frame and its side, of the last export that was like this one."""
    for export in reversed([*before]):
        made, receipt = export.settings.export, export.receipt
        alike = made.codec == settings.codec and (made.alpha == "none") == (settings.alpha == "none")
        if receipt is not None and receipt.frames >= 10 and alike and export.engine == engine:
            return receipt.seconds / receipt.frames, made.size
    return None
