"""What a base model's card says, in the few facts that lists, summaries and notes need. Loads no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FEW_PEOPLE, FEW_STEPS = 10, 1000
"""A model that has learnt from fewer people, or for fewer steps, is a try: faces and motions of strangers are
then out of its reach, whatever its figures say."""
CARD = "card.json"
"""Of :mod:`pipelines.training.model_card`, which writes it."""


@dataclass(frozen=True)
class ModelFacts:
    """A base model in numbers."""

    title: str
    """What its card calls it."""
    parameters: int
    """Numbers that were learnt."""
    people: int
    """Whom it has learnt from."""
    clips: int
    """Of theirs."""
    frames: int
    """Of theirs."""
    steps: int
    """Optimiser steps, up to the weights that are kept."""
    seconds: float
    """Time that the training took."""
    psnr: float | None
    """PSNR in dB on people who judged it; None where nobody did."""
    judges: int | None
    """How many people those were; None where the card does not say."""

    @property
    def a_try(self) -> str | None:
        """A sentence where it has seen too little to be used in earnest, otherwise None."""
        if self.people >= FEW_PEOPLE and self.steps >= FEW_STEPS:
            return None
        people = _counted(self.people)
        steps = "1 step" if self.steps == 1 else f"{self.steps:,} steps"
        return f"It has learnt from {people} for {steps}: a try, not a model to use."

    @property
    def lines(self) -> tuple[str, ...]:
        """What somebody wants to know at the end of a training, a line each."""
        people = _counted(self.people)
        took = f"{self.seconds / 60.0:.0f} minutes" if self.seconds >= 90.0 else f"{self.seconds:.0f} seconds"
        judges = "people" if self.judges is None else _counted(self.judges)
        judged = (
            "Nobody judged it: evaluate-people says how good it is."
            if self.psnr is None
            else f"On {judges} who judged it and whom it did not learn from: PSNR {self.psnr:.2f} dB."
        )
        learnt = (
            f"Learnt from {people} ({self.clips:,} clips, {self.frames:,} frames) in {self.steps:,} steps"
        )
        lines = (
            f"{self.title}, {self.parameters:,} parameters.",
            f"{learnt} and {took}.",
            judged,
        )
        return lines if self.a_try is None else (*lines, self.a_try)


def model_facts(folder: Path) -> ModelFacts | None:
    """What the card beside a base model says; None where there is none that can be read.

    Args:
        folder: the base model's.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        data, making, more = card["data"], card["making"], card.get("more", {})
        psnr = card["figures"].get("PSNR, dB")
        judges = more.get("judges")
        best = making.get("best_step")
        return ModelFacts(
            title=str(card["title"]),
            parameters=int(card["parameters"]),
            people=int(data["identities"]),
            clips=int(data["clips"]),
            frames=int(data["frames"]),
            steps=int(making["steps"] if best is None else best),
            seconds=float(making["seconds"]),
            psnr=None if psnr is None else float(psnr),
            judges=None if judges is None else int(judges),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _counted(people: int) -> str:
    return "1 person" if people == 1 else f"{people:,} people"
