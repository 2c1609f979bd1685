"""Which CLIP a user owns. Imports no torch, so that methods can be listed quickly."""

from __future__ import annotations

from pathlib import Path

from studio.assets import AssetLibrary
from studio.domain.problem import Problem

CLIPS = ("clip-vit-b-32", "clip-vit-b-16", "clip-vit-l-14", "clip-open")
"""In the manifest, the one to take first first."""


def clip_missing(assets: AssetLibrary) -> str | None:
    """None when there is a CLIP that can be used, otherwise one sentence: what is missing and what to do."""
    known = [name for name in CLIPS if name in assets.assets]
    there = next((name for name in known if assets.find(name) is not None), known[0])
    return assets.missing(there)


def clip_file(assets: AssetLibrary, named: str = "") -> Path:
    """The file of the CLIP to use.

    Args:
        assets: the home's weights.
        named: a file, or the id of an entry of the manifest; empty for the first that is there.

    Raises:
        Problem: there is none, with what to do.
    """
    if named in assets.assets:
        return assets.require(named)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            known = ", ".join(name for name in CLIPS if name in assets.assets)
            raise Problem(
                f"There is no CLIP at {path}: name a file such as ViT-B-32.pt, or one of {known}, or "
                "nothing to use the first that is in the weights folder."
            )
        return path
    sentence = clip_missing(assets)
    if sentence is not None:
        raise Problem(sentence)
    there = next(name for name in CLIPS if name in assets.assets and assets.find(name) is not None)
    return assets.require(there)
