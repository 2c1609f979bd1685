"""How the source picture is carried and painted over."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from studio.engines.semantic.decoder import REFINED, UNPAINTED, Painter, carried, surroundings
from studio.networks.filled_picture import without_person

SIDE, CHANNELS = 32, 4


def picture(outline: bool) -> Tensor:
    """Noise; with an outline the person is the middle third."""
    torch.manual_seed(0)
    source = torch.rand(2, 4 if outline else 3, SIDE, SIDE) * 2.0 - 1.0
    if outline:
        source[:, 3] = -1.0
        source[:, 3, :, 12:20] = 1.0
    return source


def shift(pixels: int) -> Tensor:
    """A flow that moves everything so many pixels to the right."""
    flow = torch.zeros(2, 2, SIDE, SIDE)
    flow[:, 0] = -2.0 * pixels / SIDE
    return flow


def test_without_an_outline_the_whole_picture_is_carried() -> None:
    source = picture(False)
    assert torch.allclose(carried(source, shift(3))[..., 3:], source[..., :-3], atol=1e-5)


def test_with_an_outline_the_person_alone_is_carried_before_what_stays() -> None:
    source = picture(True)
    laid = carried(source, shift(6))
    colours = source[:, :3]
    assert torch.allclose(laid[..., 18:26], colours[..., 12:20], atol=1e-5)
    behind = without_person(colours, 0.5 + 0.5 * source[:, 3:])
    assert torch.allclose(laid[..., :18], behind[..., :18], atol=1e-5)
    assert torch.allclose(laid[..., 26:], colours[..., 26:], atol=1e-5)  # far from where the person was
    # Nobody is seen twice: nothing of where they were depends on them.
    other = source.clone()
    other[:, :3, :, 12:20] += 1.0
    assert torch.allclose(carried(other, shift(8))[..., :20], carried(source, shift(8))[..., :20], atol=1e-5)


def test_surroundings_can_be_worked_out_once() -> None:
    source = picture(True)
    assert torch.equal(carried(source, shift(5), surroundings(source)), carried(source, shift(5)))
    assert surroundings(picture(False)) is None


def test_a_picture_that_does_not_move_is_the_picture() -> None:
    source = picture(True)
    flow = shift(4)
    flow[0] = 0.0
    laid = carried(source, flow)
    assert torch.equal(laid[0], source[0, :3])
    assert not torch.equal(laid[1], source[1, :3])


def painter() -> Painter:
    torch.manual_seed(0)
    return Painter(CHANNELS, spectral=False)


def silent(part: Painter) -> None:
    for layer in (part.refine, part.paint):
        nn.init.zeros_(layer.weight)


def test_it_begins_with_the_warped_picture_and_a_twentieth_of_grey() -> None:
    part, source = painter(), picture(False)
    silent(part)
    x = torch.randn(2, CHANNELS, SIDE // 2, SIDE // 2)
    drawn = part(x, source, shift(2)[..., ::2, ::2])
    assert drawn.warped is not None
    assert torch.allclose(drawn.warped, carried(source, shift(2)), atol=1e-5)
    share = torch.sigmoid(torch.tensor(UNPAINTED))
    assert 0.04 < share < 0.06
    assert torch.allclose(drawn.picture, (1.0 - share) * drawn.warped, atol=1e-5)


def test_each_place_paints_its_four_pixels() -> None:
    """Paint is ``share · colour + (1 - share) · warped``, as the last layer says for each of the four."""
    part, source = painter(), picture(False)
    silent(part)
    x = torch.zeros(2, CHANNELS, SIDE // 2, SIDE // 2)
    assert part.paint.bias is not None
    with torch.no_grad():
        # Channels lie as (colour, row, column); the fourth colour is the share.
        part.paint.bias[:] = -100.0
        part.paint.bias[0 * 4 + 1] = 0.5
        part.paint.bias[3 * 4 + 1] = 100.0
    drawn = part(x, source, shift(0)[..., ::2, ::2])
    assert torch.allclose(
        drawn.picture[:, 0, ::2, 1::2], torch.tensor(0.5).tanh().expand(2, 16, 16), atol=1e-5
    )
    assert torch.allclose(drawn.picture[:, :, 1::2], source[:, :, 1::2], atol=1e-5)
    assert drawn.share is not None
    assert torch.equal(drawn.share[:, 0, ::2, 1::2], torch.ones(2, 16, 16))


def test_the_flow_is_refined_within_bounds() -> None:
    part, source = painter(), picture(False)
    silent(part)
    assert part.refine.bias is not None
    with torch.no_grad():
        part.refine.bias[:] = torch.tensor([100.0, -100.0])
    drawn = part(torch.zeros(2, CHANNELS, SIDE // 2, SIDE // 2), source, shift(0)[..., ::2, ::2])
    assert drawn.picture_flow is not None
    assert torch.allclose(drawn.picture_flow[:, 0], torch.full((2, SIDE, SIDE), REFINED), atol=1e-5)
    assert torch.allclose(drawn.picture_flow[:, 1], torch.full((2, SIDE, SIDE), -REFINED), atol=1e-5)
