"""What tasks holds of a client: handed out, and erased."""

from __future__ import annotations

from contracts.base import Event
from contracts.erasing import ErasureReported, a_report
from contracts.exporting import export_operation
from contracts.tasks.common import OWNER

EXPORT_CLIENT_DATA = export_operation(OWNER)
ERASURE_REPORTED = Event(OWNER, "erasure.reported.v1", ErasureReported, example=a_report(OWNER))
