"""What the measurement of finding clients asks: each kind of question to ours, and the same to the peers."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bench.many_clients import NOW, Firm
from chassis.paging import cursor_after
from services.clients.search.search_index import tsquery
from services.clients.search.search_keys import question
from services.clients.search.searching import list_clients

LIMIT = 50


@dataclass(frozen=True)
class Ask:
    """A question to ours, and the same to the peers: a condition on `client`, its values, an order, and what a page by
    cursor comes after."""

    query: dict[str, Any]
    where: str = "true"
    values: tuple[Any, ...] = ()
    order: str = "client.created_at DESC, client.id DESC"
    beside: str = ""
    after: tuple[str, tuple[Any, ...]] = ("true", ())


Kind = Callable[[Firm, random.Random], Ask]
COMBINED = ("a common name, ", "filter, two ")
"""What the names of those kinds begin with that ask for several things at once, the first of which very many have."""


def _typed(ask: Callable[[dict[str, Any], random.Random], str], *, forgiving: bool = False, **more: Any) -> Kind:
    def kind(firm: Firm, random_: random.Random) -> Ask:
        q = ask(random_.choice(firm.samples), random_)
        asked = question(q, forgiving=forgiving)
        assert asked is not None
        where, values = "client.keys @@ %s::tsquery", (tsquery(asked, firm.firm_id),)
        return Ask({"q": q, **more}, where, values)

    return kind


def _always(q: str, where: str = "true", *values: Any, **more: Any) -> Kind:
    """A word that is typed again and again, and how the list is narrowed or put in order besides."""
    asked = question(q)
    assert asked is not None
    order = more.pop("order", "client.created_at DESC, client.id DESC")
    beside = more.pop("beside", "")

    def kind(firm: Firm, random_: random.Random) -> Ask:
        typed = tsquery(asked, firm.firm_id)
        return Ask({"q": q, **more}, f"client.keys @@ %s::tsquery AND {where}", (typed, *values), order, beside)

    return kind


def _mistyped(word: str, random_: random.Random) -> str:
    place = random_.randrange(1, len(word) - 1)
    return f"{word[:place]}q{word[place + 1 :]}"


def _narrowed(query: dict[str, Any], where: str, *values: Any, **more: Any) -> Kind:
    return lambda firm, random_: Ask(query, where, values, **more)


def _sorted(sort: str, order: str, beside: str = "") -> Kind:
    return lambda firm, random_: Ask({"sort": sort}, order=order, beside=beside)


def _next(kind: Kind, *, deep: bool = False) -> Kind:
    """The page after the first, or one far down in the list of all."""

    def next_(firm: Firm, random_: random.Random) -> Ask:
        ask = kind(firm, random_)
        if deep:
            one = random_.choice(firm.samples)
            last = one["created_at"], one["id"]
            # More than are counted, as the pages before said.
            cursor = "+" + cursor_after("-created_at", *last)
        else:
            page = list_clients(firm.db, now=NOW, limit=LIMIT, **ask.query)
            cursor = page["meta"]["next_cursor"]
            last = (page["data"][-1]["created_at"], page["data"][-1]["id"]) if page["data"] else (NOW, firm.group_id)
        after = ("(client.created_at, client.id) < (%s, %s::uuid)", last)
        return replace(ask, query={**ask.query, "cursor": cursor}, after=after)

    return next_


def _is(field: str, value: Any, op: str = "eq") -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def _filtered(where: str, values: tuple[Any, ...], *conditions: dict[str, Any], **more: Any) -> Kind:
    filter_ = conditions[0] if len(conditions) == 1 else {"and": list(conditions)}
    return _narrowed({"filter": filter_}, where, *values, **more)


def _named(firm: Firm, random_: random.Random) -> Ask:
    name = random_.choice(firm.samples)["last_name"]
    return Ask({"filter": _is("last_name", name)}, "client.last_name = %s", (name,))


_ACTIVITY = "JOIN last_activity ON last_activity.client_id = client.id AND last_activity.firm_id = client.firm_id"
_CASE = "JOIN last_case ON last_case.client_id = client.id AND last_case.firm_id = client.firm_id"
_TAGGED = "client.id IN (SELECT client_id FROM client_tag WHERE firm_id = client.firm_id AND key = %s)"
_QUIET = "client.id IN (SELECT client_id FROM last_activity WHERE firm_id = client.firm_id AND at < %s)"
_MEMBER = "client.id IN (SELECT client_id FROM client_group_member WHERE firm_id = client.firm_id AND group_id = %s)"


def kinds() -> dict[str, Kind]:
    month, year = NOW - dt.timedelta(days=30), NOW - dt.timedelta(days=365)
    return {
        "a whole name": _typed(lambda one, _: f"{one['first_name']} {one['last_name']}"),
        "a last name": _typed(lambda one, _: one["last_name"]),
        "a first name": _typed(lambda one, _: one["first_name"]),
        "the beginning of a name": _typed(lambda one, _: one["last_name"][:4]),
        "one letter": _typed(lambda one, _: one["last_name"][:1]),
        "a typo": _typed(lambda one, r: f"{one['first_name']} {_mistyped(one['last_name'], r)}", forgiving=True),
        "an email address": _typed(lambda one, _: one["emails"][0]["address"]),
        "a phone number": _typed(lambda one, _: one["phones"][0]["number"]),
        "seven digits of a number": _typed(lambda one, _: one["phones"][0]["number"][-7:]),
        "four digits of a number": _typed(lambda one, _: one["phones"][0]["number"][-4:]),
        "no filter": _narrowed({}, "true"),
        "status, most": _narrowed({"status": "active"}, "client.status = %s", "active"),
        "status, few": _narrowed({"status": "blacklisted"}, "client.status = %s", "blacklisted"),
        "flagged": _narrowed({"flagged": True}, "client.flag_reason IS NOT NULL"),
        "spam": _narrowed({"spam": True}, "client.spam"),
        "tag, most": _narrowed({"tag": "newsletter"}, _TAGGED, "newsletter"),
        "tag, some": _narrowed({"tag": "vip"}, _TAGGED, "vip"),
        "tag, few": _narrowed({"tag": "rare"}, _TAGGED, "rare"),
        "group": lambda firm, _: Ask({"group_id": firm.group_id}, _MEMBER, (firm.group_id,)),
        "group, new, of many": lambda firm, _: Ask({"group_id": firm.new_group_id}, _MEMBER, (firm.new_group_id,)),
        "assigned staff": lambda firm, r: (
            lambda id_: Ask({"assigned_staff_id": id_}, "client.assigned_staff_id = %s", (id_,))
        )(r.choice(firm.staff)),
        "new": _narrowed({"new": True}, "client.created_at >= %s", month),
        "created since": _narrowed({"created_since": year}, "client.created_at >= %s", year),
        "no activity since": _narrowed(
            {"inactive_since": year}, "last_activity.at < %s", year, beside=_ACTIVITY,
            order="last_activity.at, client.id",
        ),
        "by name": _sorted("name", "client.sort_name, client.id"),
        "by date added": _sorted("created_at", "client.created_at, client.id"),
        "by last activity": _sorted("-last_activity_at", "last_activity.at DESC, client.id DESC", _ACTIVITY),
        "by last case": _sorted("-last_case_at", "last_case.at DESC, client.id DESC", _CASE),
        "the commonest first name": _always("james"),
        "the commonest last name, by name": _always("smith", sort="name", order="client.sort_name, client.id"),
        "the commonest first name, by last activity": _always(
            "james", sort="last_activity_at", order="last_activity.at, client.id", beside=_ACTIVITY
        ),
        "a common name, status, most": _always("james", "client.status = %s", "active", status="active"),
        "a common name, status, some": _always("james", "client.status = %s", "inactive", status="inactive"),
        "a common name, status, few": _always("james", "client.status = %s", "blacklisted", status="blacklisted"),
        "a common name, tag, most": _always("james", _TAGGED, "newsletter", tag="newsletter"),
        "a common name, one's own clients": lambda firm, r: (
            lambda id_: _always("james", "client.assigned_staff_id = %s", id_, assigned_staff_id=id_)(firm, r)
        )(r.choice(firm.staff)),
        "filter, most": _filtered("client.language = %s", ("en",), _is("language", "en")),
        "filter, some": _filtered("client.language = %s", ("es",), _is("language", "es")),
        "filter, nobody": _filtered("client.language = %s", ("fr",), _is("language", "fr")),
        "filter, a kind": _filtered("client.kind = %s", ("business",), _is("kind", "business")),
        "filter, a last name": _named,
        "filter, two tables": _filtered(
            f"{_TAGGED} AND {_QUIET}",
            ("vip", year), _is("tags", "vip"), _is("last_activity_at", year.isoformat(), "lt"),
        ),
        "filter, two that few are": _filtered(
            "client.status = %s AND client.language = %s", ("blacklisted", "es"),
            _is("status", "blacklisted"), _is("language", "es"),
        ),
        "filter, own field, some": _filtered(
            "client.custom_fields @> %s", ('{"court": "North"}',), _is("custom_fields.court", "North")
        ),
        "filter, own field, few": _filtered(
            "client.custom_fields @> %s", ('{"court": "Admiralty"}',), _is("custom_fields.court", "Admiralty")
        ),
        "the next page of all": _next(_narrowed({}, "true")),
        "a page far down": _next(_narrowed({}, "true"), deep=True),
        "the next page of a first name": _next(_typed(lambda one, _: one["first_name"])),
        "the commonest first name, far down": _next(_always("james"), deep=True),
    }  # fmt: skip
