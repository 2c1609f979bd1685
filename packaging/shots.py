"""Pictures of every page for docs/guide.md: both themes, two sizes, on a screen that nobody sees.

    python packaging/shots.py --home DIR [--out docs/images/guide] [--only perform,export]

The home needs a subject named Sample, made of the bundled clip, with an instant avatar. Compare shows its
standard preset beside PVP's draft: both have to have been compared there. The home is
copied first and stays as it is.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtual_screen import missing, virtual_screen

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from ui.main_window import MainWindow

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"1280x800": (1280, 800, 1), "2560x1440": (1280, 720, 2)}
"""Name to width and height in the window's own pixels, and how many of the screen's each takes."""
THEMES = ("light", "dark")
PAGES = (
    *("welcome", "library", "capture", "train", "perform", "timeline", "export", "compare"),
    *("settings", "weights", "edits", "words"),
)
PATIENCE = 240.0
"""Seconds for one page to be ready."""
SUBJECT = "sample"
"""Folder of the subject."""


def main(words: list[str]) -> int:
    """Take all pictures. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="shots.py", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "guide")
    parser.add_argument("--only", default=",".join(PAGES))
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--themes", default=",".join(THEMES))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.inside:
        return take(options)
    lacking = missing()
    if lacking:
        sys.stderr.write(f"{lacking} is not installed: pictures are taken on a screen of its own.\n")
        return 2
    status = 0
    with stage() as place:
        home = place / "Avatar Studio"
        (place / "Videos").mkdir()
        copy_home(options.home, home)
        for size in options.sizes.split(","):
            width, height, scale = SIZES[size]
            command = [sys.executable, __file__, "--inside", "--home", str(home), "--out", str(options.out)]
            command += ["--only", options.only, "--sizes", size, "--themes", options.themes]
            with virtual_screen(width * scale, height * scale, manager="") as environment:
                environment |= {"QT_SCALE_FACTOR": str(scale), "PYTHONPATH": str(ROOT), "HOME": str(place)}
                status |= subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode
    return status


@contextmanager
def stage() -> Iterator[Path]:
    """A folder for the home, whose path may be read in the pictures."""
    place = Path(tempfile.gettempdir()) / "you"
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place)


def copy_home(home: Path, to: Path) -> None:
    """Only what pages show: what a training left behind to go on from is large."""
    shutil.copytree(
        home / "subjects" / SUBJECT,
        to / "subjects" / SUBJECT,
        ignore=shutil.ignore_patterns("material", "priors", "scratch"),
    )
    if (home / "models").is_dir():
        shutil.copytree(home / "models", to / "models")


def take(options: argparse.Namespace) -> int:
    """Inside the screen: one window for each theme, one picture for each page."""
    from PySide6.QtWidgets import QApplication

    from studio.project.store import Store
    from ui.app import open_window

    app = QApplication(["Avatar Studio"])
    size = options.sizes
    width, height, _ = SIZES[size]
    wanted, bad = options.only.split(","), 0
    for theme in options.themes.split(","):
        for welcome in (True, False):
            pages = [page for page in PAGES if page in wanted and (page == "welcome") == welcome]
            if not pages:
                continue
            home = options.home.parent / "nobody" if welcome else options.home
            store = Store(home)
            home.mkdir(exist_ok=True)
            window = open_window(app, store)
            window.session.preferences.theme = theme
            window.resize(width, height)
            window.move(0, 0)
            window.show()
            if not welcome:
                window.session.open_subject(store.subjects().subjects[0])
            for page in pages:
                try:
                    ready(window, page)
                except Exception as error:
                    bad = 1
                    sys.stderr.write(f"{page}: {type(error).__name__}: {error}\n")
                keep(window, options.out / f"{page}-{theme}-{size}.jpg")
            window.close()
            wait(lambda: True)
    return bad


def ready(window: MainWindow, page: str) -> None:
    """Show a page with something worth seeing on it."""
    elsewhere = {"welcome": "library", "weights": "settings", "edits": "perform", "words": "perform"}
    window.show_page(elsewhere.get(page, page))
    shown: Any = window.page(window.shown)
    arrange = ARRANGE.get(page)
    if arrange is not None:
        arrange(window, shown)
    rest(0.6)
    window.setFocus()
    rest(0.4)


def keep(window: QWidget, file: Path) -> None:
    """Write what the window shows. Twice the pixels hide twice the loss."""
    from PIL import Image
    from PySide6.QtGui import QImage

    picture = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    size = (picture.width(), picture.height())
    pixels = Image.frombytes("RGB", size, bytes(picture.constBits()), "raw", "RGB", picture.bytesPerLine())
    quality, colours = (85, 0) if picture.devicePixelRatio() < 2 else (72, 2)
    pixels.save(file, quality=quality, subsampling=colours, optimize=True, progressive=True)
    sys.stdout.write(f"{file}\n")
    sys.stdout.flush()


