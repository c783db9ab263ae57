"""Words and shapes that all parts of clients' contract use."""

from __future__ import annotations

from marshmallow import Schema

from contracts.base import Id

OWNER = "clients"
CLIENT_STATUSES = ("active", "inactive", "prospective", "blacklisted")
GOVERNMENT_IDS = ("ssn", "itin", "ein", "passport", "drivers_license", "national_id", "other")
SYSTEM_FIELDS = ("first_name", "last_name", "phone", "email")

A_CLIENT = "018f4e9a-0000-7000-8000-000000000010"
FACTS = {"client_id": A_CLIENT, "version": 1, "status": "active", "tags": [], "language": "en"}


class ClientId(Schema):
    client_id = Id(required=True)
