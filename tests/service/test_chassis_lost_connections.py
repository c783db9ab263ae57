"""A connection that is lost at our end only: a router forgot it, and the broker holds it until heartbeats fail."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import eventlet
import pytest
from kombu.connection import Connection
from nameko.runners import ServiceRunner

from chassis.columns import new_id
from chassis.context import Context, use
from chassis.envelope import CONTENT_TYPE
from chassis.events import ReceivedEvent, on
from chassis.outbox import exchange_name
from chassis.testing import eventually, make_database
from contracts.errors import CasewireError, DeadlineExceeded
from tests.service.pet_shop import Base, Customer, Pets
from tests.service.sample import THING_MADE
from tests.service.test_chassis_events import envelope

FIRM = new_id()
LATER_THAN_ANY_TEST = 120
"""Seconds between heartbeats: the broker notices nothing while a test runs."""
ENOUGH = 20


class Router:
    """Passes connections on to a broker, and can forget those that it has."""

    def __init__(self, uri: str) -> None:
        self._broker = urlsplit(uri)
        self._listening = eventlet.listen(("127.0.0.1", 0))
        self._ours: list[Any] = []
        self._brokers: list[Any] = []
        port = self._listening.getsockname()[1]
        self.uri = uri.replace(f":{self._broker.port}/", f":{port}/")
        self._running = [eventlet.spawn(self._serve)]

    def forget(self) -> None:
        """Ends every connection at our end, and leaves the broker's open."""
        for ours in self._ours:
            with suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Ends every connection at both ends: the broker has back what was not acknowledged."""
        for end in (*self._ours, *self._brokers):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for thread in self._running:
            thread.kill()
        for one in (*self._ours, *self._brokers, self._listening):
            one.close()

    def _serve(self) -> None:
        while True:
            ours, _ = self._listening.accept()
            brokers = eventlet.connect((self._broker.hostname, self._broker.port))
            self._ours.append(ours)
            self._brokers.append(brokers)
            self._running += [eventlet.spawn(self._pass_on, *pair) for pair in ((ours, brokers), (brokers, ours))]

    @staticmethod
    def _pass_on(source: Any, target: Any) -> None:
        try:
            while data := source.recv(65536):
                try:
                    target.sendall(data)
                except OSError:
                    continue  # what the broker sends to a connection that is forgotten is lost
        except OSError:
            return


@pytest.fixture
def router(vhost: str) -> Iterator[Router]:
    router = Router(vhost)
    yield router
    router.close()


class Cached:
    """Something that each process keeps for itself, and drops when it hears that it has changed."""

    name = "cached"
    dropped: list[str] = []

    @on(THING_MADE, broadcast=True)
    def drop(self, event: ReceivedEvent) -> None:
        self.dropped.append(event.id)


@pytest.fixture
def tell(vhost: str) -> Iterator[Callable[[str], None]]:
    """Call it with an event's id to publish one past the router."""
    with Connection(vhost) as connection:
        channel = connection.channel()

        def publish(event_id: str) -> None:
            message = channel.prepare_message(envelope(1, event_id), content_type=CONTENT_TYPE, properties={})
            channel.basic_publish(message, exchange=exchange_name(THING_MADE.owner), routing_key=THING_MADE.name)

        yield publish


def test_what_is_told_to_each_process_is_heard_on_the_next_connection(
    router: Router, start: Callable[..., ServiceRunner], tell: Callable[[str], None]
) -> None:
    Cached.dropped.clear()
    start(Cached, bus=router.uri, HEARTBEAT=LATER_THAN_ANY_TEST)

    def heard(event_id: str) -> bool:
        tell(event_id)
        return event_id in Cached.dropped

    eventually(lambda: heard("first"), what="an event on the first connection")
    router.forget()
    eventually(lambda: heard("second"), what="an event on the next connection")


def test_every_reply_comes_to_the_next_connection(
    vhost: str, router: Router, start: Callable[..., ServiceRunner]
) -> None:
    start(Pets, bus=vhost, DATABASE_URL=make_database(Base).url)
    runner = start(Customer, bus=router.uri, HEARTBEAT=LATER_THAN_ANY_TEST)
    (calls,) = (one for one in runner.service_map["customer"].dependencies if one.attr_name == "calls")
    pets = calls.get_dependency(None).pets

    def answered() -> bool:
        try:
            return bool(pets.nap(seconds=0.0) == {})
        except CasewireError:
            return False

    with use(Context(firm_id=FIRM)):
        eventually(answered)
        router.forget()
        eventually(answered, what="the next connection")
        assert [answered() for _ in range(ENOUGH)] == [True] * ENOUGH


def test_a_command_that_may_have_been_carried_out_is_not_carried_out_again(
    vhost: str, router: Router, start: Callable[..., ServiceRunner]
) -> None:
    start(Pets, bus=router.uri, HEARTBEAT=LATER_THAN_ANY_TEST, DATABASE_URL=make_database(Base).url)
    runner = start(Customer, bus=vhost)
    (calls,) = (one for one in runner.service_map["customer"].dependencies if one.attr_name == "calls")
    pets = calls.get_dependency(None).pets
    Pets.begun.clear()
    with use(Context(firm_id=FIRM)):
        under_way = pets.create_pet.start(name="slow")
        eventually(lambda: Pets.begun)
        router.cut()
        with suppress(DeadlineExceeded):  # whichever comes first: its answer by another connection, or the refusal
            under_way.result()
        # The next connection brings the command once more, and what was asked after it.
        assert pets.count_pets() == {"pets": 1}
        assert Pets.begun == ["slow"]
