"""StyleCLIP's three methods as entries of the catalog. Imports no torch."""

from __future__ import annotations

from studio.editing.clip_files import clip_missing
from studio.editing.method import MethodSpec

GLOBAL = MethodSpec(
    id="styleclip-global",
    title="Words, as a direction",
    summary=(
        "Finds the style channels that move this person the way words say (StyleCLIP, global directions); "
        "the person is measured once, which takes a minute or two, and every prompt after that takes seconds."
    ),
    spaces=("style",),
    generator=True,
    finder="studio.editing.styleclip_global:find_direction",
    wish="studio.editing.styleclip_wishes:GlobalWish",
    missing=clip_missing,
)
OPTIMISATION = MethodSpec(
    id="styleclip-optimise",
    title="Words, by optimisation",
    summary=(
        "Optimises one shift of the latents until the person's typical pictures look like the words "
        "(StyleCLIP, latent optimisation); some minutes for every prompt."
    ),
    spaces=("w+",),
    generator=True,
    finder="studio.editing.styleclip_optimise:find_shift",
    wish="studio.editing.styleclip_wishes:OptimiseWish",
    missing=clip_missing,
)
MAPPER = MethodSpec(
    id="styleclip-mapper",
    title="Words, as a mapper",
    summary=(
        "Trains a small network that shifts every latent by itself towards the words (StyleCLIP, latent "
        "mapper); the slowest way, for changes that are another in every pose and expression."
    ),
    spaces=("w+",),
    generator=True,
    finder="studio.editing.styleclip_mapper:find_map",
    wish="studio.editing.styleclip_wishes:MapperWish",
    missing=clip_missing,
)
SPECS = (GLOBAL, OPTIMISATION, MAPPER)
"""All three, the quickest first."""
