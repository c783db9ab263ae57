"""The filter language, for every service whose records can be filtered.

A filter is one of `{"and": [...]}`, `{"or": [...]}`, `{"not": {...}}`, `{"saved_filter_id": id}` and
`{"field", "op", "value"}`. **A field of a record is a set of values**: empty if nothing is stored, one value as a rule,
several where the record has several (its tags, a field of several choices, what is said of others that it names). Then

- `eq`, `in`, `contains`, `starts_with`, `gt`, `gte`, `lt`, `lte`, `between`, `older_than_days` and `within_next_days`
  hold if **some** value of the set satisfies them: an empty field satisfies none;
- `ne` and `not_in` are the complements of `eq` and `in`: **an empty field satisfies both**, and of several values none
  may match;
- `is_empty` holds if the set is empty, `is_not_empty` is its complement; both take no value;
- `not` is the complement of what it holds, always.

`contains` and `starts_with` disregard case; on a set of words (tags, several choices) `contains` means "has this word".
`between` takes [from, to] and includes both. Days are those of the zone in which `now` is told, counted from its today:
`older_than_days` n is before today less n days, `within_next_days` n from today to n days on. An instant is on the day
that the clocks of that zone show; compared with a date, it is its day that is compared.

What is here names no field. A service has a `Catalogue` of its own (`fields`): each field's name, its kind, and how SQL
reaches its values (`sql`): a column, rows of another table, or rows with a column for each kind of value. `lookup`
reads a filter together with the saved filters and custom fields that it mentions, `sql.condition` makes it SQL.
"""
