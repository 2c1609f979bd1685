"""An avatar drawn live: planes once an expression, rays once a camera, sliders along directions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from studio.domain.edits import EditStack
from studio.domain.problem import Problem
from studio.domain.rendering import RenderRequest
from studio.engines.export3d.base_model import Export3DParts, load_export3d, save_base_model
from studio.engines.export3d.live_picture import LiveVolume
from studio.engines.export3d.network import Export3DNetwork
from studio.engines.export3d.settings import export3d_settings
from studio.engines.export3d.shelf import SHELF, check
from studio.head.builtin import builtin_head
from studio.networks.volume.lifted import Lifted
from studio.networks.volume.rays import pixel_centres
from studio.networks.volume.seeing import seen_at
from studio.one_picture.engine import OnePictureEngine
from studio.one_picture.person_files import save_person
from tests.engines.semantic.one_person import a_person
from tests.warping.average_person import STAGE, motion_of

CPU = torch.device("cpu")
SHAPE = replace(export3d_settings("tiny", 64), width=32, blocks=1, coarse_samples=8, fine_samples=4)


def parts(detail: int = 0, shape=SHAPE) -> Export3DParts:
    torch.manual_seed(0)
    return Export3DParts(a_person(detail), Export3DNetwork(shape).eval())


class Counting(torch.nn.Module):
    """A generator that counts its passes."""

    def __init__(self, generator: torch.nn.Module) -> None:
        super().__init__()
        self.inner: Any = generator
        self.passes = 0

    def see(self, pictures):
        return self.inner.see(pictures)

    def forward(self, *asked):
        self.passes += 1
        return self.inner(*asked)


def test_a_change_of_camera_alone_costs_no_pass_of_the_generator() -> None:
    made = parts()
    counting = Counting(made.network.generator)
    made.network.generator = counting  # type: ignore[assignment]
    engine = OnePictureEngine(made.person, LiveVolume(made, CPU))
    frames = [
        engine.render(RenderRequest(engine.sheet.state(controls), STAGE)).image
        for controls in ({}, {"yaw": 12.0}, {"orbit_yaw": 20.0}, {"dolly": 1.2}, {"lens": 0.5})
    ]
    assert counting.passes == 1
    assert all(np.abs(a.astype(int) - frames[0]).max() > 20 for a in frames[1:])
    engine.render(RenderRequest(engine.sheet.state({"jaw_open": 8.0}), STAGE))
    assert counting.passes == 2


def test_there_is_a_slider_for_each_direction_and_it_moves_the_volume() -> None:
    made = parts()
    with torch.no_grad():
        for values in made.network.generator.parameters():
            values.add_(0.05 * torch.randn_like(values))
        for head in (made.network.volume.heads.density, made.network.volume.heads.colour):
            last = head[-1]
            assert isinstance(last, torch.nn.Linear)
            last.weight.normal_(std=2.0)
    live = LiveVolume(made, CPU)
    engine = OnePictureEngine(made.person, live)
    names = [name for name in engine.sheet.names if name.startswith("direction_")]
    assert len(names) == SHAPE.directions == 10
    rest = engine.sheet.neutral()
    motion = made.person.base.motion
    plain = live.draw(motion, True, rest)
    assert np.array_equal(plain, live.draw(motion, True, None))
    assert np.abs(live.draw(motion, True, engine.sheet.state({"direction_3": 4.0})) - plain).max() > 1e-4


def test_direct_expressions_have_no_directions() -> None:
    live = LiveVolume(parts(shape=replace(SHAPE, encoding="direct")), CPU)
    assert not [control for control in live.controls if control.name.startswith("direction_")]


def test_detail_beyond_the_network_is_the_pictures_own() -> None:
    """From where the picture was taken, what a finer picture adds is there, elsewhere it is drawn along."""
    fine = parts(detail=160)
    live = LiveVolume(fine, CPU)
    motion = fine.person.base.motion
    drawn, coarse = live.draw(motion), live.draw(motion, finely=False)
    assert drawn.shape == (160, 160, 3)
    assert coarse.shape == (64, 64, 3)
    own = fine.person.picture[..., :3] / 127.5 - 1.0
    inside = fine.person.picture[..., 3] > 200
    import cv2

    enlarged = cv2.resize(coarse, (160, 160), interpolation=cv2.INTER_CUBIC)
    assert np.abs(drawn - own)[inside].mean() < 0.9 * np.abs(enlarged - own)[inside].mean()
    turned = live.draw(motion_of([10.0]))
    assert np.isfinite(turned).all()


def test_an_avatar_is_kept_and_found_again(tmp_path) -> None:
    made = parts(detail=96)
    folder = tmp_path / "models" / "export3d-tiny"
    folder.mkdir(parents=True)
    save_base_model(folder, made.network, builtin_head().id)
    model = SHELF.choose(tmp_path)
    assert check(model, "builtin-1") == SHAPE
    with pytest.raises(Problem, match="tracked with “flame-2020”"):
        check(model, "flame-2020")
    avatar = tmp_path / "subjects" / "ann" / "avatars" / "export3d-x"
    avatar.mkdir(parents=True)
    save_person(avatar, "export3d", replace(made.person, reference=model.reference))
    again = load_export3d(avatar)
    before = OnePictureEngine(made.person, LiveVolume(made, CPU), EditStack(()))
    after = OnePictureEngine(again.person, LiveVolume(again, CPU), EditStack(()))
    asked = {"yaw": 8.0, "direction_1": 1.0}
    images = [e.render(RenderRequest(e.sheet.state(asked), STAGE)).image for e in (before, after)]
    # What is around the square is kept as pictures are, not to the last bit.
    assert np.abs(images[0].astype(int) - images[1]).mean() < 1.0


def test_a_body_that_keeps_still_has_its_detail_where_the_picture_has_it(monkeypatch) -> None:
    """Seen from where it was taken, each place of it is looked up at its own, below the chin, too."""
    fine = parts(detail=160)
    small = replace(fine.person.base.motion, camera=np.array([[260.0, 96.0, 60.0]], np.float32))
    person = replace(fine.person, base=replace(fine.person.base, motion=small))
    live = LiveVolume(Export3DParts(person, fine.network), CPU)
    found: list[torch.Tensor] = []
    at = Lifted.at

    def noted(self, points):
        if self.maps.shape[2] == 160:
            found.append(seen_at(self.cameras, points))
        return at(self, points)

    monkeypatch.setattr(Lifted, "at", noted)
    live.draw(small)
    assert len(found) == 1
    places = pixel_centres(0.0, 0.0, 160, 160, 160, 160)
    assert float((found[0][0] - places).abs().max()) < 0.05
