"""Making a firm from the command line: straight into accounts' database, whose relay announces it."""

from __future__ import annotations

from typing import Any


def create_firm(accounts_url: str, name: str, **settings: Any) -> str:
    """A firm with its owner. Returns the owner's API key, which is not kept anywhere."""
    from chassis.columns import utc_now
    from chassis.database import Database
    from services.accounts.credentials import new_key
    from services.accounts.firms import create_firm as create
    from services.accounts.models import Base

    made = create(Database(accounts_url, Base), utc_now(), new_key(), name=name, **settings)
    key: str = made["api_key"]
    return key


def create_demonstration_firm(accounts_url: str) -> str:
    """The firm that a new folder starts with. It permits messages at all hours, so that it can be tried at night."""
    return create_firm(
        accounts_url,
        "Harbor & Pine Law",
        owner_name="Avery Quinn",
        owner_email="avery@harborpine.example",
        time_zone="America/New_York",
        quiet_hours=None,
        postal_address={"line1": "12 Harbor Street", "city": "Portland", "state": "ME", "country": "US"},
        branding={"name": "Harbor & Pine", "color": "#1a5fb4"},
    )
