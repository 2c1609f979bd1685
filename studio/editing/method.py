"""What a way to find edits is: one entry of the catalog and, once loaded, a function."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from studio.assets import AssetLibrary
from studio.domain.camera import Floats
from studio.domain.edits import Edit, EditStack, Space
from studio.domain.progress import Progress
from studio.domain.region_colours import RegionColours

if TYPE_CHECKING:  # torch, which whoever only lists methods must not load
    from studio.editing.person import LatentPerson

FaceReader = Callable[[npt.NDArray[np.uint8]], Floats]
"""Pictures ``[B, H, W, 3]`` RGB to landmarks ``[B, 478, 3]`` as in ``TrackedSequence.landmarks``: x, y in
pixels, z larger is nearer; NaN where no face was found. Every picture is looked at by itself."""


@dataclass(frozen=True)
class Workplace:
    """What a method may use besides the person."""

    assets: AssetLibrary
    """Weights that the user owns."""
    cache: Any
    """Folder, a ``Path``, where a method keeps what it may use again for this same person; what is half done
    there is gone on with."""
    progress: Progress
    """Told often; may raise Interrupted."""
    faces: FaceReader | None = None
    """Finds the face in drawn pictures: ``pipelines.face_reading`` gives one. Only methods that measure faces
    need it; trackers are above this layer's reach."""
    edits: EditStack = field(default_factory=EditStack)
    """What the person has already, for wishes that name other edits."""
    colours: Callable[[], RegionColours] | None = None
    """Measures the colours that the person's regions have."""


class EditMethod(Protocol):
    """Finds an edit. Raises Problem for a wish that cannot be met, with what to do."""

    def __call__(self, person: LatentPerson | None, wish: Any, workplace: Workplace) -> Edit:
        """
        Args:
            person: their generator; None for methods that need none.
            wish: settings of the method's own class.
            workplace: see :class:`Workplace`.
        """


@dataclass(frozen=True)
class MethodSpec:
    """One way to find edits. What cannot be used here is listed all the same, with the reason."""

    id: str
    """Stable identifier, e.g. ``styleclip-global``."""
    title: str
    """What a person reads."""
    summary: str
    """One sentence: what it does, and what it costs."""
    spaces: tuple[Space, ...]
    """Where its edits act."""
    generator: bool
    """Whether it needs an avatar with a generator."""
    finder: str
    """``module:function``, an :class:`EditMethod`; imported on first use."""
    wish: str
    """``module:class`` of its settings."""
    missing: Callable[[AssetLibrary], str | None]
    """None when it can be used here, otherwise one sentence: what is missing and what to do."""

    def find(self, person: LatentPerson | None, wish: Any, workplace: Workplace) -> Edit:
        """Find an edit; see :class:`EditMethod`."""
        found = _resolve(self.finder)(person, wish, workplace)
        assert isinstance(found, Edit)
        return found

    @property
    def wish_class(self) -> type[Any]:
        """Class of its settings."""
        made: type[Any] = _resolve(self.wish)
        return made


def _resolve(reference: str) -> Any:
    module, name = reference.split(":")
    return getattr(importlib.import_module(module), name)
