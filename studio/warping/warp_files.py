"""What a warper draws with, on disk: numbers, one JPEG and one mask per pivot, and the background."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np
import numpy.typing as npt

from studio.domain.camera import Floats, Similarity, View
from studio.domain.controls import Control, ControlSheet
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.head import builtin_head
from studio.head.sheet import head_sheet
from studio.project.edit_files import FOLDER as EDITS_FOLDER
from studio.warping.mesh import PersonMesh, ShellMotion
from studio.warping.parts import WarpParts
from studio.warping.plate import Plate
from studio.warping.settings import WarpSettings

SCHEMA = 3
"""Version of the files below."""
JPEG_QUALITY = 97
"""Above this, files grow and nothing is seen; measured loss is under 0.05 dB in renders."""
_CARD, _NUMBERS, _PLATE, _PICTURES = "warp.json", "warp.npz", "plate.png", "pivots"


def save_parts(folder: Path, parts: WarpParts) -> None:
    """Write all files into an existing folder. The caller renames the folder into place when it is whole."""
    mesh = parts.mesh
    pictures = folder / _PICTURES
    pictures.mkdir()

    def write(number: int) -> None:
        texture = parts.textures[number]
        _write_image(
            pictures / f"{number:04d}.jpg", texture[..., 2::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        )
        _write_image(pictures / f"{number:04d}.png", texture[..., 3], [])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(len(parts.textures))))
    _write_image(folder / _PLATE, parts.plate.image[..., [2, 1, 0, 3]], [])
    motion = {f"motion_{f.name}": getattr(parts.motion, f.name) for f in fields(HeadMotion)}
    np.savez_compressed(
        folder / _NUMBERS,
        identity=mesh.identity,
        offset=mesh.offset,
        rest_camera=mesh.rest_camera,
        rest_angles=mesh.rest_angles,
        border=mesh.border,
        trust=parts.trust.astype(np.float16),
        shell=parts.shell,
        **{f"shell_{f.name}": getattr(mesh.shell_motion, f.name) for f in fields(ShellMotion)},
        stage=parts.stage.placement.to_array(),
        **motion,
        **({} if parts.change is None else {"change": parts.change}),
    )
    card = {
        "schema_version": SCHEMA,
        "head_model": mesh.model.id,
        "pivots": len(parts.textures),
        "stage_size": [parts.stage.width, parts.stage.height],
        "plate_deviation": parts.plate.deviation,
        "settings": asdict(parts.settings),
        "controls": [asdict(c) for c in parts.sheet.controls],
    }
    (folder / _CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")


def load_parts(folder: Path) -> WarpParts:
    """Read what :func:`save_parts` wrote.

    Raises:
        Problem: files are missing or damaged, or belong to a head model that is not here.
    """
    try:
        card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
        if card["schema_version"] != SCHEMA:
            raise Problem("This avatar was built by another version of the program; build it again.")
        numbers = _read_numbers(folder / _NUMBERS)
        textures = _read_textures(folder / _PICTURES, int(card["pivots"]))
        plate = _read_image(folder / _PLATE, cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]
        return _assemble(card, numbers, textures, plate)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise Problem(
            f"The avatar in “{folder.name}” is damaged ({error}); build it again to repair it."
        ) from error


def link_parts(base: Path, folder: Path, change: Floats | None = None) -> None:
    """What :func:`save_parts` wrote, once more in another, existing folder: for what stands on it.

    Files are linked where the disk can, otherwise copied: removing the one avatar must not break the other.
    What belongs to the instant avatar alone stays behind.

    Args:
        base: where it was written.
        folder: where it goes.
        change: another shape to bake in, in place of the base's; see :class:`WarpParts`.
    """
    for source in sorted(base.rglob("*")):
        target = folder / source.relative_to(base)
        if source.relative_to(base).parts[0] == EDITS_FOLDER:
            continue
        if source.is_dir():
            target.mkdir(exist_ok=True)
        elif source.name not in ("avatar.json", "made.json"):
            try:
                os.link(source, target)
            except OSError:
                shutil.copy2(source, target)
    if change is not None:
        numbers = {**_read_numbers(base / _NUMBERS), "change": change}
        (folder / _NUMBERS).unlink()  # a link: the base's own must not be written into
        np.savez_compressed(folder / _NUMBERS, **numbers)


def _assemble(
    card: dict[str, Any],
    numbers: dict[str, npt.NDArray[Any]],
    textures: npt.NDArray[np.uint8],
    plate: npt.NDArray[np.uint8],
) -> WarpParts:
    model = builtin_head()
    if card["head_model"] != model.id:
        raise Problem(
            f"This avatar was built with the head model “{card['head_model']}”, which this version does not "
            "have; build it again."
        )
    mesh = PersonMesh(
        model,
        **{name: numbers[name] for name in ("identity", "offset", "rest_camera", "rest_angles", "border")},
        shell_motion=ShellMotion(**{f.name: numbers[f"shell_{f.name}"] for f in fields(ShellMotion)}),
    )
    motion = HeadMotion(**{f.name: numbers[f"motion_{f.name}"] for f in fields(HeadMotion)})
    controls = [
        Control(**{**c, "reliable": tuple(c["reliable"]) if c["reliable"] else None})
        for c in card["controls"]
    ]
    sheet = ControlSheet(tuple(controls))
    if len(motion) == 1 and not any(control.reliable for control in controls):
        sheet = head_sheet(motion, mesh.rest_camera)  # built before it was known what a picture carries
    width, height = card["stage_size"]
    change = numbers.get("change")
    if change is not None and change.shape != (mesh.shell[1], 3):
        raise ValueError("its baked shape is another mesh's")
    return WarpParts(
        mesh=mesh,
        motion=motion,
        textures=textures,
        shell=numbers["shell"],
        trust=numbers["trust"].astype(np.float32),
        plate=Plate(np.ascontiguousarray(plate), float(card["plate_deviation"])),
        stage=View(Similarity.from_array(numbers["stage"]), width, height),
        settings=WarpSettings(**card["settings"]),
        sheet=sheet,
        change=change,
    )


def _read_numbers(path: Path) -> dict[str, npt.NDArray[Any]]:
    # Opened here, because numpy leaves a file that is no archive open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_textures(folder: Path, count: int) -> npt.NDArray[np.uint8]:
    def read(number: int) -> npt.NDArray[np.uint8]:
        colour = _read_image(folder / f"{number:04d}.jpg", cv2.IMREAD_COLOR)
        mask = _read_image(folder / f"{number:04d}.png", cv2.IMREAD_GRAYSCALE)
        return np.dstack([colour[..., ::-1], mask])

    def read_all() -> Iterator[npt.NDArray[np.uint8]]:
        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(read, range(count))

    return np.stack(list(read_all()))


def _write_image(path: Path, image: npt.NDArray[np.uint8], options: list[int]) -> None:
    # Through memory, because OpenCV's own file functions cannot open every path on Windows.
    done, data = cv2.imencode(path.suffix, np.ascontiguousarray(image), options)
    if not done:
        raise OSError(f"could not encode {path.name}")
    path.write_bytes(data.tobytes())


def _read_image(path: Path, mode: int) -> npt.NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), mode)
    if image is None:
        raise ValueError(f"{path.name} cannot be read as a picture")
    return np.asarray(image, np.uint8)
