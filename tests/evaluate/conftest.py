"""Makes the evaluation's test clip once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from judged_clip import write_clip

    return write_clip(tmp_path_factory.mktemp("judged") / "clip.mp4")
