"""`make check`: every check that needs no running system, one line each, with its output where it fails."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PACKAGES = ("contracts", "chassis", "services", "gateway", "deploy", "bench")
Outcome = tuple[bool, str]


def _ran(*arguments: str) -> Outcome:
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


def _tool(name: str, *arguments: str) -> Outcome:
    return _ran(str(BIN / name), *arguments)


def _tracked() -> list[str]:
    found, names = _ran("git", "ls-files")
    if not found:  # an unpacked archive, without history
        return [str(path.relative_to(ROOT)) for name in (*PACKAGES, "tests") for path in (ROOT / name).rglob("*.py")]
    return names.splitlines()


def lint() -> Outcome:
    """ruff's rules"""
    return _tool("ruff", "check", ".")


def layout() -> Outcome:
    """ruff's format"""
    return _tool("ruff", "format", "--check", ".")


def types() -> Outcome:
    """mypy, strict for contracts and chassis"""
    return _tool("mypy")


def imports() -> Outcome:
    """who may import whom"""
    return _tool("lint-imports", "--no-cache")


def contract_drift() -> Outcome:
    """docs/ against the contracts"""
    return _ran(sys.executable, "-m", "deploy.documents", "--check")


def model_drift() -> Outcome:
    """models against migrations"""
    return _ran(sys.executable, "-m", "deploy.model_drift")


def secrets() -> Outcome:
    """no secret in the tree"""
    skipped = re.compile(r"^(requirements\.lock|docs/.*\.(json|svg)|.*\.csv)$")
    files = [name for name in _tracked() if not skipped.match(name)]
    # Addresses in explanations, and what is put together from a variable.
    harmless = r"//(user:password|\{[^}]+\}(:\{[^}]+\})?)@"
    return _tool("detect-secrets-hook", "--exclude-lines", harmless, *files)


def code_audit() -> Outcome:
    """bandit: nothing medium or higher"""
    deployed = [name for name in PACKAGES if name != "bench"]
    return _tool("bandit", "--quiet", "-c", "pyproject.toml", "-ll", "-r", *deployed)


def dependency_audit() -> Outcome:
    """pip-audit: no known fault in any locked package"""
    locked = len(re.findall(r"^[a-zA-Z0-9]", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    clean, said = _tool(
        *("pip-audit", "--requirement", "requirements.lock", "--require-hashes", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off", "--timeout", "20"),
    )
    audited = said.count('"name":')
    if not clean and not audited:
        # Not reached: the audit says nothing about the packages, and nobody off-line should be stopped by it.
        reason = said.strip().splitlines()[-1:] or ["no answer"]
        return True, f"skipped: the advisory service could not be reached ({reason[0][:120]})"
    if audited < locked:
        return False, f"only {audited} of {locked} locked packages were audited\n{said}"
    return clean, said if not clean else f"{audited} packages audited"


CHECKS: tuple[Callable[[], Outcome], ...] = (
    lint, layout, types, imports, contract_drift, model_drift, secrets, code_audit, dependency_audit,
)  # fmt: skip


def main() -> int:
    """Run the checks named on the command line, all if none is. Returns 1 if one fails."""
    failed = 0
    for check in CHECKS:
        if sys.argv[1:] and check.__name__ not in sys.argv[1:]:
            continue
        begun = time.monotonic()
        passed, said = check()
        failed += not passed
        note = f" ({said})" if passed and said.startswith("skipped") else ""
        mark = "ok    " if passed else "FAILED"
        print(f"{mark} {check.__name__:<18} {check.__doc__}{note}, {time.monotonic() - begun:.1f} s", flush=True)
        if not passed:
            print(said.rstrip())
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
