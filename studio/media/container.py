"""Opening a video file safely: local files of known formats only, and a sentence for what can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio.domain.problem import Problem

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,h264,hevc,mxf"
"""Demuxers that may open a file. Playlists and picture formats are left out on purpose: a text file that is
a playlist could name other files or addresses."""
SOUND_FORMATS = f"{FORMATS},wav,mp3,aac,flac,aiff,caf"
"""Demuxers that may open a file for its sound."""

_READ_AS_PHOTOS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif")
PHOTO_ENDINGS = frozenset((*_READ_AS_PHOTOS, ".bmp", ".tif", ".tiff", ".dng", ".svg"))
"""Endings of files that somebody takes for a photo, whatever is in them: then that is what is spoken of."""


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """The opened file and the stream that holds the film (not a cover picture).

    The caller closes the container.

    Raises:
        Problem: missing, a folder, not permitted, empty, neither a video nor the photo that its name
            promises, or sound only.
    """
    if path.suffix.lower() in PHOTO_ENDINGS:
        what, advice = "a photo", "Choose a JPEG, PNG, WebP, AVIF or HEIC file, or save it as one."
    else:
        what, advice = "a video", "Choose an MP4, MOV, MKV or WebM file, or a photo."
    container = _open(path, FORMATS, what, advice)
    try:
        return container, _film(container, path)
    except BaseException:
        container.close()
        raise


def open_sound(path: Path) -> tuple[InputContainer, bool]:
    """An opened video or sound file, and whether it holds a film; the caller closes it.

    Raises:
        Problem: missing, a folder, not permitted, empty, or neither video nor sound.
    """
    container = _open(path, SOUND_FORMATS, "sound or video", "Choose a video, WAV, MP3 or M4A file.")
    return container, bool(_films(container))


def _open(path: Path, formats: str, what: str, advice: str) -> InputContainer:
    import av
    from av.error import FFmpegError

    _check_readable(path, "photo" if what == "a photo" else "video")
    # "file:" keeps names such as "concat:x" or "a:b.mp4" from being read as protocols.
    try:
        return av.open(
            f"file:{path}",
            container_options={"format_whitelist": formats, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (FFmpegError, OSError, ValueError) as error:
        raise Problem(
            f"“{path.name}” cannot be read as {what}; it is damaged, cut short or another kind of file. "
            f"{advice}"
        ) from error


def _check_readable(path: Path, kind: str) -> None:
    try:
        if path.is_dir():
            raise Problem(f"“{path.name or path}” is a folder; choose a {kind} file inside it.")
        if not path.exists():
            raise Problem(f"There is no file “{path}”; check the name and the folder.")
        if not path.is_file():
            raise Problem(f"“{path.name}” is not a regular file; choose a {kind} file.")
        with path.open("rb") as file:
            empty = not file.read(1)
    except PermissionError as error:
        raise Problem(
            f"“{path.name}” may not be read; change its permissions or copy it elsewhere."
        ) from error
    except (OSError, ValueError) as error:
        raise Problem(f"“{path}” cannot be read ({_reason(error)}); copy it to a local folder.") from error
    if empty:
        raise Problem(f"“{path.name}” is empty; choose another file or copy it from the phone again.")


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _films(container: InputContainer) -> list[VideoStream]:
    from av.stream import Disposition

    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & covers]


def _film(container: InputContainer, path: Path) -> VideoStream:
    from av.stream import Disposition

    films = _films(container)
    if not films:
        what = "only sound" if container.streams.audio else "no picture"
        raise Problem(f"“{path.name}” holds {what}; choose a file with video.")
    readable = [stream for stream in films if stream.codec_context is not None]
    if not readable:
        raise Problem(f"The pictures in “{path.name}” have an unknown format; export it as H.264 MP4.")
    # A few files carry a small preview beside the film.
    return max(readable, key=lambda stream: (bool(stream.disposition & Disposition.default), stream.width))
