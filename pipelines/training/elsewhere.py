"""That another process of a training has stopped it."""

from __future__ import annotations

from studio.domain.problem import Problem


class StoppedElsewhere(Problem):
    """Another process of the same training met a problem and tells it; this one only ends as well."""

    def __init__(self) -> None:
        super().__init__("Another process of this training met a problem and has told it.")
