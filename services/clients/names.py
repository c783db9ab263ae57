"""What a client is called, and the bare forms in which names are searched (`chassis.words`)."""

from __future__ import annotations

from typing import Any

from chassis.words import bare_words


def display_name(client: dict[str, Any]) -> str:
    """How a client is called: first and last name, or the company's name for a business or where there is no other."""
    person = " ".join(part for part in (client.get("first_name"), client.get("last_name")) if part)
    company = client.get("company_name")
    if client.get("kind") == "business" and company:
        return str(company)
    return person or str(company or client.get("middle_name") or "")


def sort_name(client: dict[str, Any]) -> str:
    """What a list by name is ordered by: the last name first, or the company's; folded."""
    if client.get("kind") == "business" and client.get("company_name"):
        return bare_words(client["company_name"])[:300]
    parts = (client.get("last_name"), client.get("first_name"), client.get("middle_name"))
    return bare_words(" ".join(part for part in parts if part) or client.get("company_name") or "")[:300]


def name_key(client: dict[str, Any]) -> str:
    """The words of a client's name, folded and in alphabetical order, so that `Lee Ann` equals `Ann Lee`. For a
    business without a person's name: of its company name. Empty if there is no name."""
    person = " ".join(part for part in (client.get("first_name"), client.get("last_name")) if part)
    return " ".join(sorted(bare_words(person or client.get("company_name") or "").split()))[:300]
