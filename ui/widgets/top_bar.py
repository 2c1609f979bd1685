"""The bar above every page: who is open, which clip, which avatar, and the work under way."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QWidget

from ui.session import Session
from ui.theme import GAP
from ui.widgets.job_chip import JobChips
from ui.widgets.plain import label


class TopBar(QFrame):
    """Clip and avatar can be changed from anywhere."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setProperty("role", "bar")
        self.setFixedHeight(56)
        self._name = label(role="heading")
        self.clips, self.avatars = QComboBox(), QComboBox()
        self.clips.setAccessibleName(self.tr("Clip"))
        self.clips.setToolTip(self.tr("The clip that Capture and Train work on"))
        self.avatars.setAccessibleName(self.tr("Avatar"))
        self.avatars.setToolTip(
            self.tr(
                "The avatar that Perform, Timeline and Export show; the present one plays on until another "
                "is ready"
            )
        )
        for box in (self.clips, self.avatars):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            box.setMaximumWidth(340)
        self.clips.activated.connect(self._clip_chosen)
        self.avatars.activated.connect(self._avatar_chosen)
        self.chips = JobChips(session)
        inside = QHBoxLayout(self)
        inside.setContentsMargins(2 * GAP, 0, 2 * GAP, 0)
        inside.setSpacing(GAP)
        inside.addWidget(self._name)
        inside.addWidget(self.clips)
        inside.addWidget(self.avatars)
        inside.addStretch(1)
        inside.addWidget(self.chips)
        for signal in (session.subject_changed, session.clip_changed, session.avatar_changed):
            signal.connect(self._fill)
        session.library_changed.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        session = self._session
        subject = session.subject
        self._name.setText(subject.name if subject is not None else self.tr("Nobody is open"))
        self.clips.clear()
        self.avatars.clear()
        if subject is not None:
            from pipelines.build_job import avatars
            from ui.avatar_names import clips_of, names

            clips = clips_of(subject)
            for clip in clips.values():
                self.clips.addItem(clip.clip.title, clip)
                if session.clip is not None and clip.path == session.clip.path:
                    self.clips.setCurrentIndex(self.clips.count() - 1)
            found = avatars(subject)[::-1]
            called = names(found, clips)
            for avatar in found:
                self.avatars.addItem(called[avatar.folder], avatar)
                if session.avatar is not None and avatar.folder == session.avatar.folder:
                    self.avatars.setCurrentIndex(self.avatars.count() - 1)
        for box, least in ((self.clips, 2), (self.avatars, 1)):
            box.setVisible(box.count() >= least)
            box.view().setMinimumWidth(box.view().sizeHintForColumn(0) + 2 * GAP)  # names whole in the list

    def _clip_chosen(self, index: int) -> None:
        self._session.open_clip(self.clips.itemData(index))

    def _avatar_chosen(self, index: int) -> None:
        self._session.open_avatar(self.avatars.itemData(index))
