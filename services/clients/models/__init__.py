"""The tables of clients, a module for each capability; all of them are imported from here.

Keys begin with the firm; what is looked up by many ids at once has an index of the ids alone (ADR 0014).
"""

from services.clients.models.activity import *  # noqa: F403
from services.clients.models.cases import *  # noqa: F403
from services.clients.models.common import *  # noqa: F403
from services.clients.models.companies import *  # noqa: F403
from services.clients.models.contacts import *  # noqa: F403
from services.clients.models.custom_fields import *  # noqa: F403
from services.clients.models.finding import *  # noqa: F403
from services.clients.models.groups import *  # noqa: F403
from services.clients.models.importing import *  # noqa: F403
from services.clients.models.keys import *  # noqa: F403
from services.clients.models.merging import *  # noqa: F403
from services.clients.models.notes import *  # noqa: F403
from services.clients.models.photos import *  # noqa: F403
from services.clients.models.primaries import *  # noqa: F403
from services.clients.models.privacy import *  # noqa: F403
from services.clients.models.records import *  # noqa: F403
from services.clients.models.saved_filters import *  # noqa: F403
from services.clients.models.suspects import *  # noqa: F403
