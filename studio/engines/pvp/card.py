"""What a PVP avatar's card says that is worth knowing without loading its networks, or torch."""

from __future__ import annotations

import json
from pathlib import Path

from studio.domain.problem import Problem

CARD = "pvp.json"
"""The card's file."""


def draws_by_itself(folder: Path) -> bool:
    """Whether an avatar's generator draws the whole face, and does not paint over a warped one.

    Raises:
        Problem: the card is missing or damaged.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        return bool(card["generator"]["kind"] == "pretrained")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Problem(
            f"The PVP avatar in “{folder.name}” is damaged ({error}); build it again to repair it."
        ) from error
