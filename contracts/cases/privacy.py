"""What cases holds of a client: handed out, and erased."""

from __future__ import annotations

from contracts.base import Event
from contracts.cases.common import OWNER
from contracts.erasing import ErasureReported, a_report
from contracts.exporting import export_operation

EXPORT_CLIENT_DATA = export_operation(OWNER)
ERASURE_REPORTED = Event(OWNER, "erasure.reported.v1", ErasureReported, example=a_report(OWNER))
