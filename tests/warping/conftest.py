"""Fixtures of the warping tests."""

from __future__ import annotations

import pytest

from studio.warping.mesh import PersonMesh
from tests.warping.average_person import average_person


@pytest.fixture(scope="session")
def mesh() -> PersonMesh:
    """A person of average shape."""
    return average_person()
