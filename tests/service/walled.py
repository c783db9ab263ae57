"""A database behind walls in which two firms have a row each, and an empty one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from chassis.columns import new_id
from chassis.database import Database
from tests.service.sample import MakerBase, Thing

FIRM, OTHER = new_id(), new_id()
COUNT = select(func.count()).select_from(Thing.__table__)


@pytest.fixture
def db(emptied_postgresql: Callable[[Any], Database]) -> Database:
    made = emptied_postgresql(MakerBase)
    for firm_id in (FIRM, OTHER):
        with made.for_firm(firm_id).unit_of_work() as uow:
            uow.insert(Thing, [{"name": "one"}])
    return made


@pytest.fixture
def owner_url(postgres_database: Callable[[], str]) -> str:
    return postgres_database()
