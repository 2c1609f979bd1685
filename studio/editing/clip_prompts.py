"""What a person writes, as the pair of descriptions whose difference is the edit."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from studio.domain.problem import Problem

LONGEST = 1000
"""Characters at which a prompt is refused without counting its tokens."""
PERSON = "a person"
"""What a wish without a description of now starts from."""
TEMPLATES = (
    "{}",
    "a photo of {}",
    "a close-up photo of {}",
    "a portrait of {}",
    "a studio portrait of {}",
    "a headshot of {}",
    "a selfie of {}",
    "a snapshot of {}",
    "a sharp photo of {}",
    "a blurry photo of {}",
    "a bright photo of {}",
    "a dark photo of {}",
    "a low resolution photo of {}",
    "a frame of a video of {}",
    "a colour photo of {}",
    "the face of {}",
    "{} looking at the camera",
    "{} in front of a plain background",
)
"""Sentences that a description is put into. Their mean says what is common to all of them: the description
(prompt ensembling, Radford et al. 2021, section 3.1.4; the sentences are our own)."""

_ARTICLES = ("a ", "an ", "the ", "someone ", "somebody ")
_JOINS = ("with ", "without ", "wearing ", "who ", "that ", "having ", "in ", "on ", "of ")
_MARKS = re.compile(r"<\s*(start|end)_of_text\s*>", re.IGNORECASE)
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Unicode's categories of what is not written: controls, halves of characters, unassigned."""


@dataclass(frozen=True)
class Words:
    """Two descriptions of the same person."""

    target: str
    """As they should be."""
    neutral: str
    """As they are."""
    title: str
    """What was asked for, as it was written."""
    notes: tuple[str, ...] = ()
    """What to know about these words, as sentences."""


def read_words(text: str, neutral: str = "") -> Words:
    """A wish in words as a pair of descriptions.

    Without a neutral description the wish is taken as something about a person: ``with round eyeglasses``
    becomes "a person with round eyeglasses", ``chubby`` "a chubby person", ``long hair`` "a person, long
    hair", and ``a kid`` stays; it is seen against "a person". With one, both are used as they are.

    Args:
        text: what is wanted.
        neutral: what it is seen against; empty to have it made.

    Raises:
        Problem: there are no words in it, it is far too long, or both say the same.
    """
    title = clean(text, "prompt")
    now = clean(neutral, "neutral prompt") if neutral.strip() else PERSON
    target = title if neutral.strip() else _of_person(title)
    if target.casefold() == now.casefold():
        raise Problem(
            f"The prompt and what it is seen against are the same ({now!r}), so nothing would change: say "
            "what should be different."
        )
    notes = tuple(dict.fromkeys(note for note in map(_foreign, (target, now)) if note))
    return Words(target, now, title, notes)


def clean(text: str, what: str) -> str:
    """A prompt on one line, without what is not written.

    Args:
        text: anything.
        what: what it is called in messages.

    Raises:
        Problem: no letter, digit or pictogram is left, or it is far too long.
    """
    if len(text) > LONGEST:
        raise Problem(
            f"The {what} has {len(text):,} characters, more than CLIP can read: say it in a few words, such "
            "as “with round eyeglasses”."
        )
    shown = "".join(
        " " if sign.isspace() else sign
        for sign in unicodedata.normalize("NFC", text)
        if sign.isspace() or unicodedata.category(sign) not in _INVISIBLE
    )
    # CLIP's own marks would end the sentence early.
    line = " ".join(_MARKS.sub(" ", shown).split()).rstrip(" .,;:!")
    if not any(unicodedata.category(sign)[0] in "LN" or unicodedata.category(sign) == "So" for sign in line):
        raise Problem(
            f"The {what} holds no words: say what should be different, such as “with round eyeglasses” or "
            "“a kid”."
        )
    return line


def _of_person(wish: str) -> str:
    lower = wish.casefold()
    if lower.startswith(_ARTICLES):
        return wish
    if lower.startswith(_JOINS):
        return f"{PERSON} {wish}"
    if " " not in wish:
        return f"{'an' if lower[0] in 'aeiou' else 'a'} {wish} person"
    return f"{PERSON}, {wish}"


def _foreign(text: str) -> str | None:
    """A sentence where letters are not Latin ones."""
    letters = [sign for sign in text if unicodedata.category(sign)[0] == "L"]
    if all("LATIN" in unicodedata.name(sign, "") for sign in letters):
        return None
    return (
        f"CLIP was taught with English sentences, and “{text}” is written in other letters: it may hardly be "
        "understood, so say it in English if the edit is not what you meant."
    )
