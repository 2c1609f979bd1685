"""A clip whose every pixel says where and when it was filmed, its tracking, and pivots of known colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from studio.domain.camera import Similarity, project
from studio.domain.motion import HeadMotion
from studio.domain.pivots import PivotSet
from studio.domain.sequence import Flag, TrackedSequence
from studio.media import VideoWriter
from studio.project.sequence_files import MASK_SIZE, MaskWriter, save_sequence
from studio.warping.warper import Warper
from tests.warping.average_person import CAMERA, SIZE, average_person, one_pivot_each, parts_from

FRAMES, LEARNT, RATE = 45, 36, Fraction(10)
"""The last nine frames are held out."""
BLURRED = 21
"""A frame that is no good."""
PIVOTS = np.arange(0, LEARNT, 4)
MARKED, TWIN = 16, 18
"""A pivot's frame, whose picture is red; and a frame 0.2 s later that moves just like it."""
RED, GREY = (220, 20, 20), (90, 90, 90)
PERSON_FROM = 96
"""Source column from which the person mask is white."""


def filmed_motion() -> HeadMotion:
    """Turning, tilting and wandering out of the picture; every frame's gaze and place are its own."""
    time = np.arange(FRAMES)
    motion = HeadMotion.neutral(FRAMES, CAMERA)
    motion.angles[:, 0] = np.linspace(-18, 18, FRAMES)
    motion.angles[:, 1] = 6 * np.sin(time)
    motion.angles[:, 2] = 25 * np.sin(time / 5)
    motion.camera[:, 1] += 30 * np.sin(time / 7)
    motion.camera[:, 2] += time / 10
    motion.jaw[:, 0] = 0.1 + 0.1 * np.sin(time / 2)
    motion.expression[:, :3] = np.stack([np.sin(time), np.cos(time), np.sin(time / 3)], 1)
    motion.gaze[:, 0] = time / 4
    for value in vars(motion).values():
        value[TWIN] = value[MARKED]
    return motion


def tracking() -> TrackedSequence:
    """What an errorless tracker says of the clip."""
    person, motion = average_person(), filmed_motion()
    points = person.model.landmarks(person.identity, person.offset, motion)
    flags = np.zeros(FRAMES, np.int32)
    flags[BLURRED] = int(Flag.BLURRED)
    box = Similarity(1 / SIZE, 0.0, 0.0, 0.0).to_array()
    return TrackedSequence(
        width=SIZE,
        height=SIZE,
        rate=RATE,
        landmarks=project(points, motion.angles, motion.camera),
        crops=np.tile(box, (FRAMES, 1)),
        mask_boxes=np.tile(box, (FRAMES, 1)),
        flags=flags,
        sharpness=np.ones(FRAMES, np.float32),
        head_model=person.model.id,
        identity=person.identity,
        offset=person.offset,
        motion=motion,
        fit_error=np.zeros(FRAMES, np.float32),
        tracker="test",
    )


def write_tracking(folder: Path) -> Path:
    """The sequence with masks that are white from :data:`PERSON_FROM` on."""
    folder.mkdir()
    save_sequence(folder, tracking())
    mask = np.zeros((MASK_SIZE, MASK_SIZE), np.uint8)
    mask[:, PERSON_FROM * MASK_SIZE // SIZE :] = 255
    with MaskWriter(folder) as masks:
        for _ in range(FRAMES):
            masks.write(mask)
    return folder


def when(red: np.ndarray) -> np.ndarray:
    """Frame numbers from mean red."""
    return (red - 20) / 4


def write_film(path: Path) -> Path:
    """Red tells the frame, green the column, blue the row; held-out frames are white, the bad one black."""
    y, x = np.mgrid[:SIZE, :SIZE]
    with VideoWriter(path, SIZE, SIZE, RATE, quality="best") as film:
        for t in range(FRAMES):
            picture = np.dstack([np.full((SIZE, SIZE), 20 + 4 * t), x, y]).astype(np.uint8)
            if t >= LEARNT:
                picture[:] = 255
            elif t == BLURRED:
                picture[:] = 0
            film.write(picture)
    return path


def pivot_set() -> PivotSet:
    """Every fourth frame of the part that is learnt from."""
    count = len(PIVOTS)
    return PivotSet(
        frames=PIVOTS.astype(np.int32),
        members=np.ones(count, np.int32),
        distance=np.zeros(count, np.float32),
        reasons=("",) * count,
        features=("yaw",),
        mean=np.zeros(1, np.float32),
        deviation=np.ones(1, np.float32),
        learnt_from=(0, LEARNT),
    )


def marked_warper() -> Warper:
    """Draws grey, and red where the marked pivot is used; nothing is blended."""
    textures = np.full((len(PIVOTS), SIZE, SIZE, 4), 255, np.uint8)
    textures[..., :3] = GREY
    textures[list(PIVOTS).index(MARKED), ..., :3] = RED
    plate = np.full((SIZE, SIZE, 4), 255, np.uint8)
    plate[..., :3] = GREY
    motion = filmed_motion().take(PIVOTS)
    return Warper(parts_from(average_person(), motion, textures, one_pivot_each(), plate))
