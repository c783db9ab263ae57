"""What messaging says when it has forgotten a client."""

from __future__ import annotations

from contracts.base import Event
from contracts.erasing import ErasureReported, a_report
from contracts.messaging.common import OWNER

ERASURE_REPORTED = Event(OWNER, "erasure.reported.v1", ErasureReported, example=a_report(OWNER))
