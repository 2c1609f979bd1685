"""Video in and out: any phone clip to upright constant-rate frames, frames to exact-rate files with sound."""

from __future__ import annotations

from studio.media.codecs import CODECS, Alpha, Codec, CodecId, Quality
from studio.media.output import Output, open_output, refuse_name
from studio.media.probe import ClipInfo, probe
from studio.media.reader import read_frames, read_selected
from studio.media.writer import VideoWriter

__all__ = [
    "CODECS",
    "Alpha",
    "ClipInfo",
    "Codec",
    "CodecId",
    "Output",
    "Quality",
    "VideoWriter",
    "open_output",
    "probe",
    "read_frames",
    "read_selected",
    "refuse_name",
]
