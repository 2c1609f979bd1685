"""Video in and out: any phone clip to upright constant-rate frames, frames to exact-rate MP4 with sound."""

from __future__ import annotations

from studio.media.codecs import CODECS, Codec, Quality
from studio.media.probe import ClipInfo, probe
from studio.media.reader import read_frames, read_selected
from studio.media.writer import VideoWriter

__all__ = [
    "CODECS",
    "ClipInfo",
    "Codec",
    "Quality",
    "VideoWriter",
    "probe",
    "read_frames",
    "read_selected",
]
