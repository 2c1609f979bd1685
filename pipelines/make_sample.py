"""The project's own clip: a talking, turning head over known curves, to try the studio and test the tracker.

The picture is NASA's portrait of astronaut Eileen Collins, which is in the public domain and comes with
scikit-image. Its head is given a plausible solid shape (pipelines.sample.shape) and turned rigidly under a
scaled orthographic camera, so that angles, expression and the position of every vertex are known exactly.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.sample.performance import Performance, perform
from pipelines.sample.pose import Pose
from pipelines.sample.voice import SAMPLE_RATE, babble
from studio.domain.camera import Floats
from studio.domain.problem import Problem
from studio.domain.progress import Progress, silent
from studio.media import VideoWriter

STAGE_VERSION = 1
"""Raise when the same settings make a different clip."""

SHOWN = 268.0
"""Portrait pixels across the clip's picture, and the corner of the portrait where it begins."""
CORNER = (90.0, 2.0)


@dataclass(frozen=True)
class SampleSettings:
    """How the sample clip is made."""

    size: int = 640
    """Width and height of the clip in pixels; even."""
    seconds: float = 24.0
    """Length. The head's movements stretch with it."""
    rate: int = 25
    """Frames per second."""
    seed: int = 7
    """Chooses speech, blinks and glances; the same seed makes the same clip."""


@dataclass(frozen=True)
class SampleTruth:
    """What is true in each of the clip's T frames."""

    angles: Floats
    """``[T, 3]`` yaw, pitch, roll in degrees (studio.domain.camera)."""
    camera: Floats
    """``[T, 3]`` scale in pixels per metre, and the head's origin (the neck joint) in pixels."""
    jaw_open: Floats
    """``[T]`` jaw rotation in degrees."""
    eyelids: Floats
    """``[T, 2]`` viewer's left, viewer's right; 0 open, 1 closed."""
    gaze: Floats
    """``[T, 2]`` yaw and pitch in the head, degrees."""
    smile: Floats
    """``[T]`` 0 relaxed, 1 the portrait's smile."""
    lips_together: Floats
    """``[T]`` 1 where the lips meet."""
    rounded: Floats
    """``[T]`` 0..1, lips as in "oo"."""
    brow: Floats
    """``[T]`` -1..1, raised brows are positive."""
    blinks: npt.NDArray[np.int32]
    """``[B]`` frames with closed eyes, one for each blink."""
    landmarks: Floats
    """``[T, 478, 3]`` the true vertices in the picture, in MediaPipe's order; x, y, depth in pixels."""
    neutral: Floats
    """``[478, 3]`` the vertices without expression, head space in metres."""
    rate: int
    """Frames per second."""

    def save(self, path: Path) -> None:
        """Write as ``.npz``, aside and renamed."""
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(aside, "wb") as file:
                np.savez_compressed(file, **{f.name: getattr(self, f.name) for f in fields(self)})
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    @staticmethod
    def load(path: Path) -> SampleTruth:
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as found:
            values = {f.name: found[f.name] for f in fields(SampleTruth)}
        values["rate"] = int(values["rate"])
        return SampleTruth(**values)


def sample_path(home: Path) -> Path:
    """Where a home keeps the sample clip once it has been made."""
    return home / "sample" / "sample.mp4"


def truth_path(clip: Path) -> Path:
    """Where the truth of a sample clip lies: beside it."""
    return clip.with_suffix(".truth.npz")


