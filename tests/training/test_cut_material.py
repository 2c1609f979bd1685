"""What a prior learns from: the right pixels of the right frames, and guides that give nothing away."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from pipelines.cut_material import (
    EYES_AND_MOUTH,
    Material,
    cut_material,
    keep_mask,
    load_material,
    recombined,
)
from pipelines.pvp_settings import MaterialSettings
from pipelines.training_frames import validation_blocks
from studio.domain.camera import Similarity, project
from studio.domain.motion import HeadMotion
from studio.domain.pivots import PivotSet
from studio.domain.problem import Problem
from tests.training.filmed_person import (
    BLURRED,
    FRAMES,
    LEARNT,
    MARKED,
    PERSON_FROM,
    PIVOTS,
    TWIN,
    filmed_motion,
    marked_warper,
    pivot_set,
    tracking,
    when,
)
from tests.warping.average_person import SIZE, average_person

SIDE: Literal[64] = 64
SETTINGS = MaterialSettings(resolution=SIDE, guides=2, recombined=6)
FEW = MaterialSettings(resolution=32, guides=2, recombined=2, most_gap=1e3, dropped=0.9)


@dataclass(frozen=True)
class Filmed:
    video: Path
    tracked: Path
    folder: Path
    material: Material

    def cut(self, folder: Path, pivots: PivotSet, settings: MaterialSettings) -> Path:
        folder.mkdir()
        cut_material(self.video, self.tracked, tracking(), pivots, marked_warper(), settings, folder)
        return folder


@pytest.fixture(scope="module")
def filmed(film: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    folder = tmp_path_factory.mktemp("material")
    video, tracked = film
    cut_material(video, tracked, tracking(), pivot_set(), marked_warper(), SETTINGS, folder)
    return Filmed(video, tracked, folder, load_material(folder))


def places_in_source(material: Material, place: int) -> np.ndarray:
    """``[R, R, 2]`` source coordinates of a crop's pixel centres, by the inverse map written out."""
    scale, angle, x, y = (float(v) for v in material.crops[place])
    line = (np.arange(SIDE) + 0.5) / SIDE
    u, v = np.meshgrid(line - x, line - y)
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    return np.stack([c * u + s * v, -s * u + c * v], -1)


def test_only_good_frames_of_the_learnt_part_are_there(filmed: Filmed):
    material = filmed.material
    expected = np.setdiff1d(np.arange(LEARNT), [BLURRED])
    assert material.frames.tolist() == expected.tolist()
    for place, frame in enumerate(expected):
        seen = material.real[place][material.inside[place] == 255]
        assert when(seen[:, 0].mean()) == pytest.approx(frame, abs=0.4)
    assert np.array_equal(material.motion.gaze, filmed_motion().gaze[expected])
    assert material.guide.shape == material.real.shape == (len(expected), SIDE, SIDE, 3)
    assert np.array_equal(material.guide, material.guides[0])
    assert material.resolution == SIDE


def test_a_crop_shows_what_its_map_says_also_turned_and_shifted(filmed: Filmed):
    material = filmed.material
    assert np.ptp(material.crops[:, 1]) > np.deg2rad(30)
    for place in range(0, len(material.frames), 7):
        source = places_in_source(material, place)
        deep = ((source > 4) & (source < SIZE - 4)).all(-1)
        assert deep.mean() > 0.5
        shown = material.real[place][..., 1:][deep].astype(float)
        assert np.abs(shown - (source[deep] - 0.5)).mean() < 2.0  # the film's own compression included


def test_inside_is_where_the_camera_saw_something(filmed: Filmed):
    material, beyond = filmed.material, 0
    for place in range(len(material.frames)):
        source = places_in_source(material, place)
        distance = np.minimum(source, SIZE - source).min(-1)
        assert (material.inside[place][distance > 0.01] == 255).all()
        assert (material.inside[place][distance < -0.01] == 0).all()
        beyond += int((distance < -0.01).sum())
    assert beyond > 0.02 * material.inside.size  # the clip does leave the picture


def test_beyond_the_picture_the_target_is_the_first_guide_and_not_a_continued_border(filmed: Filmed):
    material = filmed.material
    beyond = material.inside == 0
    assert beyond.any()
    assert np.array_equal(material.real[beyond], material.guide[beyond])
    assert not np.array_equal(material.real[~beyond], material.guide[~beyond])


def test_the_persons_mask_lies_where_it_was_in_the_source(filmed: Filmed):
    material = filmed.material
    for place in (0, 10, 30):
        column = places_in_source(material, place)[..., 0]
        assert (material.mask[place][column > PERSON_FROM + 4] == 255).all()
        assert (material.mask[place][column < PERSON_FROM - 4] == 0).all()


