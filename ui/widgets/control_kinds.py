"""How each kind of control is written and stepped: data, one entry a kind."""

from __future__ import annotations

from dataclasses import dataclass

from studio.domain.controls import Control, Kind


@dataclass(frozen=True)
class KindLook:
    """What a slider of this kind needs to know."""

    step: float
    """Smallest step, in the control's own unit."""
    factor: float
    """What a value is multiplied by before it is written."""
    decimals: int
    """Digits behind the point."""
    unit: str
    """Written behind the value."""


LOOKS: dict[Kind, KindLook] = {
    "angle": KindLook(0.5, 1.0, 1, "°"),
    "coefficient": KindLook(0.05, 1.0, 2, " σ"),
    "amount": KindLook(0.01, 100.0, 0, " %"),
    "length": KindLook(0.002, 100.0, 1, " cm"),
}
"""Kind to look: a control of a new kind needs a line here and nothing else."""


def written(control: Control, value: float) -> str:
    """A value as a person reads it."""
    look = LOOKS[control.kind]
    number = round(value * look.factor, look.decimals) + 0.0  # takes the sign off a zero
    sign = "−" if number < 0 else ""
    return f"{sign}{abs(number):.{look.decimals}f}{look.unit}"


def read(control: Control, text: str) -> float | None:
    """A value as a person typed it, None when it is no number."""
    look = LOOKS[control.kind]
    plain = text.strip().replace("−", "-").replace(",", ".").removesuffix(look.unit.strip()).strip()
    try:
        return float(plain) / look.factor
    except ValueError:
        return None
