"""The tables of cases, a module for each capability; all of them are imported from here.

Every key begins with the firm, and so does every reference: a row of one firm cannot name a row of another.
"""

from services.cases.models.activity import *  # noqa: F403
from services.cases.models.answers import *  # noqa: F403
from services.cases.models.client_facts import *  # noqa: F403
from services.cases.models.client_merges import *  # noqa: F403
from services.cases.models.common import *  # noqa: F403
from services.cases.models.filters import *  # noqa: F403
from services.cases.models.imports import *  # noqa: F403
from services.cases.models.keys import *  # noqa: F403
from services.cases.models.new_clients import *  # noqa: F403
from services.cases.models.records import *  # noqa: F403
from services.cases.models.types import *  # noqa: F403