def make_sample(
    path: Path, settings: SampleSettings | None = None, progress: Progress = silent
) -> SampleTruth:
    """Render the sample clip with sound, and its truth beside it; at once if both are there already.

    Args:
        path: the ``.mp4`` to make.
        settings: see :class:`SampleSettings`.
        progress: told after every frame.

    Returns:
        The truth, also written as ``NAME.truth.npz``.

    Raises:
        Problem: settings out of range, or a folder that cannot be written to.
    """
    settings = settings or SampleSettings()
    _check(settings)
    path = Path(path)
    stamp = path.with_suffix(".sample.json")
    wanted = {"version": STAGE_VERSION, **asdict(settings)}
    truth_file = truth_path(path)
    if path.exists() and truth_file.exists() and _read(stamp) == wanted:
        return SampleTruth.load(truth_file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
    except OSError as error:
        raise Problem(
            f"The sample cannot be written to “{path.parent}”: {error.strerror}. Choose another folder."
        ) from error

    # Heavy libraries are only needed from here on: a clip that is there already needs none.
    from pipelines.sample.puppet import Puppet

    progress(0, None, "Preparing the portrait")
    puppet = Puppet(settings.size, settings.size, settings.size / SHOWN, CORNER)
    performance = perform(settings.seconds, settings.rate, settings.seed)
    count = len(performance.angles)
    landmarks = np.empty((count, 478, 3), np.float32)
    cameras = np.empty((count, 3), np.float32)
    rate = Fraction(settings.rate)
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.mkv"
        _write_sound(sound, babble(performance, settings.rate, settings.seed), count, rate)
        with VideoWriter(path, settings.size, settings.size, rate, sound_from=sound) as writer:
            for frame in range(count):
                pose = _pose(performance, frame)
                writer.write(puppet.draw(pose))
                landmarks[frame] = puppet.landmarks(pose)
                cameras[frame] = puppet.camera(pose)
                progress(frame + 1, count, "Rendering the sample")
    truth = SampleTruth(
        angles=performance.angles,
        camera=cameras,
        jaw_open=performance.jaw_open,
        eyelids=performance.eyelids,
        gaze=performance.gaze,
        smile=performance.smile,
        lips_together=performance.lips_together,
        rounded=performance.rounded,
        brow=performance.brow,
        blinks=performance.blinks,
        landmarks=landmarks,
        neutral=puppet.neutral,
        rate=settings.rate,
    )
    truth.save(truth_file)
    stamp.write_text(json.dumps(wanted))
    return truth


def _check(settings: SampleSettings) -> None:
    if settings.size < 64 or settings.size % 2:
        raise Problem(
            f"A sample of {settings.size} pixels cannot be made: choose an even size of 64 or more."
        )
    if not 1 <= settings.rate <= 120:
        raise Problem(f"{settings.rate} frames per second are out of range: choose 1 to 120.")
    if not 1 <= settings.seconds <= 600:
        raise Problem(f"A sample of {settings.seconds:g} seconds cannot be made: choose 1 to 600.")


def _read(stamp: Path) -> object:
    try:
        return json.loads(stamp.read_text())
    except (OSError, ValueError):
        return None


def _pose(performance: Performance, frame: int) -> Pose:
    p = performance
    weights = [*p.eyelids[frame], p.lips_together[frame], 1 - p.smile[frame], p.rounded[frame], p.brow[frame]]
    return Pose(
        angles=p.angles[frame],
        shift=p.shift[frame],
        fields=np.array(weights, np.float32),
        jaw=float(np.deg2rad(p.jaw_open[frame])),
        gaze=p.gaze[frame],
    )


def _write_sound(path: Path, samples: npt.NDArray[np.int16], count: int, rate: Fraction) -> None:
    """Sound with a tiny black picture of the same length: what the video writer takes sound from."""
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=rate)
        video.width = video.height = 16
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        black = np.zeros((16, 16, 3), np.uint8)
        per = SAMPLE_RATE / rate
        for frame in range(count):
            for packet in video.encode(av.VideoFrame.from_ndarray(black, format="rgb24")):
                container.mux(packet)
            begin, end = round(frame * per), round((frame + 1) * per)
            piece = av.AudioFrame.from_ndarray(samples[None, begin:end], format="s16", layout="mono")
            piece.sample_rate = SAMPLE_RATE
            piece.pts = begin
            piece.time_base = Fraction(1, SAMPLE_RATE)
            for packet in audio.encode(piece):
                container.mux(packet)
        for stream in (video, audio):
            for packet in stream.encode(None):
                container.mux(packet)
