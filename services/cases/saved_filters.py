"""Filters of cases with a name."""

from __future__ import annotations

from chassis.filters.saved import SavedFilters
from services.cases.filter_lookup import read_filter_to_save
from services.cases.models import FilterUse, SavedFilter

SAVED_FILTERS = SavedFilters(SavedFilter, FilterUse, read_filter_to_save, target="cases")
