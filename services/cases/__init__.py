"""cases: case types, cases, the filter language, case lists, and the selectors that every bulk action takes."""
