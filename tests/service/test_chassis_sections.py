"""Rows of several tables, handed out page by page: each once, whatever the size of a page."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, new_id
from chassis.database import FirmScoped, service_base
from chassis.sections import Section, plain, read_sections
from contracts.errors import Invalid
from tests.examples import examples

Base: Any = service_base("sections")


class Leaf(FirmScoped, Base):
    __tablename__ = "leaf"
    firm_id: Mapped[str] = mapped_column(Id, primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    tree: Mapped[str] = mapped_column(String(20))


@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.lists(st.integers(0, 7), min_size=1, max_size=5), limit=st.integers(1, 6))
def test_each_row_comes_once_and_pages_are_full(new_database: Any, counts: list[int], limit: int) -> None:
    db = new_database(Base).for_firm(new_id())
    with db.unit_of_work() as uow:
        uow.insert(Leaf, [{"tree": f"t{tree}"} for tree, count in enumerate(counts) for _ in range(count)])
    sections = [Section(f"t{tree}", Leaf, Leaf.tree == f"t{tree}", Leaf.id) for tree in range(len(counts))]
    found: list[tuple[str, str]] = []
    cursor = None
    for _ in range(sum(counts) + 2):
        with db.read() as session:
            rows, following = read_sections(session, sections, limit=limit, cursor=cursor)
        assert len(rows) == limit or following is None
        found += [(section.kind, row.id) for section, row in rows]
        cursor = following
        if cursor is None:
            break
    assert cursor is None
    assert [kind for kind, _ in found] == [f"t{tree}" for tree, count in enumerate(counts) for _ in range(count)]
    assert len(set(found)) == sum(counts)


@pytest.mark.parametrize("cursor", ["", "x", "1", "-1:", "9:", "a:b"])
def test_a_cursor_of_something_else_is_refused(new_database: Any, cursor: str) -> None:
    db = new_database(Base).for_firm(new_id())
    with db.read() as session, pytest.raises(Invalid, match="invalid_cursor"):
        read_sections(session, [Section("t", Leaf, Leaf.tree == "t", Leaf.id)], limit=2, cursor=cursor)


def test_a_plain_record_says_nothing_of_the_firm(new_database: Any) -> None:
    leaf = Leaf(id="018f4e9a-0000-7000-8000-000000000010", tree="t")
    assert plain(leaf) == {"id": leaf.id, "tree": "t"}
    assert plain(leaf, "tree") == {"id": leaf.id}
