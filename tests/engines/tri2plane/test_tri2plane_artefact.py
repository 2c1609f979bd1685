"""An avatar comes back from disk to the last bit, or a sentence says what is wrong with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from studio.domain.avatar import Avatar
from studio.domain.edits import EditStack
from studio.domain.problem import Problem
from studio.engines.tri2plane.artefact import load_tri2plane, save_tri2plane
from studio.engines.tri2plane.spec import load as load_engine
from tests.engines.tri2plane.small_volume import random_parts, write_base


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    base = write_base(folder / "base")
    (base / "avatar.json").write_text("{}")
    (folder / "avatar").mkdir()
    save_tri2plane(folder / "avatar", random_parts(base), base)
    return folder


def test_it_comes_back_to_the_last_bit(saved: Path):
    parts, back = random_parts(saved / "base"), load_tri2plane(saved / "avatar")
    for (name, value), (other, loaded) in zip(
        parts.network.state_dict().items(), back.network.state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(value, loaded)
    assert back.network.shape == parts.network.shape
    assert not back.network.training
    for name in ("mean", "deviation", "code"):
        assert torch.equal(getattr(back, name), getattr(parts, name))
    for field in fields(parts.person):
        ours, theirs = getattr(parts.person, field.name), getattr(back.person, field.name)
        if isinstance(ours, np.ndarray):
            assert np.array_equal(ours, theirs)
    assert (back.person.chin, back.person.grid.size) == (parts.person.chin, parts.person.grid.size)
    for name in ("margin", "pose_range", "notes", "figures"):
        assert getattr(back, name) == getattr(parts, name)


def test_it_stands_on_files_of_its_own(saved: Path, tmp_path: Path):
    base = write_base(tmp_path / "base")
    (base / "avatar.json").write_text("{}")
    (tmp_path / "avatar").mkdir()
    save_tri2plane(tmp_path / "avatar", random_parts(base), base)
    shutil.rmtree(base)
    assert not (tmp_path / "avatar" / "base" / "avatar.json").exists()
    assert np.array_equal(
        load_tri2plane(tmp_path / "avatar").base.textures, load_tri2plane(saved / "avatar").base.textures
    )


def _cut(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return damage


def _card(**changes: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "tri2plane.json"
        card = json.loads(path.read_text())
        for key, value in changes.items():
            if value is None:
                del card[key]
            else:
                card[key] = value
        path.write_text(json.dumps(card))

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_cut("tri2plane.json"), "damaged"),
        (_cut("tri2plane.safetensors"), "damaged"),
        (_cut("person.npz"), "damaged"),
        (_cut("base/warp.npz"), "damaged"),
        (lambda folder: (folder / "tri2plane.safetensors").unlink(), "damaged"),
        (_card(shape={"levels": 3}), "damaged"),
        (_card(shape={"unheard_of": 3}), "damaged"),
        (_card(margin=None), "damaged"),
        (_card(pose_range=[[0, 1]]), "damaged"),
        (_card(schema_version=99), "another version"),
    ],
)
def test_damage_is_told_in_one_sentence(
    saved: Path, tmp_path: Path, damage: Callable[[Path], None], words: str
):
    shutil.copytree(saved / "avatar", tmp_path / "avatar")
    damage(tmp_path / "avatar")
    with pytest.raises(Problem, match=words) as caught:
        load_tri2plane(tmp_path / "avatar")
    assert "\n" not in str(caught.value)
    assert "build" in str(caught.value)


def test_the_catalogs_door_opens_it(saved: Path):
    class Found:
        folder = saved / "avatar"
        edits = EditStack()

    engine = load_engine(Found())  # type: ignore[arg-type]
    assert engine.sheet.names[-6:] == ("orbit_yaw", "orbit_pitch", "dolly", "pan_x", "pan_y", "lens")
    engine.close()
    assert Avatar.__dataclass_fields__["folder"]
