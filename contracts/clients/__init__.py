"""clients: people and businesses, how to reach them, what happened to them, their import and their merging. One module
for each; all of them are imported from here."""

from contracts.clients.activity import *  # noqa: F403
from contracts.clients.card import *  # noqa: F403
from contracts.clients.client_fields import *  # noqa: F403
from contracts.clients.common import *  # noqa: F403
from contracts.clients.companies import *  # noqa: F403
from contracts.clients.contacts import *  # noqa: F403
from contracts.clients.exporting import *  # noqa: F403
from contracts.clients.facts import *  # noqa: F403
from contracts.clients.finding import *  # noqa: F403
from contracts.clients.groups import *  # noqa: F403
from contracts.clients.importing import *  # noqa: F403
from contracts.clients.merging import *  # noqa: F403
from contracts.clients.notes import *  # noqa: F403
from contracts.clients.photos import *  # noqa: F403
from contracts.clients.policy_consents import *  # noqa: F403
from contracts.clients.privacy import *  # noqa: F403
from contracts.clients.records import *  # noqa: F403
from contracts.clients.saved_filters import *  # noqa: F403
