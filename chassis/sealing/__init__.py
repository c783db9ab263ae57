"""Sensitive values, sealed at rest: AES-GCM with a key for each owner, wrapped by a key for each firm, wrapped by the
key store. (ADR 0017)

    SEALING = Sealing(FirmKey, ClientKey, "client_id")

    keys = SEALING.keys_to_seal(uow, [client_id])
    row.text = keys.seal(client_id, text, "client_note", "text", row.id)

    keys = SEALING.keys_of(session, [client_id])
    text = keys.unseal(client_id, row.text, "client_note", "text", row.id)    # None: the key has been destroyed

The service has the dependency `keys = Keys(Base, SEALING)`, and the setting SEALING_KEYS_URL.
"""

from chassis.sealing.ciphers import SealingKey, Unsealable, is_sealed
from chassis.sealing.data_keys import DataKeyColumns, OwnerKeys, Sealing
from chassis.sealing.firm_keys import FirmKeyColumns, forget_rings
from chassis.sealing.key_stores import (
    SEALING_KEYS_URL,
    KeyStore,
    KmsKeys,
    LocalKeys,
    key_store,
    key_store_at,
    use_key_store,
)
from chassis.sealing.provider import Keys, check_keys, make_ready

__all__ = [
    "SEALING_KEYS_URL",
    "DataKeyColumns",
    "FirmKeyColumns",
    "KeyStore",
    "Keys",
    "KmsKeys",
    "LocalKeys",
    "OwnerKeys",
    "Sealing",
    "SealingKey",
    "Unsealable",
    "check_keys",
    "forget_rings",
    "is_sealed",
    "key_store",
    "key_store_at",
    "make_ready",
    "use_key_store",
]
