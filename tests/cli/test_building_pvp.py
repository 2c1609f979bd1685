"""``build --engine pvp`` from a clip to a rendering avatar, with settings of toy size."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.build_pvp import STRENGTHS
from pipelines.cut_material import load_material
from pipelines.make_prior import GAIN
from studio.domain.rendering import RenderRequest
from studio.engines.catalog import engine_spec
from studio.engines.pvp.artefact import load_pvp
from studio.project.avatar_files import load_avatar
from studio.project.store import Store

SHARED = ("texture-size", 384, "face-blend", 2, "outer-blend", 2, "mouth-blend", 2, "eyes-blend", 2)
"""The instant draft's, so that its avatar is there already."""
TOY = (
    "build",
    "Ann Lee 🎬",
    "--engine",
    "pvp",
    "--preset",
    "draft",
    *(f"--instant.{word}" if isinstance(word, str) else word for word in SHARED),
    *("--material.resolution", 32, "--material.guides", 1, "--material.recombined", 2),
    *("--prior.painter.channel-max", 8, "--prior.painter.channel-base", 256, "--prior.painter.w-dim", 8),
    *("--prior.painter.loop.minutes", 0, "--prior.painter.loop.steps", 2, "--prior.painter.loop.batch", 2),
    *("--pvp.tune.loop.minutes", 0, "--pvp.tune.steps-per-image", 1),
    *("--pvp.estimator.size", 32, "--pvp.estimator.steps", 2, "--pvp.estimator.batch", 4),
    *("--pvp.mapper.loop.minutes", 0, "--pvp.mapper.loop.steps", 2, "--pvp.mapper.loop.batch", 2),
    *("--pvp.mapper.warm-loop.steps", 4, "--pvp.mapper.hidden", 8, "--pvp.mapper.validation-frames", 2),
)


@pytest.mark.slow
def test_a_toy_avatar_is_built_says_what_it_lacks_and_renders(ann, home):
    before = set(Store(home).find("Ann Lee 🎬").avatars())
    said = ann(*TOY)
    assert said.code == 0, said.err
    assert "--prior.kind pretrained" in " ".join(said.err.split())
    subject = Store(home).find("Ann Lee 🎬")
    (folder,) = set(subject.avatars()) - before  # the instant one that it stands on was there
    avatar = load_avatar(folder)
    assert (avatar.engine, avatar.subject) == ("pvp", "Ann Lee 🎬")
    assert set(avatar.lineage["inputs"]) == {"track", "pivots", "instant", "material", "prior"}
    parts = load_pvp(folder)
    assert parts.strength in STRENGTHS
    assert GAIN in parts.notes
    assert parts.figures["prior"]["taught_steps"] == 2
    material = load_material(subject.path / "material" / avatar.lineage["inputs"]["material"])
    assert material.resolution == 32
    assert material.frames.max() < 40

    engine = engine_spec("pvp").load(avatar)
    state = engine.sheet.neutral()
    image = engine.render(RenderRequest(state, avatar.stage)).image
    assert image.shape == (avatar.stage.height, avatar.stage.width, 3)
    assert image.std() > 20
    assert np.array_equal(image, engine.render(RenderRequest(state, avatar.stage)).image)
    engine.close()

    again = ann(*TOY)
    assert again.code == 0
    assert "nothing to do" in again.out
    assert "pvp" in ann("list").out


def test_a_size_that_no_generator_has_is_refused_before_anything_is_done(ann, home):
    before = sorted(home.rglob("*"))
    said = ann("build", "Ann Lee 🎬", "--engine", "pvp", "--material.resolution", 100)
    assert said.code == 2
    assert "100" in said.err
    assert "128" in said.err
    assert sorted(home.rglob("*")) == before
