"""The tables of tasks, a module for each capability; all of them are imported from here.

Every key begins with the firm, and so does every reference: a row of one firm cannot name a row of another.
"""

from services.tasks.models.automation import *  # noqa: F403
from services.tasks.models.bulk import *  # noqa: F403
from services.tasks.models.case_tasks import *  # noqa: F403
from services.tasks.models.client_merges import *  # noqa: F403
from services.tasks.models.common import *  # noqa: F403
from services.tasks.models.files import *  # noqa: F403
from services.tasks.models.forms import *  # noqa: F403
from services.tasks.models.keys import *  # noqa: F403
from services.tasks.models.known_cases import *  # noqa: F403
from services.tasks.models.notifications import *  # noqa: F403
from services.tasks.models.templates import *  # noqa: F403
