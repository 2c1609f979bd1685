"""What of a place is taken from its mirror place."""

from __future__ import annotations

import pytest
import torch

from studio.networks.volume.symmetry import from_other_side, mirrored


def test_mirroring_twice_is_nothing_and_the_middle_stays() -> None:
    points = torch.tensor([[0.03, -0.1, 0.05], [0.0, 0.2, -0.01]])
    assert torch.equal(mirrored(mirrored(points)), points)
    assert torch.equal(mirrored(points)[0], torch.tensor([-0.03, -0.1, 0.05]))
    assert torch.equal(mirrored(points)[1], points[1])


@pytest.mark.parametrize(
    ("own", "other", "gained", "share"),
    [
        (0.0, 1.0, 1.0, 1.0),
        (1.0, 1.0, 1.0, 0.0),  # it is shown well itself
        (0.5, 0.7, 1.0, 0.0),  # hardly better
        (0.0, 1.0, 0.2, 0.0),  # seen as the picture saw it
        (0.0, 1.0, -0.5, 0.0),
        (0.2, 0.6, 1.0, 0.5),
        (0.2, 0.6, 0.35, 0.25),
        (1.0, 0.0, 1.0, 0.0),
    ],
)
def test_it_is_asked_where_it_is_better_and_needed(own, other, gained, share) -> None:
    found = from_other_side(torch.tensor(own), torch.tensor(other), torch.tensor(gained))
    assert float(found) == pytest.approx(share, abs=1e-6)
