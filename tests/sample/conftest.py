"""One small sample clip for all tests of this folder, rendered and tracked once a session and worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.make_sample import SampleSettings, SampleTruth, make_sample
from pipelines.track_video import track_video
from studio.domain.sequence import TrackedSequence

SETTINGS = SampleSettings(size=400, seconds=12.0)


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> tuple[Path, SampleTruth]:
    clip = tmp_path_factory.mktemp("sample") / "sample.mp4"
    return clip, make_sample(clip, SETTINGS)


@pytest.fixture(scope="session")
def tracked_folder(sample, tmp_path_factory) -> tuple[Path, TrackedSequence]:
    clip, _ = sample
    folder = tmp_path_factory.mktemp("tracked") / "sequence"
    return folder, track_video(clip, folder)


@pytest.fixture(scope="session")
def tracked(tracked_folder) -> TrackedSequence:
    return tracked_folder[1]
