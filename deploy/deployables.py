"""What can be started: each service, messaging's dispatcher, and the gateway."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chassis.config import Setting


@dataclass(frozen=True)
class Deployable:
    """One Nameko service class. `database` names the service whose database it works on, None for none. `niceness`: how
    far its process stands back where it shares processors with those that somebody waits for an answer of."""

    name: str
    path: str
    database: str | None
    niceness: int = 0

    def load(self) -> Any:
        """The service class. What it imports must find eventlet patched."""
        module, _, name = self.path.partition(":")
        return getattr(importlib.import_module(module), name)

    def settings(self) -> tuple[Setting, ...]:
        """What it declares in a module `settings` beside its own, () where there is none."""
        package = self.path.partition(":")[0].rpartition(".")[0]
        if importlib.util.find_spec(f"{package}.settings") is None:
            return ()
        declared: tuple[Setting, ...] = importlib.import_module(f"{package}.settings").SETTINGS
        return declared


DEPLOYABLES = {
    entry.name: entry
    for entry in (
        Deployable("accounts", "services.accounts.service:AccountsService", "accounts"),
        Deployable("clients", "services.clients.service:ClientsService", "clients"),
        Deployable("cases", "services.cases.service:CasesService", "cases"),
        Deployable("tasks", "services.tasks.service:TasksService", "tasks"),
        Deployable("messaging", "services.messaging.service:MessagingService", "messaging"),
        Deployable("dispatcher", "services.messaging.dispatcher:Dispatcher", "messaging", niceness=5),
        Deployable("portal", "services.portal.service:PortalService", "portal"),
        Deployable("gateway", "gateway.service:Gateway", None),
    )
}
DATABASES = tuple(dict.fromkeys(entry.database for entry in DEPLOYABLES.values() if entry.database))


def settings_of(deployables: Iterable[Deployable]) -> Sequence[Setting]:
    """The settings of several deployables in one process. One that must be given anywhere must be given."""
    from chassis.config import REQUIRED

    declared: dict[str, Setting] = {}
    for entry in deployables:
        for setting in entry.settings():
            if setting.name not in declared or setting.default is REQUIRED:
                declared[setting.name] = setting
    return list(declared.values())
