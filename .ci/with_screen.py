"""Run a command under Xvfb where Linux has no screen, else as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def main(command: list[str]) -> int:
    needs_one = sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if needs_one and not shutil.which("xvfb-run"):
        print("with_screen: no screen and no xvfb-run: tests that draw will be skipped", file=sys.stderr)
    elif needs_one:
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1200x24", *command]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
