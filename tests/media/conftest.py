"""Tiny clips of known content, made with PyAV: numbered frames, any timestamps, matrix, colours, sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

SIZE = 64


def numbered(number: int, height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """A picture that spells ``number`` in eight black or white columns; survives any encoder."""
    bits = np.array([255 * (number >> bit & 1) for bit in range(8)], np.uint8)
    row = np.repeat(bits, -(-width // 8))[:width]
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))


def number_in(picture: np.ndarray) -> int:
    """What `numbered` wrote."""
    width = picture.shape[1]
    cells = [picture[:, round((bit + 0.5) * width / 8)].mean() > 128 for bit in range(8)]
    return sum(1 << bit for bit, white in enumerate(cells) if white)


def encode_clip(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    rate: Fraction = Fraction(30),
    stamps: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    matrix: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    colours: dict[str, int] | None = None,
    sound: np.ndarray | None = None,
    sound_rate: int = 48000,
    sound_codec: str = "aac",
    container: dict[str, str] | None = None,
) -> Path:
    """Write a clip. ``stamps`` are in units of ``time_base`` (1 / rate by default); ``sound`` is mono, -1..1,
    from time 0; ``colours`` holds H.273 numbers for the encoder's context."""
    base = time_base or 1 / rate
    with av.open(str(path), "w", options=container or {}) as file:
        stream = None
        voice = file.add_stream(sound_codec, rate=sound_rate, layout="mono") if sound is not None else None
        for index, picture in enumerate(pictures):
            if stream is None:
                defaults = {"qp": "4", "x265-params": "log-level=none"} if codec == "libx264" else {}
                stream = file.add_stream(codec, rate=rate, options={**defaults, **(options or {})})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pixels
                stream.codec_context.time_base = base
                stream.time_base = base
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
                for name, value in (colours or {}).items():
                    setattr(stream.codec_context, name, value)
                if matrix is not None:
                    stream.set_display_matrix(list(matrix))
            form = "rgb48le" if picture.dtype == np.uint16 else "rgb24"
            frame = av.VideoFrame.from_ndarray(picture, form)
            wanted = colours or {}
            frame = frame.reformat(
                format=pixels,
                dst_colorspace=wanted.get("colorspace", 5),
                dst_color_range=wanted.get("color_range", 1),
                interpolation=int(av.video.reformatter.Interpolation.BICUBIC)
                | int(av.video.reformatter.Interpolation.ACCURATE_RND)
                | int(av.video.reformatter.Interpolation.FULL_CHR_H_INP),
            )
            for name, value in wanted.items():
                setattr(frame, name, value)
            frame.pts = stamps[index] if stamps is not None else index
            frame.time_base = base
            file.mux(stream.encode(frame))
        if stream is not None:
            file.mux(stream.encode(None))
        if voice is not None and sound is not None:
            samples = (np.clip(sound, -1, 1) * 32767).astype(np.int16)[None]
            part = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            part.sample_rate, part.pts, part.time_base = sound_rate, 0, Fraction(1, sound_rate)
            resampler = av.AudioResampler(
                voice.codec_context.format, "mono", sound_rate, voice.frame_size or 1024
            )
            for each in [*resampler.resample(part), *resampler.resample(None)]:
                file.mux(voice.encode(each))
            file.mux(voice.encode(None))
    return path


@pytest.fixture
def clip() -> Callable[..., Path]:
    """`encode_clip`."""
    return encode_clip


@pytest.fixture
def spell() -> Callable[..., np.ndarray]:
    """`numbered`."""
    return numbered


@pytest.fixture
def spelled() -> Callable[[np.ndarray], int]:
    """`number_in`."""
    return number_in
