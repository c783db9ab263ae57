"""An SNS topic with a key and a certificate of its own: signs as Amazon does, and can be made to lie."""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

ARN = "arn:aws:sns:us-east-1:123456789012:casewire"
CERT_PATH = "/SimpleNotificationService-stand-in.pem"


class Topic:
    """`host`: where its certificate is served, `http://127.0.0.1:1234`."""

    def __init__(self, host: str, arn: str = ARN, *, days: int = 365) -> None:
        self.host, self.arn = host, arn
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.stand-in.test")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=400))
            .not_valid_after(now + dt.timedelta(days=days))
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)

    def notification(self, told: dict[str, Any] | str, *, version: str = "2", **given: str) -> dict[str, str]:
        """A signed notification; `given` replaces its fields before it is signed."""
        message = told if isinstance(told, str) else json.dumps(told)
        fields = {"Type": "Notification", "Message": message, **given}
        return self.signed(self._addressed(fields), version)

    def subscription(self, *, version: str = "2", **given: str) -> dict[str, str]:
        """A signed request to confirm a subscription."""
        fields = {"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe", "Token": "t" * 40}
        fields["SubscribeURL"] = f"{self.host}/confirm?Token={'t' * 40}"
        return self.signed(self._addressed({**fields, **given}), version)

    def _addressed(self, fields: dict[str, str]) -> dict[str, str]:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return {"MessageId": str(uuid.uuid4()), "TopicArn": self.arn, "Timestamp": now, **fields}

    def signed(self, fields: dict[str, str], version: str = "2") -> dict[str, str]:
        """The fields with a signature, as version 1 or 2 makes it, and the certificate's address."""
        names = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields)
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), algorithm)
        return {
            **fields,
            "SignatureVersion": version,
            "Signature": base64.b64encode(signature).decode(),
            "SigningCertURL": self.host + CERT_PATH,
        }
