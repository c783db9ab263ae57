"""Stock Nameko: events from an EventDispatcher to an event_handler that writes a row in a transaction."""

from __future__ import annotations

from typing import Any

from nameko.dependency_providers import Config
from nameko.events import EventDispatcher, event_handler
from nameko.extensions import DependencyProvider
from nameko.web.handlers import http
from sqlalchemy import create_engine, text


class Sessions(DependencyProvider):
    """An engine whose pool is as large as the worker pool."""

    def setup(self) -> None:
        workers = self.container.config.get("max_workers", 10)
        self.engine = create_engine(self.container.config["DATABASE_URL"], pool_size=workers)

    def get_dependency(self, worker_ctx: Any) -> Any:
        return self.engine


class Producer:
    name = "producer"
    dispatch = EventDispatcher()

    @http("POST", "/produce/<int:count>")
    def produce(self, request: Any, count: int) -> str:
        for number in range(count):
            self.dispatch("thing_done", {"number": number})
        return "done"


class Consumer:
    name = "consumer"
    config = Config()
    engine = Sessions()

    @event_handler("producer", "thing_done")
    def note(self, payload: dict[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("INSERT INTO effect (number) VALUES (:number)"), {"number": payload["number"]})
