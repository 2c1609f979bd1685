"""What an engine is: one EngineSpec value and, once loaded, an Engine."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from studio.domain.avatar import Avatar
from studio.domain.controls import ControlSheet
from studio.domain.rendering import Frame, Layer, RenderRequest


class Engine(Protocol):
    """A loaded avatar that turns requests into frames."""

    @property
    def sheet(self) -> ControlSheet:
        """What can be asked of it."""

    def render(self, request: RenderRequest) -> Frame:
        """Draw one frame. Equal requests give equal frames."""

    def close(self) -> None:
        """Free memory and devices; the engine is not used afterwards."""


@dataclass(frozen=True)
class EngineSpec:
    """One entry of the catalog. Engines that cannot run here are listed with the reason."""

    id: str
    """Stable identifier, e.g. ``instant``."""
    title: str
    """What a person reads."""
    summary: str
    """One sentence: what it does and what it costs."""
    loader: str
    """``module:function`` taking an Avatar and returning an Engine; imported on first use."""
    presets: tuple[str, ...]
    """Names of its presets, the cheapest first; what they set is data of the recipes."""
    missing: Callable[[Path], str | None]
    """Given the home folder: None when it can be built there, otherwise one sentence: what is missing and
    what to do."""
    layers: tuple[Layer, ...] = ("picture",)
    """What its avatars can show, ``picture`` first; it is never asked for anything else."""
    from_photo: bool = False
    """Whether one picture is enough to build from; the others learn from a clip."""
    at_import: str = "standard"
    """Preset of what a photo becomes at its import, which nobody wants to wait for."""

    def load(self, avatar: Avatar) -> Engine:
        """Open an avatar for rendering, with its edits."""
        from studio.engines.expressed import with_expressions

        return with_expressions(cast("Engine", _resolve(self.loader)(avatar)), avatar.edits)


def _resolve(reference: str) -> Any:
    module, name = reference.split(":")
    return getattr(importlib.import_module(module), name)
