"""A comparison on disk whose every figure and pixel is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.compare_result import COMPARISON, CURVES, FILE, FRAMES
from studio.project.documents import write_document

FRAMES_SEEN = np.array([100, 101, 102, 104, 105, 106, 107, 108])
"""103 was not good enough."""
SIZE = 64
WRONG = {"a": 8, "b": 24, "nearest": 40}
"""By how many levels each side is wrong in every pixel."""
LPIPS_OFF = "LPIPS is off because its trunk is not on this machine: put it into the weights folder."


def measure(name: str, title: str, unit: str, better: str, digits: int) -> dict:
    return {
        "id": name, "title": title, "unit": unit, "better": better, "digits": digits, "source": "a paper",
    }  # fmt: skip


MEASURES = [
    measure("psnr", "PSNR", "dB", "higher", 2),
    measure("lpips", "LPIPS", "", "lower", 4),
    measure("akd", "AKD", "px at 256²", "lower", 3),
    measure("sharpness_ratio", "Sharpness ratio", "", "near one", 3),
    measure("flicker", "Flicker", "levels", "near zero", 3),
    measure("face_found", "Face found", "share", "higher", 3),
]
MEANS = {
    "a": {"psnr": 30.07, "akd": 1.5, "sharpness_ratio": 0.8, "flicker": -0.9, "face_found": 1.0},
    "b": {"psnr": 20.53, "akd": 1.2, "sharpness_ratio": 1.1, "flicker": 0.4, "face_found": 1.0},
    "nearest": {"psnr": 16.09, "akd": 2.5, "sharpness_ratio": 1.0, "flicker": 4.0, "face_found": 1.0},
}
"""A is better in PSNR alone; B in AKD, sharpness (nearer to one) and flicker (nearer to zero)."""


def real_picture(frame: int) -> np.ndarray:
    """``[SIZE, SIZE, 3]``, another grey in every frame, darker towards the left."""
    ramp = np.arange(SIZE, dtype=np.uint8)[None, :, None] + np.uint8(frame - 60)
    return np.broadcast_to(ramp, (SIZE, SIZE, 3)).copy()


def write_result(folder: Path, frames: np.ndarray = FRAMES_SEEN) -> Path:
    """A result of the kind that the worker leaves."""
    (folder / FRAMES).mkdir(parents=True)
    curves = {}
    for side, wrong in WRONG.items():
        wave = np.linspace(0, 1, len(frames), dtype=np.float32)
        curves[f"{side}.psnr"] = np.float32(MEANS[side]["psnr"]) + wave * (wrong / 8)
        curves[f"{side}.akd"] = np.float32(MEANS[side]["akd"]) + wave
        curves[f"{side}.akd"][2] = np.nan
    for frame in frames:
        real = real_picture(int(frame))
        strip = np.concatenate([real, *(real + np.uint8(wrong) for wrong in WRONG.values())], 1)
        Image.fromarray(strip).save(folder / FRAMES / f"{frame:06d}.png")
    np.savez(folder / CURVES, **curves)
    content = {
        "sides": {"a": {"engine": "instant", "key": "1"}, "b": {"engine": "pvp", "key": "2"}},
        "clip": "portrait.mp4",
        "size": SIZE,
        "rate": 25.0,
        "held_out": [100, 108],
        "frames": frames.tolist(),
        "pictures": frames.tolist(),
        "measures": MEASURES,
        "means": MEANS,
        "off": {"lpips": LPIPS_OFF},
        "fps": {"a": 60.4, "b": 11.6},
        "counts": {"not_good": 1},
    }
    write_document(folder / FILE, COMPARISON, content)
    return folder
