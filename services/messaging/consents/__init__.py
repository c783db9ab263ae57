"""Consent as people state, withdraw, read and review it. `consent` decides a send."""
