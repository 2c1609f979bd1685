"""Every file of the manifest that the user owns does what it is there for:
``python main.py test -m weights``.

Files are looked for where the program looks: in AVATAR_STUDIO_WEIGHTS and in the ``weights`` folder of the
home. Nothing here is a small stand-in; what is absent skips and says so. The person is the sample's portrait.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from pipelines.sample.portrait import portrait, portrait_landmarks
from studio.assets import WEIGHTS_VARIABLE, AssetLibrary, manifest
from studio.project.store import home_folder

# Read before the fixture that gives every test an empty home.
_HOME, _NAMED = home_folder(), os.environ.get(WEIGHTS_VARIABLE)


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> AssetLibrary:
    """What the user owns."""
    if _NAMED is not None:
        monkeypatch.setenv(WEIGHTS_VARIABLE, _NAMED)
    return AssetLibrary(_HOME)


def aligned(side: int, mirrored: bool = False) -> torch.Tensor:
    """``[1, 3, side, side]`` the portrait's face in -1..1, roughly as FFHQ cuts it."""
    marks = portrait_landmarks()
    low, high = marks.min(0), marks.max(0)
    half, middle = 0.85 * float((high - low).max()), (low + high) / 2 - (0.0, 6.0)
    (left, top), (right, bottom) = np.clip([middle - half, middle + half], 0, 512).astype(int)
    face = cv2.resize(portrait()[top:bottom, left:right], (side, side), interpolation=cv2.INTER_AREA)
    picture = torch.from_numpy(np.ascontiguousarray(face)).permute(2, 0, 1)[None].float() / 127.5 - 1.0
    return picture.flip(3) if mirrored else picture


def nobody(side: int) -> torch.Tensor:
    """``[1, 3, side, side]`` smooth colours that are no face."""
    chance = torch.Generator().manual_seed(0)
    small = torch.rand(1, 3, 8, 8, generator=chance) * 2.0 - 1.0
    return functional.interpolate(small, size=(side, side), mode="bicubic").clamp(-1.0, 1.0)


def landmarker(file: Path, cache: Path) -> None:
    """Finds the one face where MediaPipe's mesh finds it, and it smiles."""
    from studio.tracking.landmarker_tracker import LandmarkerTracker

    tracker = LandmarkerTracker(file)
    try:
        (face,) = tracker.faces(portrait())
        names = tracker.score_names
    finally:
        tracker.close()
    assert np.abs(face.landmarks[:468, :2] - portrait_landmarks()[:468]).mean() < 4.0
    assert face.scores is not None
    scores = dict(zip(names, face.scores.tolist()))
    assert len(scores) == 52
    assert scores["mouthSmileLeft"] > 0.3 > scores["jawOpen"]


def lpips(kind: str) -> Callable[[Path, Path], None]:
    """Nothing for equal pictures, more for a blur, more still for another picture."""

    def smoke(file: Path, cache: Path) -> None:
        from studio.networks.perceptual import LpipsLoss

        loss = LpipsLoss(file, kind)  # type: ignore[arg-type]
        face = aligned(128)
        blurred = functional.avg_pool2d(face, 5, 1, 2)
        with torch.no_grad():
            same, near, far = (float(loss(face, other)) for other in (face, blurred, nobody(128)))
        assert same < 1e-6 < 0.05 < near < far

    return smoke


def mobilefacenet(file: Path, cache: Path) -> None:
    """The portrait and its darker self are one person."""
    from studio.metrics.identity import MobileFaceNet

    flat = portrait_landmarks()
    marks = np.concatenate([flat, np.zeros((len(flat), 1), np.float32)], 1)
    faces = np.stack([portrait(), (portrait() * 0.7).astype(np.uint8)])
    one, two = MobileFaceNet(file).embed(faces, np.stack([marks, marks]))
    assert one @ two > 0.8
    askew = MobileFaceNet(file).embed(faces[:1, ::-1].copy(), marks[None])[0]
    assert one @ askew < 0.6


