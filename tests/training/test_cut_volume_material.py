"""What a volume learns from: wide pictures of the right moments, and numbers that fit them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.cut_material import load_material
from pipelines.cut_volume_material import (
    VolumeMaterial,
    cut_volume_material,
    load_volume_material,
    volume_person,
    wider,
)
from pipelines.tri2plane_settings import VolumeMaterialSettings
from studio.domain.camera import Similarity, View, project, rotation_from_angles
from studio.domain.motion import HeadMotion
from studio.domain.pivots import PivotSet
from studio.domain.problem import Problem
from studio.domain.progress import Interrupted, Progress, silent
from studio.head import builtin_head
from studio.head.neutral_crop import aligned_crops
from studio.media import read_selected
from studio.warping.parts import WarpParts
from tests.training.filmed_person import (
    BLURRED,
    GREY,
    LEARNT,
    PERSON_FROM,
    PIVOTS,
    filmed_motion,
    pivot_set,
    tracking,
    when,
)
from tests.warping.average_person import CAMERA, SIZE, average_person, motion_of, one_pivot_each, parts_from

SETTINGS = VolumeMaterialSettings(resolution=64, margin=0.22, map_size=32)
WIDE = 64 + 2 * 14


def filmed_parts() -> WarpParts:
    """The instant avatar of the film on a stage half as large; its background tells the place."""
    textures = np.full((len(PIVOTS), SIZE, SIZE, 4), 255, np.uint8)
    textures[..., :3] = GREY
    parts = parts_from(average_person(), filmed_motion().take(PIVOTS), textures, one_pivot_each())
    y, x = np.mgrid[: SIZE // 2, : SIZE // 2]
    plate = np.dstack([np.full_like(x, 200), 2 * x + 1, 2 * y + 1, np.full_like(x, 255)]).astype(np.uint8)
    stage = View(Similarity(0.5, 0.0, 0.0, 0.0), SIZE // 2, SIZE // 2)
    return replace(
        parts,
        plate=replace(parts.plate, image=plate),
        stage=stage,
        textures=np.ascontiguousarray(textures[:, ::2, ::2]),
    )


@dataclass(frozen=True)
class Filmed:
    video: Path
    tracked: Path
    folder: Path
    material: VolumeMaterial

    def cut(self, folder: Path, pivots: PivotSet, progress: Progress = silent) -> Path:
        folder.mkdir()
        cut_volume_material(
            self.video, self.tracked, tracking(), pivots, filmed_parts(), SETTINGS, folder, progress
        )
        return folder


@pytest.fixture(scope="module")
def filmed(film: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    folder = tmp_path_factory.mktemp("volume")
    cut_volume_material(*film, tracking(), pivot_set(), filmed_parts(), SETTINGS, folder)
    return Filmed(*film, folder, load_volume_material(folder))


def source_places(material: VolumeMaterial, place: int) -> np.ndarray:
    """``[S, S, 2]`` source coordinates of a picture's pixel centres."""
    line = (np.arange(WIDE) + 0.5) / WIDE
    unit = np.stack(np.meshgrid(line, line), -1)
    return Similarity.from_array(material.crops[place]).inverse().apply(unit)


def test_only_good_frames_of_the_learnt_part_are_there(filmed: Filmed):
    material = filmed.material
    expected = np.setdiff1d(np.arange(LEARNT), [BLURRED])
    assert material.frames.tolist() == expected.tolist()
    for place, frame in enumerate(expected):
        seen = material.real[place][material.inside[place] == 255]
        assert when(seen[:, 0].mean()) == pytest.approx(frame, abs=0.4)
    assert np.array_equal(material.motion.gaze, filmed_motion().gaze[expected])
    together = np.concatenate([material.train, material.validation])
    assert np.array_equal(np.sort(together), np.arange(len(expected)))
    assert len(np.flatnonzero(np.diff(material.validation) > 1)) + 1 == SETTINGS.validation_blocks


