"""Groups of clients: named sets that messages go to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, JsonOrNull, new_id
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.clients.models.common import Base, of_client, one_of


class ClientGroup(FirmScoped, Versioned, Base):
    """A named set: of the clients that were added (`static`), or of those that answer `filter` when it is read.

    `name_key` is the folded name, unique in the firm. `version` grows with the group's own fields, not with its
    members.
    """

    __tablename__ = "client_group"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "id"),
        UniqueConstraint("firm_id", "name_key", name="uq_client_group_name"),
        one_of("kind", ("static", "filter"), "kind"),
        Index("ix_client_group_created", "firm_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Id, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    name_key: Mapped[str] = mapped_column(String(240))
    description: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(20))
    filter: Mapped[dict[str, Any] | None] = mapped_column(JsonOrNull)


class ClientGroupMember(FirmScoped, Base):
    """A client in a static group. An archived one stays in it, and is neither listed nor counted."""

    __tablename__ = "client_group_member"
    __table_args__ = (
        PrimaryKeyConstraint("firm_id", "group_id", "client_id"),
        ForeignKeyConstraint(
            ["firm_id", "group_id"], ["client_group.firm_id", "client_group.id"], name="fk_client_group_member_group",
            ondelete="CASCADE",
        ),
        of_client("client_group_member"),
        # The client first, or PostgreSQL would read all members of the firm for a group that it has not counted.
        Index("ix_client_group_member_client", "client_id", "firm_id"),
    )  # fmt: skip

    group_id: Mapped[str] = mapped_column(Id)
    client_id: Mapped[str] = mapped_column(Id)
