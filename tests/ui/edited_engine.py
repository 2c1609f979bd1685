"""An avatar in closed form that edits show on: a flat face whose width and colours they change.

``offered`` puts it into the catalog of a test and of the live workers that the test starts.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from studio.domain.avatar import Avatar
from studio.domain.camera import Similarity, View
from studio.domain.controls import ControlSheet
from studio.domain.edits import Edit, Recolour, ShapeShift
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.domain.rendering import Frame, RenderRequest
from studio.editing.method import MethodSpec, Workplace
from studio.engines.catalog import ENGINES
from studio.engines.engine import EngineSpec
from studio.head.sheet import head_sheet
from studio.live.worker import main
from studio.project.avatar_files import save_avatar

SIZE = 160
CAMERA = np.array([640.0, 80.0, 84.0], np.float32)
STAGE = View(Similarity(1.0, 0.0, 0.0, 0.0), SIZE, SIZE)
SKIN, GROUND = np.array([190.0, 140.0, 110.0]), np.array([70.0, 80.0, 95.0])


class FlatFace:
    """An ellipse with two eyes; yaw moves it sideways.

    A shape edit makes it wider by its first coefficient. A recolouring goes that share of the way to what
    ``shift`` says, so that the order of two tells.
    """

    def __init__(self, avatar: Avatar) -> None:
        self._edits = avatar.edits
        self.sheet: ControlSheet = avatar.edits.sheet(head_sheet(HeadMotion.neutral(1, CAMERA), CAMERA))

    def render(self, request: RenderRequest) -> Frame:
        """Draw one frame."""
        state, view = request.state, request.view
        strengths = self._edits.strengths(state)
        width, colour = 52.0, SKIN
        for edit, strength in zip(self._edits.edits, strengths.tolist()):
            if isinstance(edit.effect, ShapeShift):
                width *= 1.0 + 0.25 * strength * float(edit.effect.identity[0])
            elif isinstance(edit.effect, Recolour):
                colour = colour + strength * (np.array(edit.effect.shift) - colour)
        y, x = np.mgrid[: view.height, : view.width].astype(np.float32) + 0.5
        place = view.placement.inverse().apply(np.stack([x, y], -1))
        across, down = place[..., 0] - CAMERA[1] - 0.6 * state["yaw"], place[..., 1] - CAMERA[2]
        face = (across / width) ** 2 + (down / 62.0) ** 2 < 1
        eyes = (np.abs(np.abs(across) - 0.4 * width) < 7) & (np.abs(down + 14) < 4)
        mouth = (np.abs(across) < 20 + 6 * state["jaw_open"]) & (np.abs(down - 30) < 3)
        image = np.where(face[..., None], colour, GROUND)
        image = np.where((face & (eyes | mouth))[..., None], np.array([40.0, 25.0, 25.0]), image)
        return Frame(image.clip(0, 255).astype(np.uint8), (255 * face).astype(np.uint8), request, 0.0)

    def close(self) -> None:
        """There is nothing to free."""


SPEC = EngineSpec(
    id="flatface",
    title="Flat face",
    summary="A flat face, for tests.",
    loader="tests.ui.edited_engine:FlatFace",
    presets=("draft",),
    missing=lambda home: None,
)


@dataclass(frozen=True)
class ColourWish:
    """A colour by its name, or one of one's own."""

    colour: Literal["red", "green", "blue", "own"] = "red"
    """Which."""
    amount: float = 0.0
    """Red of a colour of one's own, 1 to 255."""


def find_colour(person: None, wish: ColourWish, workplace: Workplace) -> Edit:
    """Towards a colour; needs no person."""
    own = {"red": (220.0, 40.0, 40.0), "green": (40.0, 180.0, 60.0), "blue": (50.0, 80.0, 220.0)}
    if wish.colour == "own" and not wish.amount:
        raise Problem("Say how red: give an amount from 1 to 255.")
    colour = own.get(wish.colour, (wish.amount, 90.0, 90.0))
    return painted(wish.colour, f"{wish.colour.capitalize()} skin", colour)


COLOURS = MethodSpec(
    id="toy-colour",
    title="Toy colours",
    summary="Paints the face, for tests.",
    spaces=("colour",),
    generator=False,
    finder="tests.ui.edited_engine:find_colour",
    wish="tests.ui.edited_engine:ColourWish",
    missing=lambda assets: None,
)


def wider(name: str = "wider", title: str = "Wider", by: float = 1.0) -> Edit:
    """An edit of the shape."""
    return Edit(name, title, "shape", ShapeShift(np.array([by], np.float32), "built-in"))


def painted(name: str, title: str, colour: tuple[float, float, float], strength: float = 0.5) -> Edit:
    """An edit of the colour."""
    return Edit(name, title, "colour", Recolour("skin", colour), strength)


def write_face(folder: Path) -> Avatar:
    """A flat face on disk."""
    folder.mkdir(parents=True)
    avatar = Avatar("Flat", "flatface", folder.name, folder, STAGE, {"rest_camera": CAMERA.tolist()})
    save_avatar(folder, avatar)
    return avatar


def offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it in the catalog here and in live workers started from here."""
    monkeypatch.setitem(ENGINES, SPEC.id, SPEC)
    monkeypatch.setattr(
        "studio.live.process.live_command",
        lambda kind, *words: [sys.executable, "-m", "tests.ui.edited_engine", *words],
    )


if __name__ == "__main__":
    ENGINES[SPEC.id] = SPEC
    sys.exit(main(sys.argv[1:]))
