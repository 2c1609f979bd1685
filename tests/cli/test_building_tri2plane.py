"""``build --engine tri2plane`` from a clip to a rendering avatar, with settings of toy size."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.cut_volume_material import load_volume_material
from studio.domain.rendering import RenderRequest
from studio.engines.catalog import engine_spec
from studio.engines.tri2plane.artefact import load_tri2plane
from studio.project.avatar_files import load_avatar
from studio.project.store import Store

SHARED = ("texture-size", 384, "face-blend", 2, "outer-blend", 2, "mouth-blend", 2, "eyes-blend", 2)
"""The instant draft's, so that its avatar is there already."""
SHAPE = {
    "levels": 2,
    "plane": 32,
    "features": 8,
    "channel-base": 256,
    "channel-max": 8,
    "convolutions": 1,
    "style": 16,
    "encoded": 16,
    "encoder-base": 4,
    "code": 4,
    "hidden": 16,
    "coarse-samples": 8,
    "fine-samples": 6,
    "capacity": 4,
    "depth": 1,
}
TOY = (
    *("build", "Ann Lee 🎬", "--engine", "tri2plane", "--preset", "draft"),
    *(f"--instant.{word}" if isinstance(word, str) else word for word in SHARED),
    *("--volume-material.resolution", 64, "--volume-material.map-size", 32),
    *(word for name, value in SHAPE.items() for word in (f"--tri2plane.shape.{name}", value)),
    *("--tri2plane.loop.minutes", 0, "--tri2plane.loop.steps", 4, "--tri2plane.loop.batch", 2),
    *("--tri2plane.validation-frames", 2),
)


def test_a_toy_volume_is_built_says_what_it_lacks_and_renders(ann, home):
    before = set(Store(home).find("Ann Lee 🎬").avatars())
    said = ann(*TOY)
    assert said.code == 0, said.err
    subject = Store(home).find("Ann Lee 🎬")
    (folder,) = set(subject.avatars()) - before  # the instant one that it stands on was there
    avatar = load_avatar(folder)
    assert (avatar.engine, avatar.subject) == ("tri2plane", "Ann Lee 🎬")
    assert set(avatar.lineage["inputs"]) == {"clip", "track", "pivots", "instant", "volume_material"}
    parts = load_tri2plane(folder)
    assert parts.figures["steps"] == 4
    assert parts.network.shape.resolution == 64
    material = load_volume_material(subject.path / "material" / avatar.lineage["inputs"]["volume_material"])
    assert (material.resolution, material.motion_map.shape[-1]) == (64, 32)
    assert parts.margin == material.margin
    learnt = material.motion.angles[material.train]
    assert parts.pose_range[0][1] == pytest.approx(learnt[:, 0].min())

    engine = engine_spec("tri2plane").load(avatar)
    state = engine.sheet.neutral()
    image = engine.render(RenderRequest(state, avatar.stage)).image
    assert image.shape == (avatar.stage.height, avatar.stage.width, 3)
    # Four steps give no colours yet, but its shape is a head's from the beginning.
    assert engine.render(RenderRequest(state, avatar.stage, layer="depth")).image.std() > 20
    assert np.array_equal(image, engine.render(RenderRequest(state, avatar.stage)).image)
    engine.close()

    again = ann(*TOY)
    assert again.code == 0
    assert "nothing to do" in again.out
    assert "tri2plane" in ann("list").out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--volume-material.resolution", 100), "100"),
        (("--volume-material.map-size", 20), "map"),
        (("--tri2plane.shape.levels", 0), "levels"),
        (("--tri2plane.window-share", 2), "window"),
        (("--tri2plane.window-follows", "nose"), "nose"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(ann, home, words, named):
    before = sorted(home.rglob("*"))
    said = ann("build", "Ann Lee 🎬", "--engine", "tri2plane", *words)
    assert said.code == 2
    assert named in said.err
    assert sorted(home.rglob("*")) == before


def test_rays_that_do_not_fit_the_pictures_are_told_in_a_sentence(ann, home):
    said = ann(*TOY, "--tri2plane.shape.plane", 16)
    assert said.code == 2
    assert "64" in said.sentence
    assert "32" in said.sentence
    assert len(Store(home).find("Ann Lee 🎬").avatars()) == 1
