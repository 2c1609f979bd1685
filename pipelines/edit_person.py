"""An avatar as ways to find edits see it: its generator, with the latents and moments of its own clip."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pipelines.animate_avatar import source_sequence
from pipelines.pick_pivots import whitened
from studio.devices import choose_device, explaining_memory
from studio.domain.avatar import Avatar
from studio.domain.camera import View
from studio.domain.controls import track_from_motion
from studio.domain.motion import HeadMotion
from studio.domain.problem import Problem
from studio.editing.person import LatentPerson, Samples
from studio.engines.pvp.artefact import PvpParts, load_pvp
from studio.engines.pvp.mappers import mapper_inputs, within_range
from studio.engines.pvp.painter import Painter, bounded
from studio.engines.pvp.prior import PretrainedGenerator
from studio.head.neutral_crop import aligned_crop
from studio.project.command_words import command_line
from studio.project.sequence_files import load_sequence
from studio.project.store import SubjectFolder
from studio.warping.warper import Warper

MOMENTS = 16
"""Moments of a clip that a person is shown in, at most."""
SPREAD = 0.5
"""How far latents stray from what the mappers say, in the pivots' own deviations along every direction. It is
how far around the pivots tuning looked when it held the generator in place; beyond, nobody has looked. The
deviation of what is sampled grows by an eighth over the clip's own, and what the clip always did together (a
turn and a smile) comes apart."""
AT_ONCE = 2 * 512**2
"""Pixels that are drawn at a time, one picture at least."""


def latent_person(avatar: Avatar, device: torch.device | str | None = None) -> LatentPerson:
    """The personal generator of an avatar.

    Args:
        avatar: a PVP avatar, of either prior, in its subject's folder. Its edits are left out.
        device: torch's word; None for the fastest.

    Raises:
        Problem: its engine has no generator, or what its generator says is not shown; or files are missing or
            damaged.
    """
    if avatar.engine != "pvp":
        raise Problem(
            f"The engine {avatar.engine!r} has no generator whose latents could be edited, pvp has one: "
            f"{command_line('build', avatar.subject, '--engine pvp')}"
        )
    parts = load_pvp(avatar.folder)
    sequence = load_sequence(source_sequence(SubjectFolder(avatar.folder.parents[1], avatar.subject), avatar))
    learnt = np.arange(*avatar.lineage["learnt_from"])
    good = learnt[sequence.good[learnt]]
    return PvpPerson(parts, sequence.motion.take(good), torch.device(device or choose_device().kind))


class PvpPerson:
    """A :class:`~studio.editing.person.LatentPerson` of a PVP avatar.

    Latents are those of the whole network, also where the avatar shows less than its resolution. The avatar's
    own mappers say what a frame's latents are. Moments are frames that stand for the clip, by K-means over
    pose and expression; a painter paints over what warping draws there, as strongly as the avatar shows it.
    """

    def __init__(self, parts: PvpParts, motion: HeadMotion, device: torch.device) -> None:
        """
        Args:
            parts: the avatar; left as it is.
            motion: T good frames that it has learnt from.
            device: where to compute.

        Raises:
            Problem: validation gave the avatar's correction no strength.
        """
        assert isinstance(parts.generator, Painter | PretrainedGenerator)
        if isinstance(parts.generator, Painter) and not parts.strength:
            raise Problem(
                "This avatar's generator cannot be edited, because its correction was no better than warping "
                "on validation frames and is not shown: use edits of shape and colour, or build it with "
                "another preset."
            )
        self._generator = copy.deepcopy(parts.generator).to(device).eval().requires_grad_(False)
        self._mappers = copy.deepcopy(parts.mappers).to(device).eval().requires_grad_(False)
        self._strength, self.device = parts.strength, device
        network = self._generator.synthesis
        self.num_ws, self.w_dim, self.resolution = network.num_ws, network.w_dim, self._generator.resolution
        self.style_widths = tuple(len(x.affine.weight) for block in network.blocks() for x in block.layers)
        self.style_rows = tuple(network.style_rows())
        eyes = self._mappers.expression.inputs > 53
        seen = mapper_inputs(within_range(motion, parts.pose_range), eyes)
        self._pose, self._face = (torch.from_numpy(x).to(device) for x in seen)
        self._moments, self._nearest = typical_moments(motion)
        self.moments = len(self._moments)
        self._guides: Tensor | None = None
        if isinstance(parts.generator, Painter):
            self._guides = _guides(parts, motion.take(self._moments)).to(device)

    @torch.no_grad()
    def sample(self, count: int, seed: int) -> Samples:
        """What the mappers say of frames drawn from the clip, and normal noise with :data:`SPREAD` squared
        times the pivots' own covariance; each in the moment that is most like its frame. See the protocol."""
        chance = torch.Generator().manual_seed(seed)
        places = torch.randint(len(self._pose), (count,), generator=chance)
        pivots = self._mappers.pivots.flatten(1)
        # Normal mixtures of the pivots' deviations have just the pivots' covariance.
        mixture = torch.randn(count, len(pivots), generator=chance).to(self.device) / len(pivots) ** 0.5
        stray = SPREAD * mixture @ (pivots - pivots.mean(0))
        ws = self._ws(places.to(self.device)) + stray.reshape(count, self.num_ws, self.w_dim)
        return Samples(ws, self._nearest[places].to(self.device))

    @torch.no_grad()
    def usual(self, count: int) -> Samples:
        """See the protocol."""
        some = self._moments[:count]
        places = torch.from_numpy(some).to(self.device)
        return Samples(self._ws(places), torch.arange(len(some), device=self.device))

    def styles(self, ws: Tensor) -> Tensor:
        """See the protocol."""
        return torch.cat(self._generator.synthesis.styles(ws.to(self.device)), 1)

    def draw(self, ws: Tensor, moments: Tensor) -> Tensor:
        """See the protocol; :meth:`draw_styles` says how many at a time."""
        return self.draw_styles(self.styles(ws), moments)

    def draw_styles(self, styles: Tensor, moments: Tensor) -> Tensor:
        """See the protocol. However many are asked for, :data:`AT_ONCE` pixels are worked on at a time; with
        gradients, pieces are drawn once more on the way back instead of being remembered."""
        if styles.shape[1:] != (sum(self.style_widths),) or moments.shape != styles.shape[:1]:
            wanted = f"[B, {sum(self.style_widths)}] and [B]"
            raise ValueError(f"styles and moments must be {wanted}, not {styles.shape} and {moments.shape}")
        size = max(1, AT_ONCE // self.resolution**2)
        both = (torch.split(given.to(self.device), size) for given in (styles, moments))
        pieces = list(zip(*both, strict=True))
        again = len(pieces) > 1 and torch.is_grad_enabled() and styles.requires_grad
        with explaining_memory("Drawing the person"):
            drawn = [
                checkpoint(self._drawn, *piece, use_reentrant=False) if again else self._drawn(*piece)
                for piece in pieces
            ]
        return torch.cat(drawn) if len(drawn) > 1 else drawn[0]

    def _ws(self, places: Tensor) -> Tensor:
        ws: Tensor = self._mappers.ws(self._pose[places], self._face[places])
        return ws

    def _drawn(self, styles: Tensor, moments: Tensor) -> Tensor:
        generator, own = self._generator, torch.split(styles, list(self.style_widths), 1)
        if isinstance(generator, PretrainedGenerator):
            return generator.synthesis.from_styles(own, size=self.resolution)
        assert self._guides is not None
        guide = self._guides[moments].float() / 127.5 - 1.0
        colour, flow = bounded(generator.synthesis.from_styles(own, added=generator.encoder(guide)))
        return generator.corrected(guide, self._strength * colour, self._strength * flow)


def typical_moments(motion: HeadMotion) -> tuple[np.ndarray, Tensor]:
    """Frames that stand for a clip, :data:`MOMENTS` at most, and which of them stands for each frame.

    Returns:
        ``[K]`` places among the T frames, the nearest to the clip's median first; ``[T]`` int64 into them.
    """
    from sklearn.cluster import KMeans  # heavy

    white, _, _ = whitened(motion)
    distinct = len(np.unique(white, axis=0))
    means = KMeans(min(MOMENTS, distinct), n_init=1, max_iter=50, random_state=0).fit(white)
    away = np.linalg.norm(white[:, None] - means.cluster_centers_[None], axis=2)
    away[means.labels_[:, None] != np.arange(away.shape[1])] = np.inf
    found = away.argmin(0)
    order = np.argsort(np.linalg.norm(white[found] - np.median(white, axis=0), axis=1), kind="stable")
    return found[order], torch.from_numpy(np.argsort(order)[means.labels_])


def _guides(parts: PvpParts, motion: HeadMotion) -> Tensor:
    """``[K, 3, R, R]`` uint8 what warping draws in the aligned crop of K frames."""
    warper, side = Warper(parts.base), int(parts.generator.resolution)  # type: ignore[arg-type]
    track = track_from_motion(motion, warper.mesh.rest_camera, Fraction(1))
    guides = []
    for moment in range(len(track)):
        posed = warper.posed(track.state(moment))
        crop = aligned_crop(warper.mesh.neutral_face, posed.motion).scaled(side)
        guides.append(warper.draw(posed, View(crop, side, side))[0])
    warper.close()
    return torch.from_numpy(np.stack(guides)).permute(0, 3, 1, 2)
