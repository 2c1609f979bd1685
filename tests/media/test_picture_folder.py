"""A folder of pictures: exact, whole or not at all, and never in place of something else."""

from __future__ import annotations

import wave
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from studio.domain.problem import Problem
from studio.media.picture_folder import PictureFolder
from studio.media.provenance import PROVENANCE, read_comment

RATE = Fraction(25)


def noise(number, channels=3):
    return np.random.default_rng(number).integers(0, 256, (40, 40, channels)).astype(np.uint8)


def write(path, pictures, pictures_from=None, **more):
    alpha = pictures[0].shape[2] == 4
    with PictureFolder(path, 40, 40, RATE, alpha=alpha, **more) as output:
        for picture in pictures_from or pictures:
            output.write(picture)
    return output


def names_in(folder):
    return sorted(each.name for each in folder.iterdir() if each.name != "home")


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("quality", ["small", "best"])
def test_every_bit_comes_back(tmp_path, channels, quality):
    pictures = [noise(n, channels) for n in range(3)]
    folder = tmp_path / "take 1.5 100%d 🎬"
    write(folder, pictures, quality=quality, comment=PROVENANCE)
    assert names_in(folder) == ["frame_000000.png", "frame_000001.png", "frame_000002.png"]
    for file, picture in zip(sorted(folder.iterdir()), pictures):
        assert np.array_equal(np.asarray(Image.open(file)), picture)
        assert Image.open(file).info["Comment"] == PROVENANCE
    assert read_comment(folder) == PROVENANCE


def test_the_sound_lies_beside_as_long_as_the_pictures(tmp_path, clip):
    driver = clip(tmp_path / "driver.mp4", [noise(0)] * 30, sound=np.sin(np.arange(48000) / 20) * 0.3)
    write(tmp_path / "shots", [noise(n) for n in range(10)], sound_from=driver, sound_start=Fraction(1, 5))
    with wave.open(str(tmp_path / "shots" / "sound.wav")) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(0.4, abs=0.001)


def test_an_exception_leaves_the_old_pictures_and_nothing_else(tmp_path):
    folder = tmp_path / "shots"
    write(folder, [noise(7)] * 2)

    def interrupted():
        yield noise(1)
        assert len(names_in(folder)) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(folder, noise(7)[None], pictures_from=interrupted())
    assert np.array_equal(np.asarray(Image.open(folder / "frame_000001.png")), noise(7))
    assert names_in(tmp_path) == ["shots"]
    write(folder, [noise(2)])
    assert names_in(folder) == ["frame_000000.png"], "a shorter export leaves no old frames behind"


def test_an_empty_folder_may_be_used(tmp_path):
    (tmp_path / "shots").mkdir()
    write(tmp_path / "shots", [noise(1)])
    assert names_in(tmp_path / "shots") == ["frame_000000.png"]


def test_a_folder_with_anything_else_in_it_is_never_replaced(tmp_path):
    folder = tmp_path / "holiday"
    write(folder, [noise(1)])
    (folder / "beach.png").write_bytes(b"the only copy")
    with pytest.raises(Problem, match="holds other files"):
        PictureFolder(folder, 40, 40, RATE)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(Problem, match="points to another place"):
        PictureFolder(tmp_path / "link", 40, 40, RATE)
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="is a file"):
        PictureFolder(tmp_path / "file", 40, 40, RATE)
    assert (folder / "beach.png").read_bytes() == b"the only copy"


def test_no_pictures_is_a_problem(tmp_path):
    with pytest.raises(Problem, match="no picture"), PictureFolder(tmp_path / "shots", 40, 40, RATE):
        pass
    assert names_in(tmp_path) == []


def test_wrong_shape_or_type_is_a_mistake_of_ours(tmp_path):
    for wrong in (noise(1, 4), noise(1).astype(np.float32), noise(1)[:20]):
        with pytest.raises(ValueError), PictureFolder(tmp_path / "shots", 40, 40, RATE) as output:
            output.write(wrong)
    assert names_in(tmp_path) == []
