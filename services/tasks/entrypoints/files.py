"""Entrypoints for files that answer case tasks."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.rpc import serve
from chassis.timers import every
from contracts import tasks
from services.tasks import file_tidying, task_files, uploads

Answer = dict[str, Any]


class FilesEntrypoints:
    """Uploads: taken, told of, let go."""

    db: Any
    files: Any

    @serve(tasks.ATTACH_FILES)
    def attach_files(self, **command: Any) -> Answer:
        return uploads.attach_files(self.db, self.files, utc_now(), **command)

    @serve(tasks.LIST_TASK_FILES)
    def list_task_files(self, case_task_ids: list[str]) -> Answer:
        return task_files.list_task_files(self.db, case_task_ids)

    @serve(tasks.GET_TASK_FILE)
    def get_task_file(self, file_id: str) -> Answer:
        return task_files.get_task_file(self.db, file_id)

    @serve(tasks.DELETE_TASK_FILE)
    def delete_task_file(self, file_id: str) -> None:
        task_files.delete_task_file(self.db, file_id)

    @every(600, task_files.TIMER)
    def tidy_files(self) -> bool:
        return file_tidying.tidy_files(self.db, self.files, utc_now())

    @every(3600, "tasks: tidy uploads that were left")
    def tidy_left_uploads(self) -> None:
        file_tidying.tidy_left_uploads(self.files, utc_now())
