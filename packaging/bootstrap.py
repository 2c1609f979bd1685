"""Sets up the private environment that the studio runs in. Standard library only, Python 3.8 and later.

What is installed is exactly constraints.txt, without asking any package for its wishes again. Only torch may
differ: uv is asked which build fits the machine's driver, and when the index with those builds does not
answer or lacks the pinned version, torch, torchvision and the CUDA libraries all come from the default index.
The stamp that marks an environment as ready is written last; a run that finds a half-made one makes it anew,
and what was already downloaded comes out of uv's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path
from typing import Iterator

STAMP = "avatar-studio.json"
UNFINISHED = "avatar-studio.unfinished"
SCHEMA = 1
"""Raised when the way of installing changes so that environments must be refreshed."""

SUPPORTED = ((3, 11), (3, 12))
GIGABYTE = 1_000_000_000
PROBE_SECONDS = 45
HOW_TO_GET_UV = "see “Installing uv” in uv's documentation"
# torch and what its CUDA builds bring along: never taken from two places.
TORCH_FAMILY = re.compile(r"^(torch|torchvision|triton|pytorch-triton[a-z-]*|nvidia-.+|cuda-.+)$")
ENVIRONMENT_OF_OTHERS = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONHOME",
    "UV_SYSTEM_PYTHON",
    "UV_PROJECT_ENVIRONMENT",
)


class SetupFailed(Exception):
    """One sentence: what is wrong and what to do."""


class NoNetwork(SetupFailed):
    """Nothing could be fetched, so nothing was changed."""


# ------------------------------------------------------------------ what is there


def venv_folder(root: Path) -> Path:
    """Where the private environment lives."""
    elsewhere = os.environ.get("AVATAR_STUDIO_VENV")
    return Path(elsewhere).expanduser().absolute() if elsewhere else root / ".venv"


def venv_python(venv: Path) -> Path:
    """The environment's interpreter, there or not."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def runs_in(venv: Path) -> bool:
    """Is this process the environment's own?"""
    return Path(sys.prefix).resolve() == venv.resolve()


def digest(root: Path) -> str:
    """Changes when what should be installed changes."""
    text = (root / "constraints.txt").read_text(encoding="utf-8")
    return hashlib.sha256(f"{SCHEMA}\n{text}".encode()).hexdigest()


def read_stamp(venv: Path) -> dict[str, object]:
    """What the last finished set-up noted, empty if none did."""
    try:
        noted = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def is_current(root: Path, venv: Path) -> bool:
    """Was this environment finished for exactly these pins?"""
    return (
        read_stamp(venv).get("digest") == digest(root)
        and not (venv / UNFINISHED).exists()
        and venv_python(venv).exists()
    )


def pins(constraints: str) -> dict[str, str]:
    """Package name to its line, comments and blank lines left out."""
    lines = (line.strip() for line in constraints.splitlines())
    return {line.split("==")[0].strip().lower(): line for line in lines if line and not line.startswith("#")}


# ------------------------------------------------------------------ set-up


def set_up(root: Path, venv: Path) -> None:
    """Make or refresh the environment. Raises SetupFailed with one sentence."""
    with only_one(venv):
        if is_current(root, venv):  # somebody else did it while we waited
            return
        try:
            make_current(root, venv)
        except OSError as error:
            raise explain(str(error), venv, f"Set-up failed: {error}.") from error


def make_current(root: Path, venv: Path) -> None:
    """The steps of set-up, under the lock."""
    started = time.monotonic()
    fresh = not is_sound(venv)
    why = "first run" if fresh else "the pinned packages have changed"
    say(f"Setting up Avatar Studio in {venv} ({why}).")
    if fresh:
        clear(venv)
        check_space(venv)
    uv = find_uv(venv)
    if fresh:
        make_venv(uv, venv)
    (venv / UNFINISHED).write_text("set-up has started and not finished\n", encoding="utf-8")
    torch_lines = choose_torch(uv, root, venv)
    listing = venv / "avatar-studio.txt"
    listing.write_text("\n".join(what_to_install(root, torch_lines)) + "\n", encoding="utf-8")
    try:
        install(uv, root, venv, listing, fits_machine=torch_lines is not None)
    except NoNetwork:
        if not fresh:  # uv fetches everything before it touches anything: what was whole still is
            (venv / UNFINISHED).unlink()
        raise
    write_stamp(root, venv, torch_lines)
    say(f"Ready after {time.monotonic() - started:.0f} s.\n")