def arcface(file: Path, cache: Path) -> None:
    """The portrait and its mirror image are one person, colours are nobody."""
    from studio.networks.foreign.loading import load_ir_se50

    network, _ = load_ir_se50(file, cache)
    with torch.no_grad():
        me, mirrored, other = (
            network.identity_embedding(p)[0] for p in (aligned(256), aligned(256, True), nobody(256))
        )
    assert me @ mirrored > 0.6 > 0.4 > me @ other


def flame(file: Path, cache: Path) -> None:
    """A head of a head's size, with 50 expressions and landmarks on the front of it."""
    from studio.domain.motion import HeadMotion
    from studio.head.flame import EMBEDDING, load_flame

    embedding = file.with_name(EMBEDDING)
    if not embedding.is_file():
        pytest.skip(f"{EMBEDDING} is not beside {file.name}")
    model = load_flame(file, embedding)
    neutral = model.neutral(np.zeros(1, np.float32), np.zeros_like(model.template))
    assert len(neutral) == 5023
    assert 0.15 < np.ptp(neutral[:, 1]) < 0.45
    still = HeadMotion.neutral(1, np.array([1.0, 0.0, 0.0], np.float32))
    marks = model.landmarks(np.zeros(1, np.float32), np.zeros_like(model.template), still)[0]
    assert len(marks) >= 100
    assert np.median(marks[:, 2]) > np.median(neutral[:, 2])


def flame_landmarks(file: Path, cache: Path) -> None:
    """Barycentric coordinates on triangles that add up to one."""
    with np.load(file, allow_pickle=False) as stored:
        weights = stored["lmk_b_coords"]
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-3)


def deca(file: Path, cache: Path) -> None:
    """Reads a face that looks to the front, more or less, and its mirror image turned the other way."""
    from studio.networks.deca_encoder import deca_face
    from studio.networks.foreign.loading import load_deca

    network, _ = load_deca(file, cache)
    with torch.no_grad():
        one, two = (network(deca_face(aligned(256, mirrored))) for mirrored in (False, True))
    assert one.expression.shape == (1, 50)
    assert one.angles.abs().max() < 40.0
    assert abs(float(one.angles[0, 0] + two.angles[0, 0])) < 8.0


