"""Which clients were merged into which, as far as messaging has heard."""

from __future__ import annotations

from chassis.redirects import Following
from services.messaging.models import ClientMerge, ClientMergeMove

merged_clients = Following(ClientMerge, ClientMergeMove, ())
