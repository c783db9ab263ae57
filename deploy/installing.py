"""Finding the programs that the project does not ship, and installing them where that may be done."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")


class ProgramMissing(Exception):
    """A program that has to be installed first; the message is one sentence that names it."""


def find_program(name: str, *patterns: str) -> str | None:
    """The newest match of the patterns (Debian keeps servers off the path), else what is on PATH."""
    found = sorted(path for pattern in patterns for path in glob.glob(pattern) if os.access(path, os.X_OK))
    return found[-1] if found else shutil.which(name)


def need_program(name: str, *patterns: str, package: str) -> str:
    """The program's path. Installs Debian's package as root where apt is; otherwise raises ProgramMissing."""
    found = find_program(name, *patterns)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        install(package)
        found = find_program(name, *patterns)
    if found is None:
        raise ProgramMissing(
            f"{name} is not installed: install it first (on Debian or Ubuntu: apt-get install {package})."
        )
    return found


def install(package: str) -> None:
    """Install a Debian package without starting the service that it would run by default."""
    print(f"installing {package} with apt-get", file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    keep_services_down = not POLICY.exists()
    if keep_services_down:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
            done = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True)  # noqa: S607
            if done.returncode:
                raise ProgramMissing(f"apt-get could not install {package}: {done.stderr.strip().splitlines()[-1:]}")
    finally:
        if keep_services_down:
            POLICY.unlink(missing_ok=True)
