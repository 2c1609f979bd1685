"""Photos read as films of one frame: upright, in sRGB, reduced, or refused in a sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from studio.domain.problem import Problem
from studio.media import photo, probe, read_frames, read_selected

HERE = Path(__file__).parent


def blocks(width=60, height=40):
    """Another colour in each quarter, so that no turn looks like another."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[: height // 2, : width // 2] = (255, 0, 0)
    picture[: height // 2, width // 2 :] = (0, 255, 0)
    picture[height // 2 :, : width // 2] = (0, 0, 255)
    return picture


def save(path, picture, **options):
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path, **options)
    return path


def only(path):
    frames = list(read_frames(path))
    assert len(frames) == 1
    return frames[0]


def refused(path):
    for door in (probe, only, lambda p: list(read_selected(p, [0]))):
        with pytest.raises(Problem) as problem:
            door(path)
    text = str(problem.value)
    assert text.startswith(f"“{path.name}”")
    assert text.endswith(".")
    assert len(text) < 160
    return text


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "avif"])
def test_every_kind_is_a_film_of_one_frame(tmp_path, ending):
    path = save(tmp_path / f"me.{ending}", blocks(), quality=98)
    info = probe(path)
    assert (info.width, info.height, info.frames, info.photo) == (60, 40, 1, True)
    assert not info.has_sound
    assert not info.truncated
    assert np.abs(only(path)[5:15, 5:25].astype(int) - (255, 0, 0)).mean() < 6
    ((number, same),) = read_selected(path, [0])
    assert number == 0
    assert np.array_equal(same, only(path))


@pytest.mark.parametrize("way", range(1, 9))
def test_exif_says_which_way_up(tmp_path, way):
    exif = Image.Exif()
    exif[274] = way
    path = save(tmp_path / "turned.png", blocks(), exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    assert np.array_equal(only(path), upright)
    info = probe(path)
    assert (info.height, info.width) == upright.shape[:2]
    assert info.mirrored == (way in (2, 4, 5, 7))


def test_heic_is_turned_once(tmp_path):
    # Stored lying, with HEIF's own turn and an EXIF tag that repeats it, as telephones write.
    shown = only(HERE / "turned.heic")
    assert shown.shape == (60, 40, 3)
    stored = np.where(blocks() == 255, 255, 0) * (blocks() != (255, 255, 255)).any(-1, keepdims=True)
    assert np.abs(shown.astype(int) - np.rot90(stored, -1)).mean() < 1.0


def test_a_heic_without_what_reads_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pi_heif", None)
    path = tmp_path / "me.heic"
    path.write_bytes((HERE / "turned.heic").read_bytes())
    assert "JPEG or PNG" in refused(path)


def test_the_name_does_not_matter(tmp_path):
    path = save(tmp_path / "me.png", blocks())
    renamed = path.rename(tmp_path / "me.mp4")
    assert np.array_equal(only(renamed), blocks())


def test_a_huge_photo_is_reduced(tmp_path, monkeypatch):
    monkeypatch.setattr(photo, "LONGEST", 100)
    picture = np.zeros((200, 400, 3), np.uint8)
    picture[:, 200:] = 200
    for name in ("a.png", "a.jpg"):
        seen = only(save(tmp_path / name, picture))
        assert seen.shape == (50, 100, 3)
        assert abs(int(seen[25, 20, 0])) < 4
        assert abs(int(seen[25, 80, 0]) - 200) < 4


def test_a_claim_of_any_size_is_refused_without_making_room(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path = tmp_path / "bomb.png"
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    assert "10000 million pixels" in refused(path)


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_animations_are_refused(tmp_path, ending):
    path = tmp_path / f"dance.{ending}"
    first, second = Image.fromarray(blocks()), Image.fromarray(blocks()[::-1])
    first.save(path, save_all=True, append_images=[second], duration=100)
    assert "animated" in refused(path)


def test_a_second_picture_behind_the_first_is_no_animation(tmp_path):
    # Telephones put previews and depth behind the photo.
    path = tmp_path / "me.jpg"
    first, second = Image.fromarray(blocks()), Image.fromarray(blocks()[::-1])
    first.save(path, format="MPO", save_all=True, append_images=[second], quality=98)
    assert np.abs(only(path)[5:15, 5:25].astype(int) - (255, 0, 0)).mean() < 6


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "avif"])
def test_broken_files_are_refused(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    path = save(tmp_path / f"cut.{ending}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged or cut short" in refused(path)


def test_what_is_transparent_lies_on_white(tmp_path):
    picture = np.zeros((20, 20, 4), np.uint8)
    picture[:, :10] = (255, 0, 0, 255)
    seen = only(save(tmp_path / "cut_out.png", picture))
    assert (seen[:, :10] == (255, 0, 0)).all()
    assert (seen[:, 10:] == 255).all()


def test_sixteen_bits_and_palettes(tmp_path):
    deep = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    seen = only(save(tmp_path / "deep.png", deep))
    assert np.abs(seen[0, :, 0].astype(int) - np.arange(256)).max() <= 1
    few = Image.fromarray(blocks()).convert("P", palette=Image.Palette.ADAPTIVE)
    assert np.array_equal(only(save(tmp_path / "few.png", few)), blocks())


def test_colour_profiles_count(tmp_path):
    # sRGB with red and green exchanged: a picture that stores red shows green.
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for one, other in ((b"rXYZ", b"gXYZ"), (b"rTRC", b"gTRC")):
        profile = profile.replace(one, b"----").replace(other, one).replace(b"----", other)
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    seen = only(save(tmp_path / "wide.png", red, icc_profile=profile))
    assert seen[4, 4, 1] > 250
    assert seen[4, 4, 0] < 5
    broken = save(tmp_path / "odd.png", red, icc_profile=b"not a profile" * 20)
    assert (only(broken) == red).all()


def test_pictures_are_the_callers_own(tmp_path):
    path = save(tmp_path / "me.png", blocks())
    only(path)[:] = 0
    assert np.array_equal(only(path), blocks())


def test_a_photo_that_changes_is_read_anew(tmp_path):
    path = save(tmp_path / "me.png", blocks())
    assert np.array_equal(only(path), blocks())
    data = io.BytesIO()
    Image.fromarray(blocks(30, 20)).save(data, "PNG")
    path.write_bytes(data.getvalue())
    assert probe(path).width == 30
