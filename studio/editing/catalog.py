"""Every way to find edits there is, also those that cannot be used here. Listing them loads no torch."""

from __future__ import annotations

from studio.editing.colours import RECOLOUR, RELIGHT
from studio.editing.direction_files import SPEC as DIRECTION_FILE
from studio.editing.emotions import SPEC as EMOTION
from studio.editing.ganspace import SPEC as GANSPACE
from studio.editing.interfacegan import SPEC as INTERFACEGAN
from studio.editing.method import MethodSpec
from studio.editing.shapes import SPEC as SHAPE
from studio.editing.styleclip_methods import SPECS as STYLECLIP

_LISTED = (SHAPE, EMOTION, RECOLOUR, RELIGHT, *STYLECLIP, INTERFACEGAN, GANSPACE, DIRECTION_FILE)
METHODS: dict[str, MethodSpec] = {spec.id: spec for spec in _LISTED}
"""Method id to its entry, in the order in which they are offered."""
