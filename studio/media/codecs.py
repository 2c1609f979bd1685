"""What can be written, as data: one entry a codec. A new codec is a new entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Quality = Literal["small", "good", "best"]
"""small for messages, good for the web and watching, best for further editing."""


@dataclass(frozen=True)
class QualitySettings:
    """How much room and time an encoder may take."""

    constant_quality: int
    """Constant rate factor of the encoder; lower is better and larger."""
    effort: str
    """Encoder preset; slower makes smaller files of the same quality."""
    sound_kbit: int
    """Bit rate of re-encoded sound in kbit/s."""


@dataclass(frozen=True)
class Codec:
    """A video codec as the ffmpeg program is told of it."""

    id: str
    """Short name for settings and the command line."""
    title: str
    """Name for people."""
    containers: Mapping[str, str]
    """File name suffix, lower case with its dot, to ffmpeg's container format."""
    filters: str
    """Filter chain from full-range RGB to the pixel format that is encoded, with its colour tags."""
    even: bool
    """Width and height must be even (chroma is stored at half size)."""
    arguments: tuple[str, ...]
    """Encoder options; ``{constant_quality}`` and ``{effort}`` are filled in from the quality."""
    qualities: Mapping[Quality, QualitySettings]
    """Settings of each quality."""
    container_arguments: tuple[str, ...] = field(default=())
    """Options of the finished file."""

    def encoder_arguments(self, quality: Quality) -> list[str]:
        """Encoder options at that quality."""
        settings = self.qualities[quality]
        return [
            text.format(constant_quality=settings.constant_quality, effort=settings.effort)
            for text in self.arguments
        ]


_BT709 = (
    "scale=in_range=full:out_range=limited:out_color_matrix=bt709:flags=accurate_rnd+full_chroma_inp+bicubic,"
    "format={pixels},setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
)

CODECS: Mapping[str, Codec] = {
    codec.id: codec
    for codec in (
        Codec(
            id="h264",
            title="H.264 (plays everywhere)",
            containers={".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"},
            filters=_BT709.format(pixels="yuv420p"),
            even=True,
            arguments=(
                "-c:v",
                "libx264",
                "-profile:v",
                "high",
                "-preset",
                "{effort}",
                "-crf",
                "{constant_quality}",
            ),
            qualities={
                "small": QualitySettings(constant_quality=26, effort="medium", sound_kbit=128),
                "good": QualitySettings(constant_quality=18, effort="fast", sound_kbit=192),
                "best": QualitySettings(constant_quality=12, effort="medium", sound_kbit=256),
            },
            # The index in front lets a player start before the file has arrived.
            container_arguments=("-movflags", "+faststart"),
        ),
    )
}
"""Codecs by id."""
