"""How the tests are spread over the workers of pytest-xdist.

What takes longest begins first: begun last, it would keep one worker busy when the others have nothing left.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

WHOLE = ("tests/sample/",)
"""Folders that one worker takes whole, because most of their time makes what all their files look at."""
LONGEST = (
    "tests/ui/test_story.py",
    "tests/sample/",
    "tests/ui/test_compare.py",
    "tests/cli/test_photos.py",
    "tests/training/test_make_prior.py",
    "tests/ui/test_edits_panel.py",
    "tests/engines/tri2plane/test_processor_rays.py",
    "tests/warping/test_reshape.py",
    "tests/ui/test_train.py",
    "tests/cli/test_animate.py",
    "tests/warping/test_recolour_twin.py",
    "tests/ui/test_capture.py",
    "tests/cli/test_edit.py",
    "tests/training/test_loop.py",
    "tests/prepare/test_prepare.py",
    "tests/editing/test_bake_edits.py",
    "tests/ui/test_photos.py",
    "tests/editing/test_bake_volume.py",
    "tests/training/test_train_tri2plane.py",
    "tests/ui/test_perform.py",
    "tests/cli/test_edit_latent.py",
    "tests/cli/test_commands.py",
    "tests/cli/test_building_tri2plane.py",
    "tests/ui/test_export_story.py",
    "tests/ui/test_story_pictures.py",
    "tests/ui/test_perform_bench.py",
)
"""Units of work in the order in which they begin; all others follow."""


def unit(name: str) -> str:
    """What a worker takes at once of which this test is a part: its file, or a whole folder.

    Args:
        name: the test's, relative to the root.
    """
    return next((folder for folder in WHOLE if name.startswith(folder)), name.split("::", 1)[0])


def longest_first(items: list[pytest.Item]) -> None:
    """Put the tests of the longest units first; apart from that their order stays."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(unit(item.nodeid), len(place)))


class ByUnit(LoadFileScheduling):  # type: ignore[misc]
    """As ``--dist loadfile``, but by :func:`unit`."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
