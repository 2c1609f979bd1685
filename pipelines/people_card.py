"""What a base model's card says: what it learnt from, how, how good it was then, and what it is not for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.training.model_card import DataSummary, ModelCard, making_of
from studio.project.settings_json import settings_to_plain

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from pipelines.people_systems import PeopleSystem
    from pipelines.people_training import TrainedPeople
    from studio.corpus.corpus import Corpus

USES = ("Animating pictures of yourself, or of people who have agreed to it.",)
LIMITS = (
    "Not for showing anybody saying or doing what they did not, without their consent or as if it were real.",
    "It draws what people look like whom it has learnt from: whoever is little like them is drawn less well.",
    "What the picture does not show (the other side of the head, teeth behind closed lips) is made up.",
)


def card_of(
    system: PeopleSystem,
    title: str,
    licence: str,
    corpus: Corpus,
    settings: Any,
    trained: TrainedPeople,
    fabric: Fabric,
) -> ModelCard:
    """The card of a base model.

    Args:
        system: what was trained.
        title: which of them, e.g. ``small at 128²``.
        licence: what the user noted about rights in the clips and people's consent.
        corpus: what was learnt from.
        settings: of the training.
        trained: what came of it.
        fabric: what it ran on.
    """
    clips = {clip.name: clip for clip in corpus.clips}
    learnt = [clips[name] for name in trained.learnt_from]
    judged = [clips[name] for name in trained.judged_by]
    away = [clip for clip in corpus.clips if clip.split == "held_out"]
    names = {"loss": "difference of pictures", "psnr": "PSNR, dB"}
    return ModelCard(
        title=f"{system.title}, {title}",
        what=system.what,
        parameters=sum(values.numel() for values in trained.network.parameters()),
        data=DataSummary(
            what=f"talking heads in squares of {corpus.side}², tracked by {corpus.tracker}, {corpus.measure}",
            identities=len({clip.identity for clip in learnt}),
            clips=len(learnt),
            frames=sum(clip.good_frames for clip in learnt),
            licence=licence,
            held_out=f"{len(away)} clips of {len({clip.identity for clip in away})} people",
            left_out=tuple(trained.lost.values()),
        ),
        making=making_of(trained.loop, fabric),
        settings=settings_to_plain(settings),
        figures={names.get(name, name): value for name, value in trained.loop.best.items()},
        measured_on=(
            f"{len(judged)} clips of {len({clip.identity for clip in judged})} people by whom the kept "
            "weights were chosen; evaluate-people measures on those held out"
        ),
        uses=USES,
        limits=LIMITS,
        more={
            "head_model": corpus.head_model,
            "pictures_compared": trained.pictures_compared,
            "learnt_from": list(trained.learnt_from),
            "judged_by": list(trained.judged_by),
            "judges": len({clip.identity for clip in judged}),
            "validations": [[step, dict(figures)] for step, figures in trained.loop.validations],
        },
    )
