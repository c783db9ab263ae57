"""The tasks service: what it answers and listens to is in `entrypoints/`."""

from __future__ import annotations

from chassis.database import Data
from chassis.files import FilesProvider
from chassis.rpc import Calls
from chassis.sealing import Keys
from contracts import accounts, cases, clients, messaging
from services.tasks.entrypoints.automation import AutomationEntrypoints
from services.tasks.entrypoints.bulk import BulkEntrypoints
from services.tasks.entrypoints.case_tasks import CaseTasksEntrypoints
from services.tasks.entrypoints.cases import CasesEntrypoints
from services.tasks.entrypoints.files import FilesEntrypoints
from services.tasks.entrypoints.forms import FormsEntrypoints
from services.tasks.entrypoints.outcomes import OutcomesEntrypoints
from services.tasks.entrypoints.overdue import OverdueEntrypoints
from services.tasks.entrypoints.sharing import SharingEntrypoints
from services.tasks.entrypoints.templates import TemplatesEntrypoints
from services.tasks.firms import Firms
from services.tasks.models import Base
from services.tasks.sealed_answers import SEALING
from services.tasks.settings import AutomationLogDays


class TasksService(
    AutomationEntrypoints,
    TemplatesEntrypoints,
    FormsEntrypoints,
    CaseTasksEntrypoints,
    FilesEntrypoints,
    BulkEntrypoints,
    SharingEntrypoints,
    OutcomesEntrypoints,
    OverdueEntrypoints,
    CasesEntrypoints,
):
    """What clients are asked to do on their cases."""

    name = "tasks"

    db = Data(Base)
    files = FilesProvider()
    calls = Calls(accounts, cases, clients, messaging)
    # For thousands of ids at a time, which are passed on as they come.
    raw_calls = Calls(cases, messaging, raw=True)
    keys = Keys(Base, SEALING)
    firms = Firms()
    log_days = AutomationLogDays()
