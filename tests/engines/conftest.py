"""Fixtures of the engines' tests."""

from __future__ import annotations

import pytest

from studio.engines.instant.mesh import InstantMesh
from tests.engines.instant_person import average_person


@pytest.fixture(scope="session")
def mesh() -> InstantMesh:
    """A person of average shape."""
    return average_person()
