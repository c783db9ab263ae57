"""Forms for many cases take as long for each case however many there are already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from chassis.columns import new_id
from chassis.context import use
from chassis.database import Database
from chassis.files import FolderFiles
from chassis.scoping import UNGUARDED
from services.tasks import form_assigning
from services.tasks.freezing import freeze
from services.tasks.models import Base
from tests.service.forms_desk import calendar, intake
from tests.service.plans import undisturbed
from tests.service.tasks_office import NOW, Office

READ = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'case_form'")


def rows_read(db: Database, frozen: Any, cases: int) -> int:
    """How many rows of `case_form` PostgreSQL read to add forms to so many cases."""
    with db.unit_of_work() as uow:
        form_assigning.add(uow, frozen, [new_id() for _ in range(cases)], once=True, now=NOW)
        return int(uow.session.execute(READ, execution_options=UNGUARDED).scalar_one())


def test_a_page_of_cases_does_not_read_the_forms_of_all_others(
    postgres_database: Callable[[], str], tmp_path: Path
) -> None:
    office = Office(undisturbed(Base, postgres_database()), FolderFiles(tmp_path))
    with use(office.context):
        form = intake(office)
        with office.db.read() as session:
            frozen = freeze(session, [form["id"]], [], calendar=calendar(office), now=NOW)
        for _ in range(8):
            # While there are few, PostgreSQL takes any index that names the firm for as good as the key.
            rows_read(office.db, frozen, 1)
        for _ in range(3):
            read = rows_read(office.db, frozen, 300)
    assert read < 10_000, f"{read} rows for 1,200 tasks"
    office.db.engines.dispose()
