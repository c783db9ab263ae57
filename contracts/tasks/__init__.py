"""tasks: templates, case tasks and their answers, bulk assignment, and requests to notify the clients of many cases.
One module for each; all of them are imported from here."""

from contracts.tasks.answers import *  # noqa: F403
from contracts.tasks.assigning import *  # noqa: F403
from contracts.tasks.automation import *  # noqa: F403
from contracts.tasks.case_tasks import *  # noqa: F403
from contracts.tasks.common import *  # noqa: F403
from contracts.tasks.conditions import *  # noqa: F403
from contracts.tasks.due import *  # noqa: F403
from contracts.tasks.files import *  # noqa: F403
from contracts.tasks.forms import *  # noqa: F403
from contracts.tasks.known_answers import *  # noqa: F403
from contracts.tasks.notifications import *  # noqa: F403
from contracts.tasks.privacy import *  # noqa: F403
from contracts.tasks.sharing import *  # noqa: F403
from contracts.tasks.templates import *  # noqa: F403
