"""The manual page of supralens-cli has every option that --help lists, and no other.

usage: tst_manpages.py supralens-cli supralens-cli.1
"""

import re
import subprocess
import sys
from pathlib import Path


def help_of(program, *command):
    return subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True).stdout


def options_in(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def subcommands_in(text):
    section = text.split("\nSubcommands:\n", 1)
    if len(section) == 1:
        return []
    return re.findall(r"^  ([\w-]+) ", section[1], re.MULTILINE)


def main():
    program, page = sys.argv[1], Path(sys.argv[2]).read_text(encoding="utf-8").replace("\\-", "-")
    top = help_of(program)
    commands = subcommands_in(top)
    assert commands, "no commands in --help"
    options = options_in(top)
    lacking = []
    for command in commands:
        text = help_of(program, command)
        options |= options_in(text)
        if not re.search(rf"^\.SS {command}\b", page, re.MULTILINE):
            lacking.append(command)
        for inner in subcommands_in(text):
            options |= options_in(help_of(program, command, "x", inner))
            if not re.search(rf"\b{inner}\b", page):
                lacking.append(f"{command} {inner}")
    lacking += sorted(options - options_in(page))
    unknown = sorted(options_in(page) - options)
    if lacking or unknown:
        sys.exit(f"the manual page lacks {lacking} and knows {unknown}, which the program does not")


main()