def generator(file: Path, cache: Path) -> None:
    """Two latents are two pictures, and the usual one is a face's: brighter in the middle than black."""
    from studio.networks.foreign.loading import load_generator

    network, _ = load_generator(file, cache)
    z = torch.randn(2, network.config.z_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        pictures = network(z, 0.7, size=256)
    assert pictures.isfinite().all()
    assert (pictures.abs() <= 1.0).float().mean() > 0.9
    assert (pictures[0] - pictures[1]).abs().mean() > 0.1
    skin = pictures[:, :, 96:160, 96:160].mean((2, 3))
    assert (skin[:, 0] > skin[:, 2]).all()  # redder than blue, as skin is


def eg3d(file: Path, cache: Path) -> None:
    """A head in the middle, from two sides: opaque, redder than blue, and its depths are no plane."""
    from studio.networks.foreign.loading import load_eg3d

    network, card = load_eg3d(file, cache)
    assert network.config.side == 512
    assert network.config.planes == "published", card["notes"]
    cameras = []
    for angle in (-0.2, 0.2):
        turn = torch.eye(4)
        c, s = np.cos(angle), np.sin(angle)
        turn[:3, :3] = torch.tensor([[c, 0.0, -s], [0.0, -1.0, 0.0], [-s, 0.0, -c]])
        turn[:3, 3] = -2.7 * turn[:3, 2]
        lens = torch.tensor([[4.2647, 0.0, 0.5], [0.0, 4.2647, 0.5], [0.0, 0.0, 1.0]])
        cameras.append(torch.cat([turn.flatten(), lens.flatten()]))
    seen = torch.stack(cameras)
    z = torch.randn(1, network.config.z_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ws = network.latents(z, seen[:1], 0.7).expand(2, -1, -1)
        drawn = network.draw(network.planes(ws), ws, network.beams(seen))
    assert drawn.picture.isfinite().all()
    middle = slice(network.config.raw_side * 3 // 8, network.config.raw_side * 5 // 8)
    assert drawn.alpha[:, :, middle, middle].amin() > 0.9
    assert drawn.depth[:, :, middle, middle].std() > 0.005
    skin = drawn.raw[:, :, middle, middle].mean((2, 3))
    assert (skin[:, 0] > skin[:, 2]).all()


def gfpgan(file: Path, cache: Path) -> None:
    """A blurred face comes back sharper and as the same colours; it hardly changes what is sharp."""
    from studio.networks.foreign.loading import load_gfpgan

    network, _ = load_gfpgan(file, cache)
    face = aligned(512)
    blurred = functional.avg_pool2d(face, 9, 1, 4)
    with torch.no_grad():
        restored, kept = network(blurred), network(face)

    def edges(picture: torch.Tensor) -> float:
        return float(picture.diff(dim=-1).abs().mean())

    assert edges(restored) > 1.3 * edges(blurred)
    assert (functional.avg_pool2d(restored - face, 64)).abs().mean() < 0.15
    assert (kept - face).abs().mean() < 0.2


def e4e(file: Path, cache: Path) -> None:
    """What it says about the portrait differs from what it says about colours, and has the shape of W+."""
    from studio.networks.foreign.loading import load_e4e

    network, _ = load_e4e(file, cache)
    with torch.no_grad():
        face, colours = (network(p)[0] for p in (aligned(256), nobody(256)))
    assert face.shape == (18, 512)
    assert (face - colours).abs().mean() > 0.05


def clip() -> Callable[[Path, Path], None]:
    """A portrait is more of a woman in a spacesuit than of a bowl of soup."""

    def smoke(file: Path, cache: Path) -> None:
        from studio.editing.clip_words import open_clip_network

        network = open_clip_network(AssetLibrary(_HOME), str(file), "auto", torch.device("cpu"))
        whole = torch.from_numpy(portrait().copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0
        with torch.no_grad():
            seen = network.pictures(whole)[0]
            right, wrong = (
                float(seen @ network.words(words)) for words in ("a woman in a spacesuit", "a bowl of soup")
            )
        assert right > wrong + 0.05

    return smoke


def vgg19(file: Path, cache: Path) -> None:
    """Features of the same face are the same; a blur's are elsewhere, another picture's farther."""
    from studio.networks.vgg19_features import load_vgg19

    network = load_vgg19(file).eval()
    face = aligned(128)
    with torch.no_grad():
        own, near, far = (network(one) for one in (face, functional.avg_pool2d(face, 5, 1, 2), nobody(128)))
    gaps = [sum(float((a - b).abs().mean()) for a, b in zip(own, other)) for other in (own, near, far)]
    assert gaps[0] == 0.0 < gaps[1] < gaps[2]


SMOKES: dict[str, Callable[[Path, Path], None]] = {
    "face-landmarker": landmarker,
    "lpips-vgg": lpips("vgg"),
    "lpips-alex": lpips("alex"),
    "perceptual-vgg19": vgg19,
    "identity-mobilefacenet": mobilefacenet,
    "identity-arcface": arcface,
    "flame-2020": flame,
    "flame-2023": flame,
    "flame-2023-open": flame,
    "flame-landmarks": flame_landmarks,
    "deca": deca,
    "stylegan2-ffhq": generator,
    "stylegan2-ffhq-rosinality": generator,
    "eg3d-ffhq": eg3d,
    "gfpgan": gfpgan,
    "e4e": e4e,
    "clip-vit-b-32": clip(),
    "clip-vit-b-16": clip(),
    "clip-vit-l-14": clip(),
    "clip-open": clip(),
}
"""Asset id to what is asked of its file."""


def test_every_file_of_the_manifest_has_one():
    built = {name for name, asset in manifest().items() if not asset.planned}
    assert built <= set(SMOKES) <= set(manifest())


@pytest.mark.weights
@pytest.mark.parametrize("asset_id", SMOKES)
def test_a_real_file_does_what_it_is_there_for(
    asset_id: str, owned: AssetLibrary, tmp_path_factory: pytest.TempPathFactory
):
    file = owned.find(asset_id)
    if file is None:
        asset = manifest()[asset_id]
        pytest.skip(f"{asset.files[0]} is not on this machine (from {asset.source})")
    assert owned.missing(asset_id) is None
    torch.manual_seed(0)
    SMOKES[asset_id](file, tmp_path_factory.mktemp("converted"))