def test_eyes_and_mouth_are_spared_in_the_crops_own_pixels(filmed: Filmed):
    # PVP's public code draws landmarks of the picture, and in 512 pixels whatever the crop's size.
    material, person = filmed.material, average_person()
    motion = filmed_motion().take(material.frames)
    points = person.model.landmarks(person.identity, person.offset, motion)
    points = project(points, motion.angles, motion.camera)
    for place in range(0, len(material.frames), 6):
        here = SIDE * Similarity.from_array(material.crops[place]).apply(points[place, :, :2])
        middles = [here[list(outline)].mean(0) for outline in EYES_AND_MOUTH]
        for x, y in middles:
            assert material.keep[place, int(y), int(x)] == 0
        y, x = np.mgrid[:SIDE, :SIDE] + 0.5
        reach = [np.linalg.norm(here[list(o)] - m, axis=1).max() for o, m in zip(EYES_AND_MOUTH, middles)]
        far = np.ones((SIDE, SIDE), bool)
        for (mx, my), radius in zip(middles, reach):
            # Grown by a square of 31/512 and softened over 51/512: at most their halves along both axes.
            far &= np.hypot(x - mx, y - my) > radius + np.sqrt(2) * (41 / 512 * SIDE + 1.5)
        assert far.mean() > 0.3
        assert (material.keep[place][far] == 255).all()


