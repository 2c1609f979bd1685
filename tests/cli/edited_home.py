"""A home with a person who has an instant avatar and a PVP avatar of toy size, without film or training."""

from __future__ import annotations

from pathlib import Path

from studio.domain.avatar import Avatar
from studio.engines.pvp.artefact import save_pvp
from studio.project.avatar_files import save_avatar
from studio.project.documents import write_document
from studio.project.store import CLIP, Store
from studio.warping.warp_files import link_parts
from tests.engines.pvp.small_avatar import parts_of, random_painter, write_base
from tests.training.filmed_person import LEARNT, write_tracking
from tests.warping.average_person import CAMERA, STAGE

NAME = "Ann Lee 🎬"


def write_home(home: Path, base: Path) -> None:
    """Make the home.

    Args:
        home: its folder.
        base: files of the instant avatar, see :func:`instant_files`.
    """
    subject = Store(home).add(NAME)
    clip = subject.path / "clips" / "film"
    (clip / "track").mkdir(parents=True)
    (clip / "source.mp4").write_bytes(b"a film that nobody looks at")
    about = {"key": "film", "title": "film.mp4", "source": "source.mp4", "imported": "2026-01-01T00:00:00"}
    write_document(clip / "clip.json", CLIP, about)
    write_tracking(clip / "track" / "tracked")
    lineage = {
        "inputs": {"clip": "film", "track": "tracked"},
        "learnt_from": [0, LEARNT],
        "rest_camera": [float(value) for value in CAMERA],
    }
    pvp = subject.avatar("pvp", "0abc")
    pvp.mkdir(parents=True)
    save_pvp(pvp, parts_of(base, random_painter(), 0.5), base)
    save_avatar(pvp, Avatar(NAME, "pvp", "0abc", pvp, STAGE, lineage))
    instant = subject.avatar("instant", "0123")
    instant.mkdir(parents=True)
    link_parts(base, instant)
    save_avatar(instant, Avatar(NAME, "instant", "0123", instant, STAGE, lineage))


def instant_files(folder: Path) -> Path:
    """The files of an instant avatar, to be made once."""
    return write_base(folder)
