"""The directory of companies that all firms share, what firms propose for it, and which client is which company."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Instant, Json, new_id
from chassis.database import FirmScoped, Shared
from chassis.versioned import Versioned
from contracts.errors import Conflict
from services.clients.models.common import Base, of_client, one_of


class Company(Shared, Versioned, Base):
    """A company that many firms deal with. The one table of clients without a firm: each firm reads the same rows, and
    none writes them. They change by the operator's decision about a proposal, and hold nothing that only one firm knew
    (ADR 0016)."""

    __tablename__ = "company"
    __table_args__ = (Index("ix_company_name", "name_key", "id"), Index("ix_company_created", "created_at", "id"))

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(300))
    kind: Mapped[str] = mapped_column(String(30))
    addresses: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    phones: Mapped[list[dict[str, Any]]] = mapped_column(Json)


class CompanyProposal(FirmScoped, Versioned, Base):
    """What a firm proposes for the directory. `content`: the fields of a new entry, or those of a correction of
    `company_id`, which an accepted new entry has too. `decided_by`: the operator."""

    __tablename__ = "company_proposal"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        one_of("state", ("pending", "accepted", "rejected"), "state"),
        Index("ix_company_proposal_created", "firm_id", "created_at", "id"),
        Index("ix_company_proposal_id", "id", unique=True),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    company_id: Mapped[str | None] = mapped_column(Id, ForeignKey("company.id", name="fk_company_proposal_company"))
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(20), default="pending")
    decided_at: Mapped[dt.datetime | None] = mapped_column(Instant)
    decided_by: Mapped[str | None] = mapped_column(String(120))

    def decide(self, state: str, operator: str, now: dt.datetime) -> None:
        """Raises Conflict `proposal_decided` if it was decided before."""
        if self.state != "pending":
            raise Conflict("proposal_decided", state=self.state)
        self.state, self.decided_by, self.decided_at = state, operator, now
        self.touch(now)


class ClientCompany(FirmScoped, Base):
    """Which entry of the directory a business client is. Only its firm knows."""

    __tablename__ = "client_company"
    __table_args__ = (PrimaryKeyConstraint("firm_id", "client_id"), of_client("client_company"))

    client_id: Mapped[str] = mapped_column(Id)
    company_id: Mapped[str] = mapped_column(Id, ForeignKey("company.id", name="fk_client_company_company"))
