"""What is said: texts of batches and of single messages, and templates."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.columns import Id, Json, new_id, utc_now
from chassis.database import FirmScoped
from chassis.versioned import Versioned
from services.messaging.models.common import Base


class Content(FirmScoped, Base):
    """A message as it was when somebody asked for it; never changed. `variants`: [{channel, language, subject, body,
    html}]; `uses`: the variables they name."""

    __tablename__ = "content"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    variants: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    uses: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[dt.datetime] = mapped_column(default=utc_now)


class MessageTemplate(FirmScoped, Versioned, Base):
    """A named message. Each version's texts are a `Content` of their own."""

    __tablename__ = "message_template"
    __table_args__ = (UniqueConstraint("firm_id", "name"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120))
    content_id: Mapped[str] = mapped_column(Id)