@pytest.mark.parametrize("size", [64, 256])
def test_the_keep_mask_grows_with_the_crop(size: int):
    # Outlines of known size: a mouth 0.2 wide, eyes of no size.
    landmarks = np.full((478, 2), 0.5 * size, np.float32)
    mouth = list(EYES_AND_MOUTH[2])
    turn = np.linspace(0, 2 * np.pi, len(mouth), endpoint=False)
    landmarks[mouth] += 0.1 * size * np.stack([np.cos(turn), np.sin(turn)], 1)
    line = keep_mask(landmarks, size)[size // 2].astype(float) / 255
    assert line[size // 2] == 0
    hidden = (1 - line).sum() / size
    assert hidden == pytest.approx(0.2 + 31 / 512, abs=2.5 / size)
    softened = ((line > 0) & (line < 1)).sum() / size
    assert 0.015 < softened < 0.14
    assert line[0] == line[-1] == 1


def test_no_frame_is_guided_by_its_own_moment(filmed: Filmed):
    material = filmed.material
    place = {int(frame): number for number, frame in enumerate(material.frames)}

    def redness(picture: np.ndarray) -> float:
        return float((picture[..., 0].astype(int) - picture[..., 1] > 60).mean())

    # 0.2 s later the same head is drawn from that pivot, so it is missed where it is not used.
    assert redness(material.guide[place[TWIN]]) > 0.5
    for version in range(2):
        for frame in (MARKED - 1, MARKED, MARKED + 1):
            assert redness(material.guides[version, place[frame]]) == 0
    assert material.guides.max() > 0


def test_frames_to_judge_by_are_blocks_that_nothing_is_learnt_from(filmed: Filmed):
    material = filmed.material
    count = len(material.frames)
    together = np.concatenate([material.train, material.validation])
    assert np.array_equal(np.sort(together), np.arange(count))
    assert len(np.flatnonzero(np.diff(material.validation) > 1)) + 1 == SETTINGS.validation_blocks
    assert np.isin(material.pivots, material.train).all()
    judged = set(material.frames[material.validation].tolist())
    assert material.frames[material.pivots].tolist() == [f for f in PIVOTS if f not in judged]
    assert judged & set(PIVOTS.tolist())  # one of them would have been a pivot


@pytest.mark.parametrize(
    ("count", "share", "blocks"), [(40, 0.12, 3), (500, 0.12, 3), (500, 0.49, 7), (30, 0.1, 1), (32, 0.3, 4)]
)
def test_blocks_are_even_and_as_long_as_asked(count: int, share: float, blocks: int):
    places = validation_blocks(count, share, blocks)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    assert len(runs) == blocks
    assert len({len(run) for run in runs}) == 1
    assert len(places) == pytest.approx(count * share, abs=blocks)
    assert places[0] >= 0
    assert places[-1] < count
    middles = np.array([run.mean() for run in runs])
    assert np.allclose(np.diff(middles), count / blocks, atol=1.0)


def test_more_blocks_than_frames_leave_something_to_learn_from():
    places = validation_blocks(30, 0.12, 20)
    assert len(places) <= 15


def test_recombined_moments_mix_poses_and_faces():
    motion, count = filmed_motion(), 400
    motion.expression[:, 0] = np.linspace(-1, 1, FRAMES)
    made = recombined(motion, count, np.random.default_rng(5))
    assert len(made) == count
    for value in vars(made).values():
        assert np.isfinite(value).all()
        assert value.dtype == np.float32
    # Place tells the frame whose pose it is, gaze the frame whose face it is (frame 18 is 16 once more).
    pose = np.array([np.flatnonzero((motion.camera == row).all(1))[0] for row in made.camera])
    face = np.array([np.flatnonzero((motion.gaze == row).all(1))[0] for row in made.gaze])
    assert len(set(pose)) > 0.8 * FRAMES
    assert len(set(face)) > 0.8 * FRAMES
    assert abs(np.corrcoef(pose, face)[0, 1]) < 0.2
    off = made.angles - motion.angles[pose]
    assert (np.abs(off) <= np.array([8.0, 8.0, 2.0]) + 1e-4).all()
    assert (np.abs(off).max(0) > np.array([7.0, 7.0, 1.7])).all()
    opened = made.jaw[:, 0] / np.maximum(motion.jaw[face, 0], 1e-6)
    opened = opened[motion.jaw[face, 0] > 0.02]
    assert opened.min() == pytest.approx(0.5, abs=0.05)
    assert opened.max() == pytest.approx(1.5, abs=0.05)
    assert made.angles[:, 0].max() > motion.angles[:, 0].max() + 3
    assert made.expression.std(0).min() > 0.2  # also what this person never does


def test_made_up_moments_are_drawn_from_all_pivots_and_from_fewer(filmed: Filmed):
    material = filmed.material
    assert material.made_targets.shape == material.made_guides.shape == (6, SIDE, SIDE, 3)
    assert len(material.made_motion) == 6
    for value in vars(material.made_motion).values():
        assert np.isfinite(value).all()
    drawn = material.made_targets.reshape(6, -1)
    assert (drawn > 0).mean() > 0.9


def test_the_same_seed_cuts_the_same_and_one_pivot_is_always_left(filmed: Filmed, tmp_path: Path):
    # Nearly everything may be missing: three pivots, all in reach.
    pivots = pivot_set()
    pivots = replace(pivots, learnt_from=(8, LEARNT))
    first = filmed.cut(tmp_path / "a", pivots, FEW)
    again = filmed.cut(tmp_path / "b", pivots, FEW)
    other = filmed.cut(tmp_path / "c", pivots, replace(FEW, seed=1, recombined=0, guides=2))
    for name in ("guides", "made_guides", "made_targets", "real"):
        assert (first / f"{name}.npy").read_bytes() == (again / f"{name}.npy").read_bytes()
    made = load_material(other)
    assert len(made.made_motion) == len(made.made_guides) == 0
    assert not np.array_equal(made.guides[1], load_material(first).guides[1])
    # The first version has no chance in it.
    assert np.array_equal(made.guides[0], load_material(first).guides[0])
    assert made.frames[0] == 8
    assert (made.frames[made.pivots] >= 8).all()


def test_too_few_frames_are_said_before_anything_is_written(filmed: Filmed, tmp_path: Path):
    # 24 frames are enough to cut from, but what is left to learn from is not.
    for past in (15, 24):
        folder = tmp_path / str(past)
        with pytest.raises(Problem, match="good frames are left"):
            filmed.cut(folder, replace(pivot_set(), learnt_from=(0, past)), FEW)
        assert not list(folder.iterdir())


@pytest.mark.parametrize("damage", ["half", "nothing", "other", "gone"])
@pytest.mark.parametrize("name", ["material.npz", "guides.npy"])
def test_damaged_material_is_named(filmed: Filmed, tmp_path: Path, name: str, damage: str):
    folder = Path(shutil.copytree(filmed.folder, tmp_path / "material"))
    path = folder / name
    if damage == "gone":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes({"half": data[: len(data) // 2], "nothing": b"", "other": b"not it"}[damage])
    with pytest.raises(Problem, match="build again"):
        load_material(folder)


def test_material_that_lacks_something_is_damaged(filmed: Filmed, tmp_path: Path):
    folder = Path(shutil.copytree(filmed.folder, tmp_path / "material"))
    with np.load(folder / "material.npz") as archive:
        kept = {n: archive[n] for n in archive.files if n not in ("train", "motion_jaw")}
    np.savez(folder / "material.npz", **kept)
    with pytest.raises(Problem, match="build again"):
        load_material(folder)


def test_motion_of_nobody_gives_nobody():
    motion = HeadMotion.neutral(3, np.array([750.0, 96.0, 96.0], np.float32))
    assert len(recombined(motion, 0, np.random.default_rng(0))) == 0
