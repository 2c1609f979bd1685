"""What avatars are called where several are offered, what they were made from, and why one is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QDateTime, QLocale

from pipelines.first_avatar import Footing, Why, footing
from pipelines.import_job import is_photo
from studio.domain.avatar import Avatar
from studio.domain.problem import Problem
from studio.project.store import ClipFolder, SubjectFolder
from ui.words import avatar_title


def tr(text: str) -> str:
    """Translated, in the words of avatars."""
    return QCoreApplication.translate("avatars", text)


def clips_of(subject: SubjectFolder) -> dict[str, ClipFolder]:
    """Clips by their key; none where they cannot be read."""
    try:
        return {clip.clip.key: clip for clip in subject.clips()}
    except Problem:
        return {}


def clip_of(avatar: Avatar, clips: Mapping[str, ClipFolder]) -> ClipFolder | None:
    """What an avatar was made from, where it is still there."""
    return clips.get(str(avatar.lineage.get("inputs", {}).get("clip", "")))


def finished(avatar: Avatar) -> str:
    """When it was made, as the system writes dates."""
    when = QDateTime.fromSecsSinceEpoch(int(avatar.folder.stat().st_mtime))
    return QLocale().toString(when, QLocale.FormatType.ShortFormat)


def names(avatars: Sequence[Avatar], clips: Mapping[str, ClipFolder]) -> dict[Path, str]:
    """Folder to name: the engine's; with the clip's where two would be called alike, then with the date."""
    found = {avatar.folder: avatar_title(avatar) for avatar in avatars}
    for more in (lambda avatar: _clip_title(avatar, clips), finished):
        often = Counter(found.values())
        for avatar in avatars:
            words = more(avatar)
            if often[found[avatar.folder]] > 1 and words:
                found[avatar.folder] += f" · {words}"
    return found


def introduction(avatar: Avatar, clips: Mapping[str, ClipFolder], why: Why, count: int) -> str:
    """A sentence or two above the picture: what is shown, made from what, and why this one.

    Args:
        avatar: what is shown.
        clips: those of its subject.
        why: why it is shown.
        count: how many avatars there are.
    """
    reasons: dict[Why, str] = {
        "remembered": tr("Shown because you chose it last."),
        "finished": tr("It has just been finished."),
        "learnt most": tr("Of {n} avatars it learnt most from this person; the list above has the others."),
        "newest": tr("The newest of those that learnt most from this person; the list above has all {n}."),
        "original": tr("The others in the list above are copies with edits baked in."),
    }
    clip = clip_of(avatar, clips)
    made = tr("{avatar}.")
    if clip is not None and is_photo(clip):
        made = tr("{avatar}, made from the photo {clip}.")
    elif clip is not None and footing(avatar) == Footing.PICTURE:
        made = tr("{avatar}, made from one picture of {clip}.")
    elif clip is not None:
        made = tr("{avatar}, made from {clip}.")
    said = made.format(avatar=avatar_title(avatar), clip="" if clip is None else clip.clip.title)
    return f"{said} {reasons.get(why, '').format(n=count)}".strip()


def _clip_title(avatar: Avatar, clips: Mapping[str, ClipFolder]) -> str:
    clip = clip_of(avatar, clips)
    return "" if clip is None else clip.clip.title
