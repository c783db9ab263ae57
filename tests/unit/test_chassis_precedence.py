"""Bulk work steps aside while calls are answered."""

from __future__ import annotations

import eventlet
from eventlet.event import Event as Signal

from chassis.precedence import Precedence


def test_bulk_work_goes_on_once_the_last_call_is_answered() -> None:
    precedence, done, order = Precedence(), Signal(), []

    def answer() -> None:
        with precedence.call(), precedence.call():
            done.wait()
            order.append("call")

    eventlet.spawn(answer)
    eventlet.sleep(0)
    bulk = eventlet.spawn(lambda: (precedence.step_aside(longest=30.0), order.append("bulk")))
    eventlet.sleep(0)
    assert order == []
    done.send(None)
    bulk.wait()
    assert order == ["call", "bulk"]


def test_a_call_that_has_just_come_in_is_begun_first() -> None:
    precedence, order = Precedence(), []

    def answer() -> None:
        with precedence.call():
            eventlet.sleep(0)
            order.append("call")

    eventlet.spawn(answer)
    precedence.step_aside(longest=30.0)
    order.append("bulk")
    assert order == ["call", "bulk"]


def test_bulk_work_comes_on_however_long_a_call_takes() -> None:
    precedence = Precedence()
    with precedence.call():
        precedence.step_aside(longest=0.001)


def test_bulk_work_waits_for_nothing_while_there_are_no_calls() -> None:
    precedence = Precedence()
    with precedence.call():
        pass
    with eventlet.Timeout(5):
        precedence.step_aside(longest=30.0)