def test_nothing_beyond_what_may_be_learnt_from_is_read(
    filmed: Filmed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[int] = []

    def spying(video: Path, frames: list[int]):
        asked.extend(frames)
        return read_selected(video, frames)

    monkeypatch.setattr("pipelines.cut_volume_material.read_selected", spying)
    motion = filmed_motion()
    folder = filmed.cut(tmp_path / "part", replace(pivot_set(), learnt_from=(3, 33)))
    assert asked == [f for f in range(3, 33) if f != BLURRED]
    # Numbers neither: box and colours of the same part are the same, whatever comes after it.
    monkeypatch.setattr(
        "tests.training.filmed_person.filmed_motion",
        lambda: replace(motion, camera=np.where(np.arange(len(motion))[:, None] < 33, motion.camera, 5000)),
    )
    other = filmed.cut(tmp_path / "other", replace(pivot_set(), learnt_from=(3, 33)))
    for name in ("material.npz", "person.npz"):
        with np.load(folder / name) as one, np.load(other / name) as two:
            assert all(np.array_equal(one[n], two[n]) for n in one.files)


def test_the_aligned_crop_is_the_middle_pixel_by_pixel(filmed: Filmed):
    material = filmed.material
    assert material.resolution == 64
    assert material.real.shape == (35, WIDE, WIDE, 3)
    assert material.margin == 14 / 64
    narrow = aligned_crops(average_person().neutral_face, material.motion)
    points = np.random.default_rng(0).uniform(0, SIZE, (20, 2))
    for crop, wide in zip(narrow, material.crops, strict=True):
        inner = Similarity.from_array(crop).scaled(64).apply(points)
        outer = Similarity.from_array(wide).scaled(WIDE).apply(points)
        np.testing.assert_allclose(outer, inner + 14, atol=2e-3)


@pytest.mark.parametrize(("resolution", "room"), [(64, 14), (512, 113), (128, 0)])
def test_a_wider_crop_keeps_its_scale(resolution: int, room: int):
    crop = Similarity(1 / 300, 0.4, -0.2, 0.3)
    wide = Similarity.from_array(wider(crop.to_array()[None], resolution, room)[0])
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32) * resolution + room
    back = wide.scaled(resolution + 2 * room).inverse().apply(corners)
    np.testing.assert_allclose(crop.scaled(resolution).apply(back), corners - room, atol=2e-3)


def test_a_picture_shows_what_its_crop_says_and_the_background_is_the_same_view(filmed: Filmed):
    material, beyond = filmed.material, 0
    for place in range(0, len(material.frames), 5):
        source = source_places(material, place)
        distance = np.minimum(source, SIZE - source).min(-1)
        assert (material.inside[place][distance > 0.01] == 255).all()
        assert (material.inside[place][distance < -0.01] == 0).all()
        beyond += int((distance < -0.01).sum())
        deep = distance > 4
        for pictures in (material.real, material.background):
            shown = pictures[place][..., 1:][deep].astype(float)
            assert np.abs(shown - (source[deep] - 0.5)).mean() < 2.0
        assert (material.background[place][..., 0] == 200).all()
        column = source[..., 0]
        assert (material.mask[place][(column > PERSON_FROM + 4)] == 255).all()
        assert (material.mask[place][(column < PERSON_FROM - 4)] == 0).all()
    assert beyond > 0


def test_landmarks_lie_where_planes_and_pictures_say(filmed: Filmed):
    """The ray of a pixel goes through what the camera saw there: from a landmark's pixel, through the head's
    plane, back to its x and y in camera space."""
    material, person = filmed.material, average_person()
    points = person.model.vertices(person.identity, person.offset, material.motion)
    seen = project(points, material.motion.angles, material.motion.camera)
    in_camera = points @ np.swapaxes(rotation_from_angles(material.motion.angles), 1, 2)
    assert material.to_plane.shape == (len(material.frames), 2, 3)
    for place, to_plane in enumerate(material.to_plane):
        pixels = WIDE * Similarity.from_array(material.crops[place]).apply(seen[place, :, :2])
        metres = pixels @ to_plane[:, :2].T + to_plane[:, 2]
        np.testing.assert_allclose(metres, in_camera[place, :, :2], atol=2e-6)
    expected = 0.5 * (material.motion.camera[:, 1:] - CAMERA[1:]) / material.motion.camera[:, :1] * (1, -1)
    np.testing.assert_allclose(material.body[:, :, 2], expected, atol=1e-6)
    assert np.ptp(expected, axis=0).min() > 0.001


def test_maps_are_those_of_the_moment(filmed: Filmed):
    material = filmed.material
    drawn = material.person.zero_pose().maps(material.motion)
    assert material.motion_map.dtype == material.displacement.dtype == np.float16
    assert np.abs(drawn.motion_map - material.motion_map).max() < 1e-3
    assert np.abs(drawn.displacement - material.displacement).max() < 2e-5
    assert np.abs(drawn.displacement[0] - material.displacement[-1]).max() > 1e-3
    texture = material.motion_map[:, :3][np.broadcast_to(material.motion_map[:, 5:] > 0.5, (35, 3, 32, 32))]
    np.testing.assert_allclose(texture, GREY[0] / 127.5 - 1, atol=0.01)


