"""messaging: consent, templates, batches and their deliveries, single messages, conversations, what comes in, and the
sandbox. One module for each; all of them are imported from here."""

from contracts.messaging.common import *  # noqa: F403
from contracts.messaging.consent import *  # noqa: F403
from contracts.messaging.conversations import *  # noqa: F403
from contracts.messaging.erasing import *  # noqa: F403
from contracts.messaging.group_messages import *  # noqa: F403
from contracts.messaging.inbound import *  # noqa: F403
from contracts.messaging.sandbox import *  # noqa: F403
from contracts.messaging.sending import *  # noqa: F403
from contracts.messaging.templates import *  # noqa: F403
