"""Makes the evaluation's test clip once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.judged_clip import write_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("judged") / "clip.mp4")
