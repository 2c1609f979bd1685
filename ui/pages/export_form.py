"""How it is written: format, size, part of the motion, rate, sound, background, mark and file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

from PySide6.QtCore import QStandardPaths, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from pipelines.export_settings import ExportSettings
from pipelines.setting_hints import setting_hints
from studio.media.codecs import CODECS, Alpha, Codec, CodecId, Quality
from studio.project.slug import slug_of
from ui.pages.export_motion import Motion
from ui.session import Session
from ui.theme import GAP
from ui.widgets.plain import button, label, row

SIZES = (256, 384, 512, 768, 1024, 1536, 2048)
RATES = ("24000/1001", "24", "25", "30000/1001", "30", "50", "60")
SOUNDS = "*.wav *.mp3 *.m4a *.aac *.flac *.mp4 *.mov *.m4v *.mkv *.webm"


class ExportForm(QWidget):
    """Fields for every export setting, with the settings' own words as tooltips.

    Attributes:
        changed: something was set to another value.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._frames, self._rate = 1, Fraction(25)
        self._whole = True
        self._sound_file: Path | None = None
        self.codec, self.side, self.quality = QComboBox(), QComboBox(), QComboBox()
        for codec in CODECS.values():
            self.codec.addItem(codec.title, codec.id)
        for side in SIZES:
            self.side.addItem(f"{side} × {side}", side)
        self.side.setCurrentIndex(SIZES.index(512))
        words = {"small": self.tr("Small file"), "good": self.tr("Good"), "best": self.tr("Best")}
        for key, text in words.items():
            self.quality.addItem(text, key)
        self.quality.setCurrentIndex(1)
        self.hint = label(CODECS["h264"].hint, "hint", wrap=True)
        self.first, self.last = QSpinBox(), QSpinBox()
        self.all = button(self.tr("All"), self.take_all, tip=self.tr("From the first frame to the last"))
        self.span = label("", "hint")
        self.rate = QComboBox()
        self.sound = QComboBox()
        self.offset = QDoubleSpinBox()
        self.offset.setRange(-3600.0, 3600.0)
        self.offset.setSingleStep(0.1)
        self.offset.setDecimals(2)
        self.offset.setSuffix(self.tr(" s later"))
        self.alpha = QComboBox()
        self.watermark = QCheckBox(self.tr("Mark it visibly as made with an avatar"))
        self.file = QLineEdit()
        self.choose = button(self.tr("Choose…"), self.ask_file)
        self._explain()
        self._lay_out()
        self._fill_rates()
        self._fill_sound(None)
        self._fill_alpha()
        self.codec.currentIndexChanged.connect(self._codec_changed)
        self.first.valueChanged.connect(self._range_changed)
        self.last.valueChanged.connect(self._range_changed)
        self.sound.activated.connect(self._sound_chosen)
        for box in (self.side, self.quality, self.rate, self.alpha):
            box.currentIndexChanged.connect(self._tell)
        self.offset.valueChanged.connect(self._tell)
        self.watermark.toggled.connect(self._tell)
        self.file.textEdited.connect(self._tell)

    @property
    def format(self) -> Codec:
        """The codec that is chosen."""
        return CODECS[cast("CodecId", self.codec.currentData())]

    @property
    def target(self) -> Path:
        """The file or folder to write."""
        return Path(self.file.text().strip()).expanduser()

    def settings(self) -> ExportSettings:
        """What was chosen."""
        sound = self.sound.currentData()
        return ExportSettings(
            codec=self.format.id,
            size=int(self.side.currentData()),
            quality=cast("Quality", self.quality.currentData()),
            range="all" if self._whole else f"{self.first.value()}:{self.last.value()}",
            rate=str(self.rate.currentData()),
            sound=sound != "none",
            sound_file=self._sound_file if sound == "file" else None,
            sound_offset=self.offset.value() if sound != "none" else 0.0,
            alpha=cast("Alpha", self.alpha.currentData()),
            watermark=self.watermark.isChecked(),
        )

    def frames(self) -> tuple[int, Fraction]:
        """How many pictures that makes, and at which rate."""
        chosen = self.last.value() - self.first.value() + 1
        own = str(self.rate.currentData())
        rate = self._rate if own == "own" else Fraction(own)
        return int(-(-Fraction(chosen) / self._rate * rate // 1)), rate

    def take_motion(self, motion: Motion) -> None:
        """Another motion: its length, its rate, its sound."""
        before = (self._frames, self._rate)
        self._frames, self._rate = len(motion.track), motion.track.rate
        if (self._frames, self._rate) != before:
            self._fill_rates()
            if self._whole:
                self.take_all()
            else:
                self._limit()
        self._fill_sound(motion.sound)
        self._tell()

    def take_all(self) -> None:
        """From the first frame to the last, also when the motion changes."""
        self._limit()
        self.first.setValue(0)
        self.last.setValue(self._frames - 1)
        self._whole = True
        self._say_span()

    def suggest(self, name: str) -> None:
        """A free file name for somebody, where films belong, unless one was chosen."""
        if self.file.isModified() and self.file.text():
            return
        films = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MoviesLocation)
        remembered = self._session.preferences.text("export.folder")
        folders = [Path(place) for place in (remembered, films, str(Path.home())) if place]
        folder = next((place for place in folders if place.is_dir()), Path.home())
        self.file.setText(str(_free(folder / f"{slug_of(name, ())}{self.format.suffix}")))

    def ask_file(self) -> None:
        """Ask where to write."""
        codec = self.format
        dialog = QFileDialog(self, self.tr("Export to"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        # Whether something is replaced is asked on the page, for files and folders alike.
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        if not codec.is_folder:
            kinds = " ".join(f"*{suffix}" for suffix in codec.containers)
            dialog.setNameFilter(f"{codec.title} ({kinds})")
            dialog.setDefaultSuffix(codec.suffix)
        dialog.setDirectory(str(self.target.parent))
        dialog.selectFile(self.target.name)
        dialog.fileSelected.connect(self._file_chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _file_chosen(self, name: str) -> None:
        self.file.setText(name)
        self.file.setModified(True)
        self._session.preferences.keep("export.folder", str(Path(name).parent))
        self._tell()

    def _codec_changed(self) -> None:
        codec = self.format
        self.hint.setText(codec.hint)
        self._fill_alpha()
        text = self.file.text().strip()
        if text:
            path = Path(text)
            known = {suffix for each in CODECS.values() for suffix in each.containers}
            stem = path.with_suffix("") if path.suffix.lower() in known else path
            modified = self.file.isModified()
            # An ending that somebody chose is kept if it suits: .mov for H.264.
            if not modified or path.suffix.lower() not in codec.containers:
                renamed = stem.with_name(stem.name + codec.suffix)
                self.file.setText(str(renamed if modified else _free(renamed)))
                self.file.setModified(modified)
        self._tell()

    def _range_changed(self) -> None:
        self._whole = self.first.value() == 0 and self.last.value() == self._frames - 1
        self.first.setMaximum(self.last.value())
        self.last.setMinimum(self.first.value())
        self._say_span()
        self._tell()

    def _limit(self) -> None:
        self.first.setRange(0, self._frames - 1)
        self.last.setRange(0, self._frames - 1)

    def _say_span(self) -> None:
        seconds = float((self.last.value() - self.first.value() + 1) / self._rate)
        self.span.setText(self.tr("{seconds:.2f} s").format(seconds=seconds))

    def _fill_rates(self) -> None:
        kept = self.rate.currentData()
        self.rate.blockSignals(True)
        self.rate.clear()
        own = self.tr("As the motion: {rate}").format(rate=_spoken(self._rate))
        self.rate.addItem(own, "own")
        for rate in RATES:
            if Fraction(rate) != self._rate:
                self.rate.addItem(_spoken(Fraction(rate)), rate)
        self.rate.setCurrentIndex(max(0, self.rate.findData(kept)))
        self.rate.blockSignals(False)

    def _fill_sound(self, clip: Path | None) -> None:
        kept = self.sound.currentData()
        self.sound.clear()
        if clip is not None:
            self.sound.addItem(self.tr("The clip’s own"), "own")
        if self._sound_file is not None:
            self.sound.addItem(self._sound_file.name, "file")
        self.sound.addItem(self.tr("A file…"), "ask")
        self.sound.addItem(self.tr("None"), "none")
        wanted = kept if kept in ("own", "file", "none") else None
        if clip is not None and wanted in (None, "none"):
            wanted = "own" if wanted is None or not self._silenced else "none"
        place = self.sound.findData(wanted) if wanted else -1
        self.sound.setCurrentIndex(place if place >= 0 else self.sound.findData("own" if clip else "none"))
        self.offset.setVisible(self.sound.currentData() in ("own", "file"))

    _silenced = False

    def _sound_chosen(self) -> None:
        chosen = self.sound.currentData()
        self._silenced = chosen == "none"
        if chosen == "ask":
            self.sound.setCurrentIndex(self.sound.findData("none"))
            dialog = QFileDialog(self, self.tr("Choose the sound"))
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
            kinds = self.tr("Sound and video ({kinds})").format(kinds=SOUNDS)
            dialog.setNameFilters([kinds, self.tr("All files (*)")])
            dialog.fileSelected.connect(lambda name: self.take_sound(Path(name)))
            dialog.finished.connect(dialog.deleteLater)
            dialog.open()
        self.offset.setVisible(chosen in ("own", "file"))
        self._tell()

    def take_sound(self, file: Path) -> None:
        """Lay this file's sound under the picture."""
        self._sound_file = file
        place = self.sound.findData("file")
        if place < 0:
            place = self.sound.findData("ask")
            self.sound.insertItem(place, file.name, "file")
        self.sound.setItemText(place, file.name)
        self.sound.setCurrentIndex(place)
        self.offset.setVisible(True)
        self._tell()

    def _fill_alpha(self) -> None:
        words: dict[Alpha, str] = {
            "none": self.tr("Keep it"),
            "straight": self.tr("Transparent"),
            "premultiplied": self.tr("Transparent, premultiplied"),
        }
        kept = self.alpha.currentData()
        self.alpha.blockSignals(True)
        self.alpha.clear()
        for alpha in self.format.alphas:
            self.alpha.addItem(words[alpha], alpha)
        self.alpha.setCurrentIndex(max(0, self.alpha.findData(kept)))
        self.alpha.setEnabled(self.alpha.count() > 1)
        self.alpha.blockSignals(False)

    def _tell(self, *_: object) -> None:
        self.changed.emit()

    def _explain(self) -> None:
        hints = setting_hints(ExportSettings)
        fields = (
            (self.codec, self.tr("Format"), "codec"),
            (self.side, self.tr("Size"), "size"),
            (self.quality, self.tr("Quality"), "quality"),
            (self.first, self.tr("First frame"), "range"),
            (self.last, self.tr("Last frame"), "range"),
            (self.rate, self.tr("Frames a second"), "rate"),
            (self.sound, self.tr("Sound"), "sound"),
            (self.offset, self.tr("Sound comes later by"), "sound_offset"),
            (self.alpha, self.tr("Background"), "alpha"),
            (self.watermark, self.tr("Mark"), "watermark"),
        )
        for widget, name, field in fields:
            widget.setAccessibleName(name)
            widget.setToolTip(hints.get(field, ""))
        self.file.setAccessibleName(self.tr("File"))
        for box in (self.codec, self.rate, self.sound, self.alpha):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(8)

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(GAP)
        form.setVerticalSpacing(GAP - 4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(label(self.tr("Format")), self.codec)
        form.addRow(label(""), self.hint)
        form.addRow(label(self.tr("Size")), row(self.side, self.quality, spacing=8))
        frames = row(self.first, label(self.tr("to")), self.last, self.all, self.span, None, spacing=8)
        form.addRow(label(self.tr("Frames")), frames)
        form.addRow(label(self.tr("Rate")), self.rate)
        sound = row(self.sound, self.offset, spacing=8)
        sound.setStretch(0, 1)
        form.addRow(label(self.tr("Sound")), sound)
        form.addRow(label(self.tr("Background")), self.alpha)
        form.addRow(label(""), self.watermark)
        file = row(self.file, self.choose, spacing=8)
        file.setStretch(0, 1)
        form.addRow(label(self.tr("File")), file)


def _spoken(rate: Fraction) -> str:
    return f"{float(rate):.5g}"


def _free(path: Path) -> Path:
    """The path, with a number if there is something already."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem} {number}{path.suffix}")
    return found
