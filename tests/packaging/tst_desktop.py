"""Desktop entry, AppStream data and MIME types agree with each other, with the version and with the workspace's file.

usage: tst_desktop.py VERSION
"""

import configparser
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LINUX = ROOT / "packaging" / "linux"
ID = "org.supralens.SupraLens"
MIME = "{http://www.freedesktop.org/standards/shared-mime-info}"


def main():
    version = sys.argv[1]
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str
    entry.read(LINUX / f"{ID}.desktop", encoding="utf-8")
    handled = set(filter(None, entry["Desktop Entry"]["MimeType"].split(";")))
    assert entry["Desktop Entry"]["Exec"] == "supralens %F"

    types = xml.parse(LINUX / f"{ID}.mime.xml").getroot()
    defined = {each.get("type"): each for each in types.iter(MIME + "mime-type")}
    assert set(defined) == handled, f"{set(defined)} are defined, {handled} are handled"
    header = (ROOT / "core/store/filecheck.h").read_text(encoding="utf-8")
    number = re.search(r"workspaceApplicationId\s*=\s*(0x[0-9A-Fa-f]+)", header)
    inner = defined["application/x-supralens-workspace"].findall(f".//{MIME}match[@offset='68']")
    assert number and int(inner[0].get("value"), 0) == int(number.group(1), 0), "the workspace's magic differs"

    data = xml.parse(LINUX / f"{ID}.metainfo.xml").getroot()
    assert data.findtext("id") == ID
    assert {each.text for each in data.iter("mediatype")} == handled
    assert data.find("releases/release").get("version") == version, "the newest release is not this version"
    changelog = (ROOT / "packaging/debian/changelog").read_text(encoding="utf-8")
    assert changelog.startswith(f"supralens ({version}-1) "), "the newest changelog entry is not this version"
    for page in ("supralens.1", "supralens-cli.1"):
        assert f'"SUPRA Lens {version}"' in (LINUX / page).read_text(encoding="utf-8"), page

    for tool, arguments in (("desktop-file-validate", [LINUX / f"{ID}.desktop"]),
                            ("appstreamcli", ["validate", "--no-net", LINUX / f"{ID}.metainfo.xml"])):
        if shutil.which(tool):
            subprocess.run([tool, *arguments], check=True)


main()
