"""Filters of clients with a name."""

from __future__ import annotations

from chassis.filters.saved import SavedFilters
from services.clients.filter_lookup import read_filter_to_save
from services.clients.models import FilterUse, SavedFilter

SAVED_FILTERS = SavedFilters(SavedFilter, FilterUse, read_filter_to_save, target="clients")
