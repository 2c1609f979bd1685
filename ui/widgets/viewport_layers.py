"""What is shown of an avatar that can show more than its picture: a small choice."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QPushButton, QSizePolicy, QWidget

from studio.domain.rendering import Layer
from ui.widgets.plain import button, row


class LayerChoice(QWidget):
    """A button for each layer; nothing at all where there is only the picture.

    Attributes:
        chosen: the :data:`Layer` that somebody wants to see.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("What is shown"))
        self.buttons: dict[Layer, QPushButton] = {}
        self._group = QButtonGroup(self)
        looks: tuple[tuple[Layer, str, str], ...] = (
            ("picture", self.tr("Picture"), self.tr("The person as filmed")),
            ("depth", self.tr("Depth"), self.tr("What is near is light, what is far is dark")),
            ("normals", self.tr("Normals"), self.tr("Colours say where the surface faces")),
            (
                "canonical",
                self.tr("Resting face"),
                self.tr("The face that every expression is made from, before anything moves it"),
            ),
        )
        for layer, words, tip in looks:
            made = button(words, lambda layer=layer: self.chosen.emit(layer), tip=tip)  # type: ignore[misc]
            made.setCheckable(True)
            made.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            self._group.addButton(made)
            self.buttons[layer] = made
        self.setLayout(row(*self.buttons.values(), spacing=4))
        self.offer(("picture",), "picture")

    def offer(self, layers: Sequence[Layer], shown: Layer) -> None:
        """What there is to choose from, and what is shown now; the picture if it cannot be."""
        for layer, made in self.buttons.items():
            made.setVisible(layer in layers)
        self.buttons[shown if shown in layers else "picture"].setChecked(True)
        self.setVisible(len(layers) > 1)
