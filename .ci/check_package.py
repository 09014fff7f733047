"""Build the sdist and the wheel, install the wheel alone and test it where no source tree is in sight."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(*command: object, cwd: Path) -> None:
    print("+", *command, flush=True)
    subprocess.run([str(word) for word in command], cwd=cwd, check=True)


def main() -> None:
    environment = os.environ
    environment.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory(prefix="friedel-package-") as name:
        folder = Path(name)
        dist = folder / "dist"
        run(sys.executable, "-m", "build", "--outdir", dist, ROOT, cwd=folder)
        run(sys.executable, "-m", "twine", "check", "--strict", *sorted(dist.iterdir()), cwd=folder)
        for file in sorted(dist.iterdir()):
            print(f"{file.name}: {file.stat().st_size / 1e6:.2f} MB")
        venv.create(folder / "clean", with_pip=True)
        python = folder / "clean" / ("Scripts" if os.name == "nt" else "bin") / "python"
        wheel = next(dist.glob("*.whl"))
        # No Qt, no viewer: the base install must do the science. npe2 checks the manifest.
        run(python, "-m", "pip", "install", "-q", wheel, "npe2", "pytest", "pytest-timeout", cwd=folder)
        shutil.copy(ROOT / "tests" / "installed" / "test_installed.py", folder / "test_installed.py")
        run(python, "-m", "pytest", "-p", "no:cacheprovider", "-q", "test_installed.py", cwd=folder)


if __name__ == "__main__":
    main()
