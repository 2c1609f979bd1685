"""Video in and out: any phone clip to upright constant-rate frames, frames to exact-rate MP4 with sound."""

from __future__ import annotations

from studio.media.probe import ClipInfo, probe
from studio.media.reader import read_frames, read_selected

__all__ = ["ClipInfo", "probe", "read_frames", "read_selected"]
