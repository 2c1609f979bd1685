"""The story on a real X server, with a real mouse and real keys."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest

virtual_screen = pytest.importorskip("virtual_screen", reason="packaging/ is not on the path")

from studio.media import probe  # noqa: E402
from tests.ui.story_process import WindowProcess, window_process  # noqa: E402

LACKING = virtual_screen.missing("xdotool", "openbox")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(LACKING), reason=f"{LACKING} is not installed"),
]
WIDTH, HEIGHT = 1280, 800


class Hands:
    """xdotool's."""

    def __init__(self, environment: Mapping[str, str], window: WindowProcess) -> None:
        self._environment, self.window = environment, window

    def _do(self, *words: object) -> None:
        command = ["xdotool", *(str(word) for word in words)]
        subprocess.run(command, env=dict(self._environment), check=True, timeout=60)

    def click(self, what: str, times: int = 1) -> None:
        """Click in the middle of what a question finds, once it is there."""
        x, y = self.window.until(what)
        self._do("mousemove", x, y, "click", "--repeat", times, "--delay", 60, 1)

    def drag(self, start: list[int], end: list[int]) -> None:
        """Press, move in steps, let go."""
        self._do("mousemove", *start, "mousedown", 1)
        for step in range(1, 6):
            self._do("mousemove", *(round(a + (b - a) * step / 5) for a, b in zip(start, end)))
        self._do("mouseup", 1)

    def keys(self, *names: str) -> None:
        """Press keys, one after the other."""
        self._do("key", "--clearmodifiers", "--delay", 40, *names)

    def write(self, words: str) -> None:
        """Type."""
        self._do("type", "--delay", 20, words)


def test_from_the_sample_to_a_film_with_mouse_and_keys(home, tmp_path) -> None:
    home.mkdir()
    film = tmp_path / "film.mp4"
    with (
        virtual_screen.virtual_screen(WIDTH, HEIGHT) as environment,
        window_process(home, {**environment, "HOME": str(tmp_path)}) as window,
    ):
        hands, ask, until = Hands(environment, window), window.ask, window.until
        until("window.isActiveWindow()")
        hands.click("button('Try the bundled sample')")
        until("[j for j in session.jobs.jobs() if j.status.state == 'finished']")
        hands.click("next(iter(window.page('library').cards.values())).portrait")
        until("window.shown == 'capture'")
        hands.click("button('Build an avatar')")
        until("window.shown == 'train'")
        hands.click("button('Instant')")
        hands.click("button('Build')")
        hands.click("button('Perform with it')")
        until("window.shown == 'perform'")

        # A slider by mouse, then by keys.
        until("window.page('perform').viewport.frame is not None")
        row = "window.page('perform').controls.row('yaw')"
        until(f"{row}.isVisible()")
        start, end = ask(f"place({row}, {row}.handle_at(0.0))"), ask(f"place({row}, {row}.handle_at(20.0))")
        hands.drag(start, end)
        until("window.page('perform').model.undo.count() == 1")  # the button is up again
        value = ask("window.page('perform').model.value('yaw')")
        assert value == pytest.approx(20.0, abs=3.0)
        hands.keys("Right", "Right")
        until(f"window.page('perform').model.value('yaw') > {value} + 0.4")
        until("window.page('perform').viewport.frame.request.state == window.page('perform').posing.state()")
        hands.keys("ctrl+z")
        until(f"window.page('perform').model.value('yaw') <= {value} + 1e-6")

        # Keyframes.
        hands.keys("ctrl+5")
        until("window.shown == 'timeline'")
        page = "window.page('timeline')"
        until(f"{page}.isEnabled() and len({page}.model.sheet.controls)")
        for name, frame, amount in (("yaw", 10, 0.1), ("yaw", 120, 0.9), ("smile", 60, 0.8)):
            if not ask(f"'{name}' in {page}.model.names"):
                hands.click(f"{page}.list.search")
                hands.write(ask(f"{page}.model.knob('{name}').label"))
                hands.keys("Return")
                until(f"'{name}' in {page}.model.names")
            value = f"{page}.editor.drawing.shown('{name}').value({amount})"
            spot = f"place({page}.editor.viewport(), {page}.editor.place_of('{name}', {frame}, {value}))"
            hands.click(spot, times=2)
            until(f"{page}.model.timeline.curves['{name}'].at({frame}) is not None")

        # The film.
        hands.keys("ctrl+6")
        until("window.shown == 'export'")
        until("window.page('export').motion.motion is not None")
        hands.click("window.page('export').form.file")
        hands.keys("ctrl+a")
        hands.write(str(film))
        hands.click("window.page('export').export")
        until("[row for row in window.page('export').queue.rows.values() if row.state == 'finished']")
        info = probe(film)
        frames = ask(f"{page}.model.timeline.length")
        assert (info.width, info.height, info.rate) == (512, 512, Fraction(30))
        assert info.frames == frames

        # Every page opens by its key, and the window closes by the window manager's.
        shown = ["library", "capture", "train", "perform", "timeline", "export", "compare", "settings"]
        for number, name in enumerate(shown, 1):
            hands.keys(f"ctrl+{number}")
            until(f"window.shown == '{name}'")
        hands.keys("alt+F4")
        assert window.wait(60) == 0
    assert not list(Path(home).rglob("*.tmp"))
