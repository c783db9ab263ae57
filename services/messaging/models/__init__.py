"""The tables of messaging, a module for each capability; all of them are imported from here."""

from services.messaging.models.client_merges import *  # noqa: F403
from services.messaging.models.common import *  # noqa: F403
from services.messaging.models.consent import *  # noqa: F403
from services.messaging.models.contents import *  # noqa: F403
from services.messaging.models.conversations import *  # noqa: F403
from services.messaging.models.deliveries import *  # noqa: F403
from services.messaging.models.inbound import *  # noqa: F403
from services.messaging.models.known_cases import *  # noqa: F403
from services.messaging.models.sandbox import *  # noqa: F403
from services.messaging.models.senders import *  # noqa: F403
