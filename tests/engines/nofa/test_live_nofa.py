"""An avatar drawn live: encoded once, warped once an expression; depth, resting face, weights of its own."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.domain.layer_pictures import FAR, NEAR
from studio.domain.problem import Problem
from studio.domain.rendering import RenderRequest
from studio.engines.nofa.base_model import NofaParts, load_nofa, save_base_model
from studio.engines.nofa.live_picture import LiveNofa
from studio.engines.nofa.own_weights import FIGURE, FILE, Optimised, own_weights, save_own_weights
from studio.engines.nofa.settings import NofaSettings
from studio.engines.nofa.shelf import SHELF, check
from studio.engines.nofa.spec import SPEC
from studio.head.builtin import builtin_head
from studio.one_picture.engine import LayeredSquare, OnePictureEngine
from studio.one_picture.person_files import save_person
from tests.engines.nofa.little_nofa import FORMS, GUIDED, shaken
from tests.engines.semantic.one_person import WINDOW, a_person
from tests.warping.average_person import CAMERA, SIZE, STAGE, motion_of

CPU = torch.device("cpu")
OTHERS = {"yaw": 12.0, "jaw_open": 9.0, "expression_02": 2.0, "orbit_yaw": 15.0, "dolly": 1.1}


def parts(detail: int = 0, shape: NofaSettings = GUIDED, strays: float = 0.3) -> NofaParts:
    """Random weights; ``strays``: how much of what is learnt of expressions leads anywhere."""
    made = shaken(shape)
    with torch.no_grad():
        for values in made.field.offsets.last.parameters():
            values.mul_(strays)
    return NofaParts(a_person(detail), made)


def ask(engine, layer="picture", quality="full", **controls):
    return engine.render(RenderRequest(engine.sheet.state(controls), STAGE, quality, layer))


def engine_of(made: NofaParts) -> OnePictureEngine:
    return OnePictureEngine(made.person, LiveNofa(made, CPU))


def test_it_can_show_what_the_catalog_says() -> None:
    live = LiveNofa(parts(), CPU)
    assert isinstance(live, LayeredSquare)
    assert SPEC.layers == ("picture", "depth", "canonical")


@pytest.mark.parametrize("form", FORMS)
def test_neither_a_camera_nor_an_expression_encodes_or_draws_planes_again(form, monkeypatch) -> None:
    made = parts(shape=FORMS[form])
    engine = engine_of(made)
    network = made.network
    assert network.compensation is not None
    monkeypatch.setattr(network.encoder, "forward", lambda *_: pytest.fail("encoded again"))
    monkeypatch.setattr(network.prior.backbone, "drawn", lambda *_: pytest.fail("planes drawn again"))
    monkeypatch.setattr(network.compensation, "forward", lambda *_: pytest.fail("compensated again"))
    asked: tuple[dict[str, float], ...] = (
        {},
        {"yaw": 12.0},
        {"orbit_yaw": 20.0},
        {"dolly": 1.2},
        {"lens": 0.5},
        {"jaw_open": 12.0},
    )
    frames = [ask(engine, **controls).image.astype(int) for controls in asked]
    for one in range(len(frames)):
        for other in range(one):
            assert np.abs(frames[one] - frames[other]).max() >= 3, (asked[one], asked[other])


def test_a_warp_is_made_once_for_an_expression(monkeypatch) -> None:
    made = parts()
    live = LiveNofa(made, CPU)
    rest = made.person.base.motion
    first = live.draw(rest)
    monkeypatch.setattr(made.network, "warp", lambda *_: pytest.fail("warped again"))
    turned = replace(rest, angles=rest.angles + 5.0)
    assert not np.array_equal(live.draw(turned), first)
    assert np.array_equal(live.draw(rest), first)
    with pytest.raises(pytest.fail.Exception, match="warped again"):
        live.draw(motion_of([0.0], 0.1))


@pytest.mark.parametrize("form", FORMS)
def test_the_resting_face_is_the_one_with_the_canonical_expression(form) -> None:
    made = parts(shape=FORMS[form])
    live = LiveNofa(made, CPU)
    assert float(live.canonical.jaw[0, 0]) == pytest.approx(made.network.shape.canonical_jaw)
    speaking = motion_of([10.0], 0.4)
    speaking.expression[:] = 1.0
    resting = replace(live.canonical, angles=speaking.angles, camera=speaking.camera)
    assert np.allclose(live.draw_canonical(speaking), live.draw(resting), atol=2e-3)
    assert np.abs(live.draw_canonical(speaking) - live.draw(speaking)).max() > 0.02
    # In the whole picture, too: what is around the square rests as well.
    engine = engine_of(made)
    shown = ask(engine, "canonical", **OTHERS).image.astype(int)
    jaw = float(np.rad2deg(made.network.shape.canonical_jaw))
    wanted = ask(engine, **{**OTHERS, "jaw_open": jaw, "expression_02": 0.0}).image
    assert np.abs(shown - wanted).max() <= 2
    assert np.abs(shown - ask(engine, **OTHERS).image).max() > 5


def test_a_resting_face_is_drawn_in_drafts_even_where_networks_are_slow() -> None:
    made = parts()
    live = LiveNofa(made, CPU)
    live.quick = False
    engine = OnePictureEngine(made.person, live)
    face = (slice(60, 130), slice(60, 130))
    draft = ask(engine, "canonical", "draft", jaw_open=9.0).image[face].astype(int)
    assert np.abs(draft - ask(engine, "canonical", "full", jaw_open=9.0).image[face]).max() <= 1
    assert np.abs(draft - ask(engine, "picture", "draft", jaw_open=9.0).image[face]).max() > 9


def test_depth_is_that_of_the_head() -> None:
    """Planes that say nothing leave the surface of the head model, whose depth is known."""
    fine = replace(GUIDED, coarse_samples=64, fine_samples=24, density=4000.0)
    made = parts(128, fine, strays=0.0)
    with torch.no_grad():
        for part in (made.network.prior.decoder, made.network.prior.backbone, made.network.compensation):
            assert part is not None
            for values in part.parameters():
                values.zero_()
    live = LiveNofa(made, CPU)
    still = replace(live.canonical, camera=CAMERA[None])
    height, cover = live.depth(still)
    assert height.shape == cover.shape == (16, 16)
    head = builtin_head()
    face = head.deform(head.template, live.canonical)[0]
    side = 16
    to_raw = WINDOW.scaled(side)
    places = to_raw.apply(CAMERA[1:] + face[:, :2] * (1.0, -1.0) * CAMERA[0])
    inner = [
        int(np.argmin(np.hypot(*(face[:, :2] - at).T))) for at in ((0.0, 0.0), (0.03, -0.02), (-0.03, 0.02))
    ]
    for vertex in inner:
        column, row = (int(x) for x in places[vertex])
        assert cover[row, column] > 0.99
        near = np.hypot(*(places - (column + 0.5, row + 0.5)).T) < 1.0
        assert face[near, 2].min() - 0.01 < height[row, column] < face[near, 2].max() + 0.01
    engine = OnePictureEngine(made.person, live)
    frame = ask(engine, "depth")
    assert frame.alpha is not None
    x, y = (round(float(v)) for v in CAMERA[1:] + face[inner[0], :2] * (1.0, -1.0) * CAMERA[0])
    level = 255.0 * (face[inner[0], 2] - FAR) / (NEAR - FAR)
    assert abs(frame.image[y, x].mean() - level) < 20.0
    assert frame.alpha[y, x] > 250
    # Outside of the square nothing is known, and nothing is there.
    assert not frame.image[:4].any()
    assert not frame.alpha[:4].any()


def test_detail_beyond_the_network_is_the_pictures_own() -> None:
    made = parts(detail=160, strays=0.0)
    assert made.network.guided is not None
    assert made.network.guided.share is not None
    with torch.no_grad():
        for values in made.network.guided.share[-1].parameters():
            values.zero_()
        for values in made.network.prior.superresolution.parameters():
            values.zero_()
    picture = made.person.picture.copy()
    picture[:, ::4, :3] += 40
    picture[:, 1::4, :3] += 40  # stripes finer than the network's pixels
    made = replace(made, person=replace(made.person, picture=picture))
    live = LiveNofa(made, CPU)
    motion = made.person.base.motion
    drawn, coarse = live.draw(motion), live.draw(motion, finely=False)
    assert drawn.shape == (160, 160, 3)
    assert coarse.shape == (64, 64, 3)
    own = made.person.picture[..., :3] / 127.5 - 1.0
    inside = made.person.picture[..., 3] > 200
    enlarged = cv2.resize(coarse, (160, 160), interpolation=cv2.INTER_CUBIC)
    assert np.abs(drawn - own)[inside].mean() < 0.5 * np.abs(enlarged - own)[inside].mean()
    assert np.isfinite(live.draw(motion_of([10.0], 0.2))).all()


def _kept(home, made: NofaParts, optimised: Optimised | None = None):
    """The avatar and its base model in a home; some of its weights are its own."""
    folder = home / "models" / "nofa-tiny"
    folder.mkdir(parents=True)
    save_base_model(folder, made.network, builtin_head().id)
    model = SHELF.choose(home)
    avatar = home / "subjects" / "ann" / "avatars" / "nofa-x"
    avatar.mkdir(parents=True)
    figures = {} if optimised is None else {FIGURE: optimised}
    save_person(avatar, "nofa", replace(made.person, reference=model.reference, figures=figures))
    if optimised is not None:
        with torch.no_grad():
            for values in own_weights(made.network, optimised).values():
                values.add_(0.1)
        save_own_weights(avatar, made.network, optimised)
    return model, avatar


@pytest.mark.parametrize("optimised", [None, "compensation", "generator"])
def test_an_avatar_is_kept_and_found_again(tmp_path, optimised) -> None:
    made = parts(detail=96)
    plain = ask(engine_of(made), yaw=8.0, jaw_open=4.0).image.astype(int)
    model, avatar = _kept(tmp_path, made, optimised)
    assert check(model, "builtin-1") == GUIDED
    with pytest.raises(Problem, match="tracked with “flame-2020”"):
        check(model, "flame-2020")
    again = load_nofa(avatar)
    for name, values in made.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], values), name
    images = [ask(engine_of(p), yaw=8.0, jaw_open=4.0).image.astype(int) for p in (made, again)]
    # What is around the square is kept as pictures are, not to the last bit.
    assert np.abs(images[0] - images[1]).mean() < 1.0
    # The base model is nobody's own.
    assert (np.abs(images[1] - plain).mean() > 1.0) == (optimised is not None)
    assert SHELF.choose(tmp_path).reference == model.reference


@pytest.mark.parametrize("how", ["missing", "cut", "other", "misshapen"])
def test_own_weights_that_are_damaged_are_told(tmp_path, how) -> None:
    _, avatar = _kept(tmp_path, parts(), "compensation")
    file = avatar / FILE
    found = load_file(file)
    name = next(iter(found))
    if how == "missing":
        file.unlink()
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:100])
    elif how == "other":
        save_file({"encoder.rows.weight": found[name]}, file)
    else:
        save_file({**found, name: found[name][..., None].contiguous()}, file)
    with pytest.raises(Problem, match=r"damaged \(own_weights.safetensors: .*build it again"):
        load_nofa(avatar)


def test_only_what_may_is_optimised() -> None:
    network = parts().network
    compensation = own_weights(network, "compensation")
    generator = own_weights(network, "generator")
    assert all(name.startswith(("compensation.", "guided.share.")) for name in compensation)
    assert any(name.startswith("guided.share.") for name in compensation)
    assert all(name.startswith("prior.") and ".mapping." not in name for name in generator)
    everything = dict(network.named_parameters())
    for name, values in {**compensation, **generator}.items():
        assert everything[name] is values
    with pytest.raises(Problem, match="no compensation network"):
        own_weights(
            parts(shape=replace(GUIDED, compensation=False, seen_source=False)).network, "compensation"
        )


def test_the_square_is_laid_over_what_warping_shows() -> None:
    made = parts()
    frame = ask(engine_of(made), yaw=6.0)
    from studio.warping.warper import Warper

    warper = Warper(made.person.base)
    around = warper.render(RenderRequest(warper.sheet.state({"yaw": 6.0}), STAGE))
    assert frame.image.shape == (SIZE, SIZE, 3)
    assert np.array_equal(frame.image[:10], around.image[:10])
    assert np.abs(frame.image.astype(int) - around.image)[60:130, 60:130].mean() > 2.0
