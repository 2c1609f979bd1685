"""Curves and previews for TensorBoard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from studio.project.atomic import explaining_disk


class Board:
    """Writes into a folder that ``tensorboard --logdir`` shows; runs of one training make one curve."""

    def __init__(self, folder: Path, step: int) -> None:
        """
        Args:
            folder: made if it is not there.
            step: steps done. Points of later steps, which a killed run may have left, are hidden.

        Raises:
            Problem: the disk said no.
        """
        from lightning_fabric.loggers.tensorboard import TensorBoardLogger

        self._folder = folder
        self._logger = TensorBoardLogger(folder, name="", version="", purge_step=step)
        with explaining_disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _ = self._logger.experiment

    def figures(self, step: int, group: str, **values: float) -> None:
        """Figures after ``step`` steps, shown together under the name of their group."""
        with explaining_disk(self._folder):
            self._logger.log_metrics({f"{group}/{name}": value for name, value in values.items()}, step)

    def picture(self, step: int, picture: npt.NDArray[np.uint8]) -> None:
        """A preview ``[H, W, 3]`` RGB."""
        with explaining_disk(self._folder):
            self._logger.experiment.add_image("preview", picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is still in memory."""
        with explaining_disk(self._folder):
            self._logger.experiment.close()
