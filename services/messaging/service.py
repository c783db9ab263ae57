"""The messaging service: what it answers and what it listens to, by capability. What sends is `dispatcher.py`."""

from __future__ import annotations

from contracts.messaging import OWNER
from services.messaging.entrypoints.cases import CaseEntrypoints
from services.messaging.entrypoints.consent import ConsentEntrypoints
from services.messaging.entrypoints.conversations import ConversationEntrypoints
from services.messaging.entrypoints.providers import ProviderEntrypoints
from services.messaging.entrypoints.sandbox import SandboxEntrypoints
from services.messaging.entrypoints.sending import SendingEntrypoints


class MessagingService(
    SendingEntrypoints,
    ConversationEntrypoints,
    ConsentEntrypoints,
    ProviderEntrypoints,
    CaseEntrypoints,
    SandboxEntrypoints,
):
    """Consent, templates, batches, single messages, conversations and what comes in."""

    name = OWNER
