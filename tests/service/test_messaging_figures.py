"""The provider's own segments and prices, and texts in the recipient's language."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.messaging import batch_views, contents, estimates, history
from services.messaging.adapters.base import Accepted, Outgoing
from services.messaging.statuses import record_delivery_status
from tests.service.messaging_desk import Desk, desk
from tests.service.one_database import on_one_database

__all__ = ["desk"]


def ledger(desk: Desk, batch_id: str) -> list[dict[str, Any]]:
    page = {"state": None, "reason": None, "limit": 50, "cursor": None, "sort": None}
    return list(batch_views.list_deliveries(desk.db, desk.calls, batch_id=batch_id, **page)["data"])


@on_one_database
def test_figures_of_the_answer_are_kept_and_summed_once_the_batch_has_ended(desk: Desk) -> None:
    def accept(message: Outgoing) -> Accepted:
        desk.provider.accepted.append(message)
        return Accepted(f"SM{len(desk.provider.accepted)}", "queued", 2, Decimal("0.0158"), "USD")

    desk.provider.answer = accept
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(3)])
    desk.prepare()
    before = desk.batch(batch_id)
    assert (before["segments"], before["price"], before["currency"]) == (None, None, None)
    desk.run()
    after = desk.batch(batch_id)
    assert (after["segments"], after["price"], after["currency"]) == (6, Decimal("0.0474"), "USD")
    (first, *_) = ledger(desk, batch_id)
    assert (first["segments"], first["provider_segments"], first["price"]) == (1, 2, Decimal("0.0158"))
    message = history.get_message(desk.db, message_id=first["id"])
    assert (message["provider_segments"], message["price"], message["currency"]) == (2, Decimal("0.0158"), "USD")


def test_a_price_that_comes_later_counts_and_missing_figures_are_our_own(desk: Desk) -> None:
    batch_id = desk.ask([desk.item(desk.person()) for _ in range(2)])
    desk.run()
    (first, _) = ledger(desk, batch_id)
    told = {"provider": "twilio", "provider_id": first["provider_id"], "token": first["id"], "status": "delivered"}
    record_delivery_status(desk.everywhere, segments=3, price=Decimal("-0.02"), currency="USD", **told)
    batch = desk.batch(batch_id)
    assert (batch["segments"], batch["price"], batch["currency"]) == (4, Decimal("0.02"), "USD")


def test_each_client_gets_the_text_of_their_language_and_the_batch_keeps_its_version(desk: Desk) -> None:
    def variant(language: str, body: str) -> dict[str, Any]:
        return {"channel": "sms", "language": language, "subject": None, "body": body}

    variants = [variant("en", "Hello {{ client.first_name }}"), variant("es", "Hola {{ client.first_name }} ñandú €")]
    template = contents.create_template(desk.db, name="Hello", variants=variants)
    kept = contents.save_content(desk.db, message={"template_id": template["id"]}, channels=["sms"])["content_id"]
    spanish, french, plain = desk.person(language="es-MX"), desk.person(language="fr"), desk.person(language=None)
    items = [desk.item(person) for person in (spanish, french, plain)]
    given = {"channels": ["sms"], "fallback": False, "allow_repeat": False, "coalesce": False, "now": desk.clock()}
    found = estimates.estimate(
        desk.db, desk.calls, desk.service.settings, message={"template_id": template["id"]}, items=items, **given
    )
    assert found["segments"] == 3
    batch_id = desk.ask(items, content_id=kept)
    changed = [variant("en", "Changed"), variant("es", "Cambiado")]
    contents.update_template(desk.db, message_template_id=template["id"], changes={"variants": changed})
    desk.run()
    assert desk.outcome(batch_id) == {"sent": 3}
    assert desk.provider.texts_to(desk.number(spanish)) == ["Hola Ann ñandú €"]
    assert desk.provider.texts_to(desk.number(french)) == ["Hello Ann"]
    assert desk.provider.texts_to(desk.number(plain)) == ["Hello Ann"]
