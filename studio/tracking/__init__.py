"""From pictures to one person's landmarks, crops, masks and quality."""

from __future__ import annotations

from studio.tracking.landmarker_tracker import LandmarkerTracker
from studio.tracking.mediapipe_tracker import MediapipeTracker
from studio.tracking.quality import report
from studio.tracking.settings import TrackSettings
from studio.tracking.tracker import Face, Tracker

__all__ = ["Face", "LandmarkerTracker", "MediapipeTracker", "TrackSettings", "Tracker", "report"]
