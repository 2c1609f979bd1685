"""Every way to find edits there is, also those that cannot be used here. Listing them loads no torch."""

from __future__ import annotations

from studio.editing.method import MethodSpec
from studio.editing.shapes import SPEC as SHAPE

METHODS: dict[str, MethodSpec] = {spec.id: spec for spec in (SHAPE,)}
"""Method id to its entry, in the order in which they are offered."""