def test_the_persons_geometry_is_the_meshs(filmed: Filmed):
    person, mesh = filmed.material.person, average_person()
    assert np.array_equal(person.neutral, mesh.neutral_face)
    assert person.chin == pytest.approx(mesh.neutral_face[:, 1].min())
    assert person.head_model == builtin_head().id
    assert np.array_equal(person.rest_camera, mesh.rest_camera)
    # The proxy's surface passes through the nose, and lies behind it at the sides.
    side = len(person.proxy)
    middle = (person.canonical[4, :2] - person.low[:2]) / (person.high[:2] - person.low[:2])
    x, y = int(middle[0] * side), int((1 - middle[1]) * side)
    assert person.proxy[y, x] == pytest.approx(person.canonical[4, 2], abs=0.004)
    assert person.proxy[y, x] == pytest.approx(person.proxy.max(), abs=0.004)
    assert person.proxy[y, 2] < person.canonical[4, 2] - 0.08
    inside = (person.canonical > person.low) & (person.canonical < person.high)
    assert inside.all()


def test_the_box_holds_what_an_upright_picture_shows_and_no_more():
    # One pose: the box is the wide picture's square, two centimetres wider, whatever the head's place.
    parts = filmed_parts()
    motion = motion_of([0.0] * 3)
    crops = wider(aligned_crops(parts.mesh.neutral_face, motion), 64, 14)
    person = volume_person(parts, motion, crops, WIDE, 16)
    crop = Similarity.from_array(crops[0]).inverse()
    corners = (crop.apply(np.array([(0.0, 1.0), (1.0, 0.0)])) - CAMERA[1:]) / CAMERA[0] * (1, -1)
    np.testing.assert_allclose(person.low[:2], corners[0] - 0.02, atol=1e-5)
    np.testing.assert_allclose(person.high[:2], corners[1] + 0.02, atol=1e-5)
    assert (person.low[2], person.high[2]) == pytest.approx((-0.20, 0.12))


def test_a_head_that_leans_widens_the_box_only_where_shoulders_are():
    parts = filmed_parts()
    mesh = parts.mesh
    motion = motion_of([0.0] * 20)
    boxes = []
    for lean in (0.0, 25.0):
        tilted = HeadMotion(
            **{**vars(motion), "angles": np.tile(np.array([0, 0, lean], np.float32), (20, 1))}
        )
        crops = wider(aligned_crops(mesh.neutral_face, tilted), 64, 14)
        boxes.append(volume_person(parts, tilted, crops, WIDE, 16))
    upright, leaning = boxes
    # The crop leans along: its upper corners stay where they were in head space.
    assert leaning.high[1] == pytest.approx(upright.high[1], abs=1e-4)
    assert leaning.low[1] < upright.low[1] - 0.02


def test_the_same_clip_is_cut_the_same(filmed: Filmed, tmp_path: Path):
    again = filmed.cut(tmp_path / "again", pivot_set())
    for name in ("real", "inside", "mask", "background", "motion_map", "displacement"):
        assert (again / f"{name}.npy").read_bytes() == (filmed.folder / f"{name}.npy").read_bytes()


def test_too_few_frames_are_said_before_anything_is_written(filmed: Filmed, tmp_path: Path):
    for past in (15, 24):
        with pytest.raises(Problem, match="good frames are left"):
            filmed.cut(tmp_path / str(past), replace(pivot_set(), learnt_from=(0, past)))
        assert not list((tmp_path / str(past)).iterdir())


def test_it_can_be_asked_to_end(filmed: Filmed, tmp_path: Path):
    heard: list[tuple[int, int | None]] = []

    def ending(done: int, total: int | None, what: str) -> None:
        heard.append((done, total))
        if done == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        filmed.cut(tmp_path / "ended", pivot_set(), progress=ending)
    assert heard == [(1, 35), (2, 35), (3, 35)]
    with pytest.raises(Problem, match="build"):
        load_volume_material(tmp_path / "ended")


@pytest.mark.parametrize("damage", ["half", "nothing", "other", "gone"])
@pytest.mark.parametrize("name", ["material.npz", "displacement.npy", "person.npz"])
def test_damaged_material_is_named(filmed: Filmed, tmp_path: Path, name: str, damage: str):
    folder = Path(shutil.copytree(filmed.folder, tmp_path / "material"))
    path = folder / name
    if damage == "gone":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes({"half": data[: len(data) // 2], "nothing": b"", "other": b"not it"}[damage])
    with pytest.raises(Problem, match="damaged"):
        load_volume_material(folder)


def test_other_material_is_not_taken_for_this(filmed: Filmed, tmp_path: Path):
    folder = Path(shutil.copytree(filmed.folder, tmp_path / "material"))
    with pytest.raises(Problem, match="damaged"):
        load_material(folder)
    with np.load(folder / "material.npz") as archive:
        kept = {name: archive[name] for name in archive.files}
    np.savez(folder / "material.npz", **{**kept, "schema_version": 7})
    with pytest.raises(Problem, match="another version"):
        load_volume_material(folder)
    del kept["motion_jaw"]
    np.savez(folder / "material.npz", **kept)
    with pytest.raises(Problem, match="motion_jaw"):
        load_volume_material(folder)
