"""Amazon SNS: whether a message is really from a topic of ours, and the confirmation of a subscription.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html: the signature covers certain fields in
a certain order, by RSA with SHA1 (version 1) or SHA256 (version 2), and the key is in a certificate at an address of
Amazon's that the message names.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

import certifi
import urllib3
from cachetools import TTLCache
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from contracts.errors import Forbidden, Unavailable

TOO_OLD = dt.timedelta(days=30)
"""Longer than SNS tries to deliver. What is older is a copy that somebody kept."""
_SKEW = dt.timedelta(minutes=15)
_AMAZON = re.compile(r"sns\.[a-z]{2}(-[a-z]+)+-\d{1,2}\.amazonaws\.com(\.cn)?")
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_LARGEST = 64 * 1024
_SECONDS = 5.0


class Sns:
    """`topics`: the ARNs that we subscribed to. `cert_hosts`: hosts other than Amazon's that may serve certificates and
    confirm subscriptions, for tests; those on this machine also without TLS."""

    def __init__(self, topics: Collection[str], cert_hosts: Collection[str] = ()) -> None:
        self._topics, self._cert_hosts = frozenset(topics), frozenset(cert_hosts)
        self._keys: TTLCache[str, RSAPublicKey] = TTLCache(maxsize=16, ttl=24 * 3600)
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(_SECONDS), ca_certs=certifi.where())

    def verify(self, message: Mapping[str, str], now: dt.datetime) -> None:
        """Raises Forbidden for what is not from a topic of ours, Unavailable if the certificate cannot be had now."""
        if message.get("TopicArn") not in self._topics:
            raise Forbidden("topic_unknown")
        _check_age(message.get("Timestamp", ""), now)
        algorithm: HashAlgorithm
        if message.get("SignatureVersion") == "1":
            algorithm = SHA1()  # noqa: S303 # nosec B303 - version 1 of SNS signs with it; topics are ours by name too
        elif message.get("SignatureVersion") == "2":
            algorithm = SHA256()
        else:
            raise Forbidden("signature_version_unknown")
        try:
            signature = base64.b64decode(message.get("Signature", ""), validate=True)
            self._key(message.get("SigningCertURL", ""), now).verify(signature, _signed(message), PKCS1v15(), algorithm)
        except (binascii.Error, InvalidSignature) as error:
            raise Forbidden("signature_invalid") from error

    def confirm(self, message: Mapping[str, str]) -> None:
        """Confirms a subscription that was verified. Raises Forbidden for an address that is not Amazon's, Unavailable
        if it does not answer."""
        url = message.get("SubscribeURL", "")
        if not self._may_ask(url):
            raise Forbidden("address_wrong")
        self._get(url)

    def _key(self, url: str, now: dt.datetime) -> RSAPublicKey:
        if url not in self._keys:
            if not self._may_ask(url) or not urlsplit(url).path.endswith(".pem"):
                raise Forbidden("address_wrong")
            try:
                certificate = x509.load_pem_x509_certificate(self._get(url))
            except ValueError as error:
                raise Forbidden("certificate_unreadable") from error
            key = certificate.public_key()
            if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
                raise Forbidden("certificate_expired")
            if not isinstance(key, RSAPublicKey):
                raise Forbidden("certificate_unreadable")
            self._keys[url] = key
        return self._keys[url]

    def _get(self, url: str) -> bytes:
        try:
            answer = self._http.request("GET", url, redirect=False, preload_content=False)
            try:
                body = answer.read(_LARGEST)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable("sns_unreachable") from error
        if answer.status != 200:
            raise Unavailable("sns_unreachable")
        return body

    def _may_ask(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.username is not None or parts.password is not None:
            return False
        if _AMAZON.fullmatch(host):
            return parts.scheme == "https" and port in (None, 443)
        loopback = host in ("127.0.0.1", "localhost", "::1")
        return host in self._cert_hosts and (parts.scheme == "https" or (parts.scheme == "http" and loopback))


def _signed(message: Mapping[str, str]) -> bytes:
    names = _NOTIFICATION if message.get("Type") == "Notification" else _CONFIRMATION
    return "".join(f"{name}\n{message[name]}\n" for name in names if name in message).encode()


def _check_age(timestamp: str, now: dt.datetime) -> None:
    try:
        at = dt.datetime.fromisoformat(timestamp)
    except ValueError as error:
        raise Forbidden("timestamp_invalid") from error
    if at.tzinfo is None or not now - TOO_OLD <= at <= now + _SKEW:
        raise Forbidden("timestamp_invalid")
