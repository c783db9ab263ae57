"""Contexts and tokens."""

from __future__ import annotations

import hashlib

import eventlet
import pytest

from chassis.context import Context, current, kinds_seen, limited_to, use
from chassis.tokens import hash_token, new_token


def test_a_context_survives_its_headers() -> None:
    context = Context("firm", "anna", "staff", "c-1", "key")
    headers = context.to_headers(remaining=2.5, idempotency_key="key")
    again = Context.from_headers(headers)
    assert 2.4 < again.remaining(99) <= 2.5
    assert (again.firm_id, again.actor_id, again.actor_kind) == ("firm", "anna", "staff")
    assert (again.correlation_id, again.idempotency_key) == ("c-1", "key")


@pytest.mark.parametrize("kinds", [None, (), ("a",), ("a", "b")])
def test_a_limit_survives_its_headers(kinds: tuple[str, ...] | None) -> None:
    assert Context.from_headers(Context(sees_only=kinds).to_headers()).sees_only == kinds


def test_background_work_takes_the_limit_of_who_began_it_and_nothing_else() -> None:
    with use(Context("firm", sees_only=("a",))):
        with use(limited_to(["b"])) as context:
            assert (context.firm_id, kinds_seen()) == ("firm", ("b",))
        with use(limited_to(None)):
            assert kinds_seen() is None
        assert kinds_seen() == ("a",)
    assert kinds_seen() is None


def test_a_message_without_headers_gets_a_correlation_id() -> None:
    first, second = Context.from_headers({}), Context.from_headers({})
    assert first.correlation_id != second.correlation_id
    assert (first.firm_id, first.actor_kind, first.deadline_at) == (None, "system", None)


def test_the_shorter_deadline_counts() -> None:
    context = Context().with_deadline(1)
    assert context.with_deadline(5).remaining(99) <= 1
    assert context.with_deadline(0.5).remaining(99) <= 0.5
    assert context.remaining(0.2) == pytest.approx(0.2)


def test_the_running_context_belongs_to_its_green_thread() -> None:
    with use(Context("firm")):
        assert current() == Context("firm", correlation_id=getattr(current(), "correlation_id", ""))
        assert eventlet.spawn(current).wait() is None
    assert current() is None


def test_a_token_is_stored_as_its_hash() -> None:
    token, stored = new_token()
    assert stored == hash_token(token) == hashlib.sha256(token.encode()).hexdigest()
    assert len(token) >= 43
    assert new_token()[0] != token
