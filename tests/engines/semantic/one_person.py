"""An avatar of one picture of the average person, and base models that nobody trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from studio.domain.camera import Similarity
from studio.engines.semantic.base_model import SemanticParts, load_base_model, save_base_model
from studio.engines.semantic.network import SemanticNetwork
from studio.engines.semantic.settings import SemanticSettings
from studio.engines.semantic.shelf import SHELF
from studio.head.builtin import builtin_head
from studio.head.sheet import head_sheet
from studio.one_picture.base_models import BaseReference, ShelvedModel
from studio.one_picture.person_files import PicturePerson
from studio.warping.parts import WarpParts
from studio.warping.settings import WarpSettings
from tests.engines.semantic.little_network import PAPER, PROJECT, network
from tests.warping.average_person import SIZE, average_person, motion_of, parts_from, pattern

MARGIN = 24
"""Pixels of the stage around the square."""
SHARE = MARGIN / (SIZE - 2 * MARGIN)
WINDOW = Similarity(1.0 / (SIZE - 2 * MARGIN), 0.0, -SHARE, -SHARE)
"""Source pixels to the square of the picture."""
NOBODY = BaseReference("none", "0")
__all__ = ["PAPER", "PROJECT", "WINDOW", "a_base", "a_person", "network", "opened", "shelve", "still"]


def a_base(textures: np.ndarray | None = None) -> WarpParts:
    """What the avatar stands on: one picture of soft colours, the person in its middle."""
    texture = pattern(1)
    texture[..., :3] = 70 + texture[..., :3] // 3
    y, x = np.mgrid[:SIZE, :SIZE]
    inside = (x - 96) ** 2 / 60**2 + (y - 100) ** 2 / 75**2 < 1.0
    texture[..., 3] = np.where(inside, 255, 0)
    plate = np.full_like(texture, 120)
    plate[..., 3] = 255
    shown = np.where(inside[..., None], texture[..., :3], plate[..., :3])
    texture[..., :3] = shown
    motion = motion_of([0.0])
    parts = parts_from(average_person(), motion, texture[None], WarpSettings(), plate)
    return replace(parts, sheet=head_sheet(motion, parts.mesh.rest_camera))


def a_person(detail: int = 0, reference: BaseReference = NOBODY) -> PicturePerson:
    """One picture; ``detail``: side at which its square is kept, 64 for 0."""
    from pipelines.aligned_crop import cut_view
    from studio.domain.camera import View

    base, side = a_base(), detail or 64
    square = cut_view(base.textures[0], View(WINDOW.scaled(side), side, side))
    return PicturePerson(base, square, WINDOW, reference, ("a note",), {"frame": 0})


def still(shape: SemanticSettings = PROJECT) -> SemanticNetwork:
    """A network that paints nothing and refines no flow: it carries the picture and nothing else."""
    made = network(shape)
    assert made.decoder.painter is not None
    with torch.no_grad():
        for layer in (made.decoder.painter.refine, made.decoder.painter.paint):
            assert layer.bias is not None
            layer.weight.zero_()
            layer.bias.zero_()
            layer.bias[12:].fill_(-60.0)  # of the paint: its share
    return made


def opened(detail: int = 0, shape: SemanticSettings = PROJECT, seed: int = 0) -> SemanticParts:
    """The avatar with a network of random weights."""
    return SemanticParts(a_person(detail), network(shape, seed))


def shelve(home: Path, name: str = "tiny", shape: SemanticSettings = PROJECT, seed: int = 0) -> ShelvedModel:
    """Put a base model of random weights into a home."""
    folder = home / "models" / f"semantic-{name}"
    folder.mkdir(parents=True)
    save_base_model(folder, network(shape, seed), builtin_head().id)
    assert load_base_model(folder).head_model == builtin_head().id
    return SHELF.choose(home, name)
