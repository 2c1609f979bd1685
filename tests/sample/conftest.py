"""One small sample clip for all tests of this folder, rendered once a session and worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.make_sample import SampleSettings, SampleTruth, make_sample

SETTINGS = SampleSettings(size=400, seconds=12.0)


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> tuple[Path, SampleTruth]:
    clip = tmp_path_factory.mktemp("sample") / "sample.mp4"
    return clip, make_sample(clip, SETTINGS)
