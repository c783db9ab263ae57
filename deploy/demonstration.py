"""`make demo`: start a new, empty Casewire, run the demonstration on it, and keep serving."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

FOLDER = Path("var/demo")


def show(backend: str) -> int:
    """Run the demonstration on `embedded` or `distributed`. Returns the exit status: with DEMO_EXIT=1 it is 1 if
    something was wrong, and the demonstration ends by itself."""
    return _show_embedded() if backend == "embedded" else _show_distributed()


def _ends_itself() -> bool:
    return os.environ.get("DEMO_EXIT") == "1"


def _empty(folder: Path) -> None:
    """Nothing of an earlier demonstration is left; one that still runs is refused by the folder's lock."""
    from deploy.folder import Folder, FolderInUse

    if folder.exists():
        try:
            Folder(folder).hold()
        except FolderInUse as error:
            sys.exit(f"casewire: {error}")
        shutil.rmtree(folder)


def _tell(base_url: str, api_key: str) -> int:
    """The script, its outcome and where to look next. Returns 0, or 1 if a step or a check failed."""
    import requests
    from rich.console import Console
    from rich.markup import escape

    from deploy.demo.api import Api, ApiError
    from deploy.demo.outcome import Outcome
    from deploy.demo.script import play
    from deploy.demo.stage import Story

    console = Console(highlight=False)
    api, story = Api(base_url, api_key), Story()
    try:
        play(api, console, story)
        console.rule("[bold]9. What came of it", align="left")
        wrong = Outcome(api, console, story).check()
    except (ApiError, requests.RequestException) as error:
        wrong = [str(error)]
        console.print(f"  [red]✗[/] {escape(str(error))}")
    except Exception:
        # Whatever it is: who waits for the demonstration to end must not wait for ever.
        wrong = ["a step broke off"]
        console.print_exception()
    console.rule(align="left")
    addresses = {"API docs": f"{base_url}/docs/", "the phones": f"{base_url}/sandbox", **story.intake.links}
    for name, address in {**addresses, "api key": api_key}.items():
        console.print(f"  {name + ':':<12} {address}", soft_wrap=True)
    if wrong:
        sys.stderr.write(f"The demonstration failed: {'; '.join(wrong)}\n")
    elif not _ends_itself():
        console.print("  Serving until Ctrl-C.")
    return 1 if wrong else 0


def _show_embedded() -> int:
    import eventlet

    eventlet.monkey_patch()
    from deploy.embedded import run

    os.environ["CASEWIRE_DATA"] = str(FOLDER)
    os.environ.setdefault("LOG_LEVEL", "warning")
    _empty(FOLDER)
    outcome: list[int] = []

    def tell(base_url: str, api_key: str) -> None:
        outcome.append(_tell(base_url, api_key))
        if _ends_itself():
            os.kill(os.getpid(), signal.SIGTERM)

    served = run(started=lambda base_url, api_key: eventlet.spawn(tell, base_url, api_key))
    return max([served, *outcome]) if _ends_itself() else served


def _show_distributed() -> int:
    from deploy.distributed import UpFailed, down, up
    from deploy.folder import Folder

    down(FOLDER, quiet=True)
    _empty(FOLDER)
    try:
        state = up(FOLDER, {"dispatcher": 2})
    except UpFailed as error:
        sys.stderr.write(f"casewire: {error}\n")
        return 1
    try:
        outcome = _tell(state["url"], Folder(FOLDER).kept("api-key") or "")
        if not _ends_itself():
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except KeyboardInterrupt:
        outcome = 0
    finally:
        down(FOLDER)
    return outcome
