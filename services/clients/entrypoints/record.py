"""What clients answers about the parts of a record that have files of their own: the firm's fields, notes, the
photo, and consent to data collection."""

from __future__ import annotations

from typing import Any

from chassis.columns import utc_now
from chassis.database import Database
from chassis.events import ReceivedEvent, on
from chassis.files import Files
from chassis.rpc import serve
from chassis.timers import every
from contracts import clients as contract
from services.clients import custom_fields, notes, photos, policy_consents, resealing, sealing_up


class RecordEntrypoints:
    """Nameko finds the entrypoints of a base class as it does the service's own."""

    db: Database
    files: Files

    @serve(contract.LIST_CLIENT_FIELDS)
    def list_client_fields(self, **query: Any) -> dict[str, Any]:
        return custom_fields.list_client_fields(self.db, **query)

    @serve(contract.GET_CLIENT_FIELD)
    def get_client_field(self, client_field_id: str) -> dict[str, Any]:
        return custom_fields.get_client_field(self.db, client_field_id=client_field_id)

    @serve(contract.CREATE_CLIENT_FIELD)
    def create_client_field(self, **command: Any) -> dict[str, Any]:
        return custom_fields.create_client_field(self.db, utc_now(), **command)

    @serve(contract.UPDATE_CLIENT_FIELD)
    def update_client_field(self, **command: Any) -> dict[str, Any]:
        return custom_fields.update_client_field(self.db, utc_now(), **command)

    @serve(contract.DELETE_CLIENT_FIELD)
    def delete_client_field(self, client_field_id: str) -> None:
        custom_fields.delete_client_field(self.db, utc_now(), client_field_id=client_field_id)

    @serve(contract.LIST_CLIENT_NOTES)
    def list_client_notes(self, **query: Any) -> dict[str, Any]:
        return notes.list_client_notes(self.db, **query)

    @serve(contract.GET_CLIENT_NOTE)
    def get_client_note(self, client_id: str, note_id: str) -> dict[str, Any]:
        return notes.get_client_note(self.db, client_id=client_id, note_id=note_id)

    @serve(contract.CREATE_CLIENT_NOTE)
    def create_client_note(self, **command: Any) -> dict[str, Any]:
        return notes.create_client_note(self.db, utc_now(), **command)

    @serve(contract.UPDATE_CLIENT_NOTE)
    def update_client_note(self, **command: Any) -> dict[str, Any]:
        return notes.update_client_note(self.db, utc_now(), **command)

    @serve(contract.DELETE_CLIENT_NOTE)
    def delete_client_note(self, client_id: str, note_id: str) -> None:
        notes.delete_client_note(self.db, utc_now(), client_id=client_id, note_id=note_id)

    @serve(contract.SET_CLIENT_PHOTO)
    def set_client_photo(self, client_id: str, file_key: str) -> dict[str, Any]:
        return photos.set_client_photo(self.db, self.files, utc_now(), client_id=client_id, file_key=file_key)

    @serve(contract.GET_CLIENT_PHOTO)
    def get_client_photo(self, client_id: str) -> dict[str, Any]:
        return photos.get_client_photo(self.db, client_id=client_id)

    @serve(contract.DELETE_CLIENT_PHOTO)
    def delete_client_photo(self, client_id: str) -> None:
        photos.delete_client_photo(self.db, self.files, utc_now(), client_id=client_id)

    @serve(contract.LIST_POLICY_CONSENTS)
    def list_policy_consents(self, **query: Any) -> dict[str, Any]:
        return policy_consents.list_policy_consents(self.db, **query)

    @serve(contract.RECORD_POLICY_CONSENT)
    def record_policy_consent(self, **command: Any) -> dict[str, Any]:
        return policy_consents.record_policy_consent(self.db, utc_now(), **command)

    @on(contract.CLIENT_FIELD_RESEALING)
    def continue_resealing(self, event: ReceivedEvent) -> None:
        resealing.continue_resealing(self.db, event)

    @every(3600, "seal what is in clear")
    def seal_what_is_plain(self) -> bool:
        return sealing_up.seal_what_is_plain(self.db)