def is_sound(venv: Path) -> bool:
    """Can it be brought up to date in place: not half-made, of a supported Python, and it starts?"""
    if not (venv / "pyvenv.cfg").exists() or (venv / UNFINISHED).exists():
        return False
    ask = "import sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(venv_python(venv)), "-I", "-c", ask], capture_output=True, text=True, timeout=60, check=True
        )
        version = tuple(int(part) for part in answer.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    return version in SUPPORTED


def clear(venv: Path) -> None:
    """Remove what is left of an environment, but never a folder that is something else."""
    if venv.exists() and not (venv / "pyvenv.cfg").exists() and not (venv.is_dir() and is_empty(venv)):
        raise SetupFailed(
            f"{venv} is something else than an environment; move it or point AVATAR_STUDIO_VENV elsewhere."
        )
    if venv.exists():
        shutil.rmtree(venv)


def is_empty(folder: Path) -> bool:
    """Has a folder nothing in it?"""
    return next(folder.iterdir(), None) is None


def check_space(venv: Path) -> None:
    """Torch with CUDA unpacks to nearly 7 GB; better to say so before than to fail after."""
    need = (8 if sys.platform == "linux" else 4) * GIGABYTE
    free = shutil.disk_usage(venv.parent).free
    if free < need:
        raise SetupFailed(
            f"Set-up needs about {need // GIGABYTE} GB and the disk of {venv.parent} has "
            f"{free / GIGABYTE:.1f} GB free; make room or point AVATAR_STUDIO_VENV at another disk."
        )


def find_uv(venv: Path) -> list[str]:
    """The command that starts uv: on the PATH, importable, or fetched by pip into a folder of our own."""
    own = venv.with_name(venv.name + "-uv")
    own_uv = venv_python(own).with_name("uv.exe" if os.name == "nt" else "uv")
    candidates = [
        [found] for found in [shutil.which("uv"), str(own_uv) if own_uv.exists() else None] if found
    ]
    if importlib.util.find_spec("uv") is not None:
        candidates.append([sys.executable, "-m", "uv"])
    for candidate in candidates:
        if answers(candidate):  # a version manager's shim may stand on the PATH and lead nowhere
            return candidate
    say("Fetching uv, which does the installing.")
    words = ""
    with contextlib.suppress(OSError):
        for command in (
            [own_python(), "-m", "venv", "--clear", str(own)],
            [str(venv_python(own)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
            words = done.stdout + done.stderr
            if done.returncode:
                break
    if answers([str(own_uv)]):
        return [str(own_uv)]
    shutil.rmtree(own, ignore_errors=True)
    if re.search(r"No space left|Errno 28", words):
        raise SetupFailed(f"The disk of {venv.parent} is full; make room and run again.")
    if re.search(
        r"connection|resolve|timed out|Temporary failure|No matching distribution", words, re.IGNORECASE
    ):
        raise NoNetwork(
            "uv, which does the installing, could not be fetched: there seems to be no network; "
            "connect and run again."
        )
    raise SetupFailed(
        "uv, which does the installing, is not here and this Python has no working pip and venv to fetch it "
        f"with; install uv ({HOW_TO_GET_UV}) and run again."
    )


def answers(uv: list[str]) -> bool:
    """Does this uv start?"""
    try:
        return (
            subprocess.run([*uv, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
        )
    except (OSError, subprocess.SubprocessError):
        return False


def wanted_python() -> str:
    """This interpreter where its version is supported, otherwise a 3.12 that uv finds or fetches."""
    usable = tuple(sys.version_info[:2]) in SUPPORTED and sys.implementation.name == "cpython"
    return own_python() if usable and not sysconfig.get_config_var("Py_GIL_DISABLED") else "3.12"


def own_python() -> str:
    """This interpreter outside of any environment: the one it runs in may be about to be made anew."""
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def make_venv(uv: list[str], venv: Path) -> None:
    """A new, empty environment."""
    wanted = wanted_python()
    attempts = [["--python", wanted]]
    if wanted == "3.12":
        say(f"Python {sys.version_info[0]}.{sys.version_info[1]} is not supported; asking uv for 3.12.")
        attempts.append(["--python", "3.11", "--no-python-downloads"])  # better than none, without network
    said = []
    for attempt in attempts:
        status, words = watch([*uv, "venv", "--quiet", "--no-project", *attempt, str(venv)])
        if status == 0:
            return
        said.append(words)
    failure = explain(said[0], venv, "uv could not make the environment; its words stand above.")
    if wanted == "3.12":
        raise SetupFailed(
            f"Python 3.11 or 3.12 is needed and uv could not provide one ({failure}) "
            "Or install Python 3.12 and start main.py with it."
        )
    raise failure


def choose_torch(uv: list[str], root: Path, venv: Path) -> list[str] | None:
    """The torch family as pins of the build that fits this machine, or None for the default index's build."""
    constraints = pins((root / "constraints.txt").read_text(encoding="utf-8"))
    wanted = [constraints[name] for name in ("torch", "torchvision")]
    before = read_stamp(venv).get("torch")
    if isinstance(before, list) and all(any(line.startswith(pin) for line in before) for pin in wanted):
        return [str(line) for line in before]
    if sys.platform == "darwin":
        return None  # one build for every Mac, on the default index
    limits = venv / "avatar-studio-limits.txt"
    others = [line for name, line in constraints.items() if not TORCH_FAMILY.match(name)]
    limits.write_text("\n".join(others) + "\n", encoding="utf-8")
    command = [*uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--torch-backend=auto"]
    command += ["--python", str(venv_python(venv)), "--constraints", str(limits), "-"]
    quick = {"UV_HTTP_TIMEOUT": "8", "UV_HTTP_RETRIES": "0"}
    try:
        probe = subprocess.run(
            command, input="\n".join(wanted) + "\n", capture_output=True, text=True, cwd=root,
            env={**environment(), **quick}, timeout=PROBE_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        probe = None
    finally:
        limits.unlink()
    if probe is None or probe.returncode:
        say("The index with torch builds for single machines does not answer; taking the general build.")
        return None
    return [line for name, line in pins(probe.stdout).items() if TORCH_FAMILY.match(name)]


def what_to_install(root: Path, torch_lines: list[str] | None) -> list[str]:
    """Every package as one pinned line."""
    constraints = pins((root / "constraints.txt").read_text(encoding="utf-8"))
    if torch_lines is None:
        return list(constraints.values())
    return [line for name, line in constraints.items() if not TORCH_FAMILY.match(name)] + torch_lines


def install(uv: list[str], root: Path, venv: Path, listing: Path, fits_machine: bool) -> None:
    """Put the listed packages into the environment, showing progress."""
    command = [*uv, "pip", "install", "--no-deps", "--python", str(venv_python(venv)), "-r", str(listing)]
    command += ["--torch-backend=auto"] if fits_machine else []
    status, words = watch(command, cwd=root)
    if status:
        raise explain(words, venv, "The packages could not be installed; uv's words stand above.")


def write_stamp(root: Path, venv: Path, torch_lines: list[str] | None) -> None:
    """Mark the environment as ready: the last thing set-up does."""
    beside = venv / (STAMP + ".new")
    beside.write_text(json.dumps({"digest": digest(root), "torch": torch_lines}, indent=1), encoding="utf-8")
    os.replace(beside, venv / STAMP)  # noqa: PTH105
    (venv / UNFINISHED).unlink()


def explain(words: str, venv: Path, otherwise: str) -> SetupFailed:
    """Turn what uv said into one sentence."""
    if re.search(r"No space left|os error 28|os error 112|not enough space", words, re.IGNORECASE):
        return SetupFailed(f"The disk of {venv.parent} (or of uv's cache) is full; make room and run again.")
    network = (
        r"error sending request|dns error|failed to lookup|could not connect|timed out|network is unreachable"
        r"|network was disabled"
    )
    if re.search(network, words, re.IGNORECASE):
        return NoNetwork(
            "The packages could not be fetched: there seems to be no network; connect and run again, "
            "what was already downloaded is kept."
        )
    if re.search(r"Permission denied|Read-only file system|os error 13|os error 30|Access is denied", words):
        return SetupFailed(
            f"{venv.parent} cannot be written; move the project or point AVATAR_STUDIO_VENV elsewhere."
        )
    if re.search(r"no usable wheels|no wheels with a matching|wheel for the current platform", words):
        return SetupFailed(
            "A package has no build for this machine; Linux (x86-64, glibc 2.34 or newer), Windows (x86-64) "
            "and macOS 14 or newer on Apple silicon are supported."
        )
    say("\n".join(words.splitlines()[-15:]))
    return SetupFailed(otherwise)


# ------------------------------------------------------------------ one at a time


@contextlib.contextmanager
def only_one(venv: Path) -> Iterator[None]:
    """Hold the set-up lock; the system lets go of it when a process dies, so a killed set-up never blocks."""
    path = venv.with_name(venv.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+b")
    except OSError as error:
        raise SetupFailed(
            f"{path.parent} cannot be written ({error.strerror}); move the project or point "
            "AVATAR_STUDIO_VENV elsewhere."
        ) from None
    with lock:
        # uv inherits the lock: should this process be killed, the next one waits until its uv has ended too.
        os.set_inheritable(lock.fileno(), True)
        waiting = False
        while not take(lock.fileno()):
            if not waiting:
                say("Another set-up of this environment is running; waiting for it.")
                waiting = True
            time.sleep(0.5)
        try:
            yield
        finally:
            release(lock.fileno())


def take(handle: int) -> bool:
    """Try to lock an open file."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def release(handle: int) -> None:
    """Let go of a lock."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)


# ------------------------------------------------------------------ processes


def environment() -> dict[str, str]:
    """Ours, without what points at somebody else's Python."""
    return {name: value for name, value in os.environ.items() if name not in ENVIRONMENT_OF_OTHERS}


def say(words: str) -> None:
    """Set-up talks on stderr: stdout belongs to the command."""
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


class Downloads:
    """Reads uv's lines and knows how far the downloads are."""

    def __init__(self) -> None:
        self.sizes: dict[str, float] = {}
        self.done: set[str] = set()

    def hear(self, line: str) -> None:
        """Take in one line of uv's."""
        begun = re.match(r"\s*Downloading (\S+) \(([\d.]+)\s*([KMG])iB\)", line)
        if begun:
            self.sizes[begun[1]] = float(begun[2]) * {"K": 1 / 1024, "M": 1.0, "G": 1024.0}[begun[3]]
        ended = re.match(r"\s*Downloaded (\S+)", line)
        if ended:
            self.done.add(ended[1])

    def line(self, seconds: float) -> str:
        """One line for the screen."""
        clock = f"  {int(seconds) // 60}:{int(seconds) % 60:02d}"
        if not self.sizes:
            return f"{clock}  working"
        waiting = [name for name in self.sizes if name not in self.done]
        if not waiting:
            return f"{clock}  unpacking"
        got = sum(size for name, size in self.sizes.items() if name in self.done)
        largest = max(waiting, key=lambda name: self.sizes[name])
        total = sum(self.sizes.values())
        return f"{clock}  {got:.0f} of {total:.0f} MiB here, {len(waiting)} to come ({largest})"


def watch(command: list[str], cwd: Path | None = None) -> tuple[int, str]:
    """Run uv, showing how far it is. Returns its status and everything it said."""
    said: list[str] = []
    downloads = Downloads()
    process = subprocess.Popen(
        command, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, close_fds=False, text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            downloads.hear(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    on_screen = sys.stderr.isatty()
    pause, started, shown = (0.5 if on_screen else 10.0), time.monotonic(), False
    try:
        while True:
            reader.join(pause)
            if not reader.is_alive():
                break
            shown = True
            text = downloads.line(time.monotonic() - started)
            sys.stderr.write(f"\r{text:<78.78}" if on_screen else f"{text}\n")
            sys.stderr.flush()
        status = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        if shown and on_screen:
            sys.stderr.write("\r" + " " * 78 + "\r")
    return status, "".join(said)


def start_again(venv: Path, arguments: list[str], extra: dict[str, str]) -> int:
    """Run the same command line inside the environment. On POSIX this process becomes it."""
    python = str(venv_python(venv))
    variables = {**os.environ, **extra}
    variables.pop("PYTHONHOME", None)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execve(python, [python, *arguments], variables)
    process = subprocess.Popen([python, *arguments], env=variables)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child got the same Ctrl-C and ends in its own way
            continue
