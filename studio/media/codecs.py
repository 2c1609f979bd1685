"""What can be written, as data: one entry a codec. A new codec is a new entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Quality = Literal["small", "good", "best"]
"""small for messages, good for the web and watching, best for further editing."""
CodecId = Literal["h264", "hevc", "prores", "vp9", "png"]
"""Keys of :data:`CODECS`."""
Alpha = Literal["none", "straight", "premultiplied"]
"""none: the picture with its background. Otherwise the person alone: straight keeps full colour under soft
edges, premultiplied has colour multiplied by coverage, as some compositing programs ask for."""


@dataclass(frozen=True)
class QualitySettings:
    """How much room and time an encoder may take."""

    constant_quality: int
    """Constant rate factor, or quantiser, of the encoder; lower is better and larger."""
    effort: str
    """Encoder preset; slower makes smaller files of the same quality."""
    sound_kbit: int
    """Bit rate of re-encoded sound in kbit/s; nothing to codecs that keep sound as it is."""
    bits_per_pixel: float
    """What a talking head at 512 x 512 took when it was measured; for forecasts."""


@dataclass(frozen=True)
class Codec:
    """A way to write moving pictures, as the ffmpeg program is told of it."""

    id: CodecId
    """Short name for settings and the command line."""
    title: str
    """Name for people."""
    hint: str
    """One sentence for people: what it is good for."""
    containers: Mapping[str, str]
    """File name suffix, lower case with its dot, to ffmpeg's container format. Empty for a codec that writes
    a folder of pictures."""
    qualities: Mapping[Quality, QualitySettings]
    """Settings of each quality."""
    pixels: str = ""
    """ffmpeg's pixel format that is encoded."""
    alpha_pixels: str = ""
    """The same with coverage; empty where there is none."""
    alphas: tuple[Alpha, ...] = ("none",)
    """What it can hold, the usual first. PNG and WebM are straight by their standards: a player would show
    premultiplied colours with dark edges."""
    even: bool = False
    """Width and height must be even (chroma is stored at half size)."""
    arguments: tuple[str, ...] = ()
    """Encoder options; ``{constant_quality}`` and ``{effort}`` are filled in from the quality."""
    alpha_arguments: tuple[str, ...] = ()
    """Further options where coverage is written."""
    sound: tuple[str, ...] = ("-c:a", "aac", "-b:a", "{sound_kbit}k")
    """Sound encoder options."""
    sound_taken: tuple[str, ...] = ("aac",)
    """Sound formats whose packets can be taken over as they are."""
    container_arguments: tuple[str, ...] = ()
    """Options of the finished file."""

    @property
    def is_folder(self) -> bool:
        """Whether it writes a folder of pictures instead of a file."""
        return not self.containers

    @property
    def suffix(self) -> str:
        """The usual file name ending with its dot; empty for a folder."""
        return next(iter(self.containers), "")

    def filters(self, alpha: bool) -> str:
        """Filter chain from full-range RGB to the pixels that are encoded, with their colour tags."""
        return _BT709.format(pixels=self.alpha_pixels if alpha else self.pixels)

    def encoder_arguments(self, quality: Quality, alpha: bool = False) -> list[str]:
        """Encoder options at that quality."""
        chosen = self.arguments + (self.alpha_arguments if alpha else ())
        return [text.format(**vars(self.qualities[quality])) for text in chosen]

    def sound_arguments(self, quality: Quality) -> list[str]:
        """Sound encoder options at that quality."""
        return [text.format(**vars(self.qualities[quality])) for text in self.sound]


_BT709 = (
    "scale=in_range=full:out_range=limited:out_color_matrix=bt709:flags=accurate_rnd+full_chroma_inp+bicubic,"
    "format={pixels},setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
)
# The index in front lets a player start before the file has arrived.
_INDEX_FIRST = ("-movflags", "+faststart")

CODECS: Mapping[str, Codec] = {
    codec.id: codec
    for codec in (
        Codec(
            id="h264",
            title="H.264 video (MP4)",
            hint="Plays everywhere.",
            containers={".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"},
            pixels="yuv420p",
            even=True,
            arguments=(
                *("-c:v", "libx264", "-profile:v", "high"),
                *("-preset", "{effort}", "-crf", "{constant_quality}"),
            ),
            qualities={
                "small": QualitySettings(26, "medium", 128, 0.03),
                "good": QualitySettings(18, "fast", 192, 0.08),
                "best": QualitySettings(12, "medium", 256, 0.15),
            },
            container_arguments=_INDEX_FIRST,
        ),
        Codec(
            id="hevc",
            title="HEVC video (MP4)",
            hint="Smaller files than H.264 for phones and televisions of the last years; slower to write.",
            containers={".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"},
            pixels="yuv420p",
            even=True,
            arguments=(
                # Apple's players want the name hvc1. x265 talks past ffmpeg's log level.
                *("-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=error"),
                *("-preset", "{effort}", "-crf", "{constant_quality}"),
            ),
            qualities={
                "small": QualitySettings(28, "medium", 128, 0.02),
                "good": QualitySettings(20, "fast", 192, 0.06),
                "best": QualitySettings(14, "medium", 256, 0.13),
            },
            container_arguments=_INDEX_FIRST,
        ),
        Codec(
            id="prores",
            title="ProRes 4444 video (MOV)",
            hint="For editing programs: large files, full colour, the person alone if you wish.",
            containers={".mov": "mov"},
            pixels="yuv444p10le",
            alpha_pixels="yuva444p10le",
            alphas=("none", "straight", "premultiplied"),
            arguments=("-c:v", "prores_ks", "-profile:v", "4444", "-qscale:v", "{constant_quality}"),
            alpha_arguments=("-alpha_bits", "16"),
            qualities={
                "small": QualitySettings(16, "", 0, 1.3),
                "good": QualitySettings(8, "", 0, 2.0),
                "best": QualitySettings(3, "", 0, 4.0),
            },
            sound=("-c:a", "pcm_s16le"),
        ),
        Codec(
            id="vp9",
            title="VP9 video (WebM)",
            hint="For web pages, with the person alone if you wish; slow to write.",
            containers={".webm": "webm"},
            pixels="yuv420p",
            alpha_pixels="yuva420p",
            alphas=("none", "straight"),
            even=True,
            arguments=(
                *("-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "{constant_quality}"),
                *("-deadline", "good", "-cpu-used", "{effort}", "-row-mt", "1"),
            ),
            # Frames that are never shown cannot carry coverage.
            alpha_arguments=("-auto-alt-ref", "0"),
            qualities={
                "small": QualitySettings(38, "5", 96, 0.025),
                "good": QualitySettings(28, "4", 128, 0.06),
                "best": QualitySettings(16, "3", 192, 0.1),
            },
            sound=("-c:a", "libopus", "-b:a", "{sound_kbit}k"),
            sound_taken=(),
        ),
        Codec(
            id="png",
            title="PNG pictures (folder)",
            hint="Every frame exactly as it was rendered, and the sound beside them; the largest of all.",
            containers={},
            alphas=("none", "straight"),
            qualities={
                "small": QualitySettings(0, "6", 0, 9.5),
                "good": QualitySettings(0, "4", 0, 10.5),
                "best": QualitySettings(0, "1", 0, 12.0),
            },
            sound=("-c:a", "pcm_s16le"),
            sound_taken=(),
        ),
    )
}
"""Codecs by id, in the order they are offered."""