def wait(for_: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Let the window work until something is the case. Raises TimeoutError when it never is."""
    from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop

    end = time.monotonic() + seconds
    while True:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        if for_():
            return
        if time.monotonic() > end:
            raise TimeoutError("nothing to see after a long wait")


def rest(seconds: float) -> None:
    """Let the window work for a while: pictures fade in, the still one is drawn."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


def welcome(window: MainWindow, page: Any) -> None:
    wait(lambda: page.stack.currentWidget() is page.empty)


def library(window: MainWindow, page: Any) -> None:
    wait(lambda: page.cards and not next(iter(page.cards.values())).portrait.empty)


def capture(window: MainWindow, page: Any) -> None:
    wait(lambda: page.player.facts is not None and page._data is not None and page._data.seen is not None)
    frame = page.player.facts.frames * 3 // 10
    page.player.seek(frame)
    wait(lambda: page.player.frame == frame)


def train(window: MainWindow, page: Any) -> None:
    wait(lambda: page.build._offers.offers and page.pivots.grid.frames())
    page.build.choose("pvp")
    page.pivots.choose(page.pivots.grid.frames()[2])
    rest(3.0)  # thumbnails come one by one


def perform(window: MainWindow, page: Any) -> None:
    open_instant(window)
    page.model.put({"yaw": 18.0, "pitch": 4.0, "smile": 0.8, "brow_raise": 0.4}, "")
    wait(lambda: page.viewport.frame.request.state == page.posing.state())
    wait(lambda: page.viewport.frame.request.quality == "full", 30)


def timeline(window: MainWindow, page: Any) -> None:
    from pipelines.timeline_control_file import timeline_from_control_file

    open_instant(window)
    wait(lambda: page.model.sheet.controls)
    demo = ROOT / "assets" / "demo_controls.json"
    if page.model.timeline.empty:
        page.model.put(timeline_from_control_file(demo, page.model.sheet, page.model.handles), "")
    page.model.edit_curves(("yaw", "smile"))
    page.editor.fit()
    page.model.go(60)
    wait(lambda: page.viewport.frame.request.state == page.picture.state())
    wait(lambda: page.viewport.frame.request.quality == "full", 30)
    wait(lambda: not page.saver.busy)


def export(window: MainWindow, page: Any) -> None:
    if window.page("timeline").model.timeline.empty:  # type: ignore[attr-defined]
        window.show_page("timeline")
        timeline(window, window.page("timeline"))
        window.show_page("export")
    wait(lambda: page.motion.motion is not None)
    if not page.queue.rows:
        page.form.side.setCurrentIndex(0)
        page.form.last.setValue(49)
        page.go_on()
        wait(lambda: [row for row in page.queue.rows.values() if row.state == "finished"])
        page.form.file.setText(page.form.file.text().replace(".mp4", " talks.mp4"))
        page.form.side.setCurrentIndex(2)
        page.form.take_all()
    wait(lambda: page.preview.picture.pixels is not None)


def compare(window: MainWindow, page: Any) -> None:
    wait(lambda: page.a.count() > 1)
    for box, wanted in ((page.a, "instant:standard"), (page.b, "pvp:draft")):
        box.setCurrentIndex(box.findData(wanted))
    page._picked()
    wait(page.result.isVisible)
    page.result.slider.setValue(page.result.slider.maximum() // 3)
    rest(2.0)


def settings(window: MainWindow, page: Any) -> None:
    page.tabs.setCurrentWidget(page.general)
    wait(lambda: page.health.report is not None)


def weights(window: MainWindow, page: Any) -> None:
    page.tabs.setCurrentWidget(page.weights)


def edits(window: MainWindow, page: Any) -> None:
    open_instant(window)
    page.tabs.setCurrentWidget(page.edits)
    page.model.replace({"yaw": 12.0, "pitch": 3.0, "smile": 0.6}, "")
    add = page.edits.add
    for group, titles in EDITS.items():
        wait(lambda group=group: group in add.ways)  # type: ignore[misc]
        add.open(group)
        for title in titles:
            wait(partial(tile_of, add, group, title))  # colours are measured first
            tile_of(add, group, title).click()
    add.open("shape")
    settled(window)
    names = [edit.name for edit in page.edits.stack.edits]
    page.edits.list.rows[names[0]].slider.setFocus()
    page.model.keeper(f"edit_{names[0]}", 1.0, 0.8)
    rows = page.edits.list.rows.values()
    wait(lambda: not window.session.edits.busy and all(not row.face.picture.isNull() for row in rows))
    rest(1.0)
    wait(lambda: not window.session.faces.busy)


def words(window: MainWindow, page: Any) -> None:
    edits(window, page)
    page.edits.add.open("words")
    finder = page.edits.add.finders["words"]
    finder.form.put_text("text", "with round eyeglasses")
    rest(0.3)
    page.edits._scroll.ensureWidgetVisible(finder.begin)


EDITS = {"shape": ("Large eyes", "Wide jaw"), "colour": ("Red hair",)}
"""Tiles that are clicked, by where they are."""


def tile_of(add: Any, group: str, title: str) -> Any:
    """The tile of this name; None where there is none yet."""
    return next((tile for tile in add.tiles[group].tiles.values() if tile.text() == title), None)


def settled(window: MainWindow) -> None:
    """Wait until the avatar is shown with the edits that it has."""
    live, session = window.session.live, window.session
    wait(lambda: session.edits.known and live.coming is None and live.avatar == session.avatar)


def open_instant(window: MainWindow) -> None:
    """Show the avatar that every clip has in seconds, as it was filmed."""
    from pipelines.build_job import avatars
    from studio.domain.edits import EditStack

    subject, live = window.session.subject, window.session.live
    assert subject is not None
    instant = [a for a in avatars(subject) if a.engine == "instant" and not a.lineage.get("held_out")]
    window.session.open_avatar(instant[-1])
    wait(lambda: window.session.edits.known)
    window.session.edits.change(lambda stack: EditStack())
    settled(window)
    wait(lambda: live.frame is not None and live.frame.avatar.folder == instant[-1].folder)


ARRANGE: dict[str, Callable[[MainWindow, Any], None]] = {
    "welcome": welcome,
    "library": library,
    "capture": capture,
    "train": train,
    "perform": perform,
    "timeline": timeline,
    "export": export,
    "compare": compare,
    "settings": settings,
    "weights": weights,
    "edits": edits,
    "words": words,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
