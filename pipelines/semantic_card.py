"""What a base model's card says: what it learnt from, how, how good it was then, and whom it may not be used on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.semantic_training_settings import SemanticTrainingSettings
from studio.project.atomic import explaining_disk, write_json
from studio.project.settings_json import settings_to_plain

if TYPE_CHECKING:
    from pipelines.train_semantic import TrainedSemantic
    from studio.corpus.corpus import Corpus

USE = (
    "Use it to animate pictures of yourself, or of people who have agreed to it, and say that what it draws is "
    "synthetic."
)
"""Stands on every card."""


def card_of(
    title: str, corpus: Corpus, settings: SemanticTrainingSettings, trained: TrainedSemantic
) -> dict[str, Any]:
    """The card as JSON values."""
    people = {clip.name: clip.identity for clip in corpus.clips}
    parameters = sum(values.numel() for values in trained.network.parameters())
    return {
        "title": f"Semantic prior, {title}",
        "parameters": parameters,
        "corpus": {
            "clips_learnt_from": len(trained.learnt_from),
            "people_learnt_from": len({people[name] for name in trained.learnt_from}),
            "judged_by": list(trained.judged_by),
            "held_out": sorted(clip.name for clip in corpus.clips if clip.split == "held_out"),
            "unreadable": dict(trained.lost),
            "people_told_apart": corpus.measure,
            "head_model": corpus.head_model,
            "tracker": corpus.tracker,
        },
        "training": {
            "ended_by": trained.loop.reason,
            "steps": trained.loop.steps,
            "seconds": round(trained.loop.seconds, 1),
            "best_step": trained.loop.best_step,
            "best": dict(trained.loop.best),
            "pictures_compared": trained.pictures_compared,
            "validations": [[step, dict(figures)] for step, figures in trained.loop.validations],
        },
        "settings": settings_to_plain(settings),
        "use": USE,
    }


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """``card.json`` and ``card.md`` in a base model's folder. Raises Problem when the disk says no."""
    with explaining_disk(folder):
        write_json(folder / "card.json", card)
        (folder / "card.md").write_text(card_text(card), encoding="utf-8")


def card_text(card: dict[str, Any]) -> str:
    """The card in words, Markdown."""
    corpus, training = card["corpus"], card["training"]
    minutes, best = training["seconds"] / 60.0, training["best"]
    figures = ", ".join(f"{name} {value:.4g}" for name, value in best.items())
    lines = [
        f"# {card['title']}",
        "",
        f"{card['parameters'] / 1e6:.2f} million parameters. Learnt from {corpus['clips_learnt_from']} clips of "
        f"{corpus['people_learnt_from']} people ({corpus['people_told_apart']}) in {training['steps']} steps, "
        f"{minutes:.0f} minutes.",
        "",
        training["pictures_compared"],
    ]
    if best:
        judged = len(corpus["judged_by"])
        lines += [
            "",
            f"Kept are the weights of step {training['best_step']}: {figures} on {judged} clips of people who were not learnt from.",
        ]
    if corpus["unreadable"]:
        lines += ["", "Left out, because they could not be read:", ""]
        lines += [f"- {why}" for why in corpus["unreadable"].values()]
    lines += [
        "",
        f"Held out for measuring: {', '.join(corpus['held_out']) or 'nobody'}.",
        "",
        card["use"],
        "",
    ]
    return "\n".join(lines)
