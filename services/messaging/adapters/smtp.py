"""Email through an SMTP server (RFC 5321), by the standard library.

What a failure means depends on when it comes: until DATA nothing was handed over; a line that is cut after it leaves
the message's fate unknown, and nobody can be asked.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections import deque
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from chassis.telemetry import log_of
from services.messaging.adapters.base import (
    Accepted,
    Deferred,
    Figures,
    Finding,
    NotConnected,
    Outgoing,
    Question,
    Refused,
    Result,
    Unknown,
)
from services.messaging.adapters.codes import REFUSED_RECIPIENT
from services.messaging.adapters.connections import is_up
from services.messaging.adapters.email_headers import extra_headers, from_header, header_text
from services.messaging.adapters.in_time import TooLate, demand_in_time

log = log_of(__name__)

SERVER_DELAY = 60.0
"""Seconds to wait where the server itself will not take anything now."""
_NO_SUCH_MAILBOX = re.compile(rb"\s*5\.1\.\d")
_LONGEST_DOMAIN = 80
"""Characters of the sender's domain in a Message-ID: with our token it has 120 at most, as what keeps it."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class NoTls(smtplib.SMTPException):
    """The server offers no TLS, and a password must not go to it in the clear."""


class SmtpProvider:
    """`url`: smtp://user:password@host:587 (with STARTTLS where the server offers it, always before a password) or
    smtps://user:password@host:465. `connections`: how many are kept for the next message."""

    name = "smtp"
    ask_after: tuple[float, ...] = (3600.0,)

    def __init__(self, url: str, *, connections: int = 8, seconds: float = 10.0) -> None:
        parts = urlsplit(url)
        self._tls_first = parts.scheme == "smtps"
        self._host, self._port = parts.hostname or "", parts.port or (465 if self._tls_first else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._timeout = seconds
        self.seconds = 4 * seconds
        self._kept: deque[smtplib.SMTP] = deque(maxlen=connections)

    def send(self, message: Outgoing) -> Result:
        """One transaction."""
        try:
            email = _email(message)
        except (ValueError, UnicodeError):
            return Refused(REFUSED_RECIPIENT)
        try:
            connection = self._connection()
        except smtplib.SMTPAuthenticationError as error:
            log.warning("provider_account_may_not_send", provider=self.name, code=str(error.smtp_code))
            return Deferred(SERVER_DELAY)
        except smtplib.SMTPConnectError as error:
            return Deferred(SERVER_DELAY) if 400 <= error.smtp_code < 600 else NotConnected()
        except (smtplib.SMTPException, OSError) as error:
            log.warning("provider_not_reached", provider=self.name, error=type(error).__name__)
            return NotConnected()
        usable = False
        try:
            demand_in_time()
            result, usable = _transact(connection, message, email)
        except TooLate:
            usable = True
            raise
        finally:
            if usable:
                self._kept.append(connection)
            else:
                connection.close()
        return result

    def find(self, question: Question) -> Finding:
        """SMTP cannot be asked."""
        return None

    def figures(self, provider_id: str, channel: str) -> Figures:
        """SMTP names none."""
        return Figures()

    def close(self) -> None:
        """Ends the connections that are kept."""
        while self._kept:
            self._kept.pop().close()

    def _connection(self) -> smtplib.SMTP:
        """One that is still up, or a new one."""
        while self._kept:
            kept = self._kept.pop()
            if is_up(kept.sock):
                return kept
            kept.close()
        return self._connect()

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        connection = (
            smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context)
            if self._tls_first
            else smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        )
        try:
            connection.ehlo_or_helo_if_needed()
            if not self._tls_first and connection.has_extn("starttls"):
                connection.starttls(context=context)
                connection.ehlo()
            elif not self._tls_first and self._user and self._host not in _LOOPBACK:
                raise NoTls
            if self._user:
                connection.login(self._user, self._password)
        except BaseException:
            connection.close()
            raise
        return connection


def _transact(connection: smtplib.SMTP, message: Outgoing, email: EmailMessage) -> tuple[Result, bool]:
    """(what came of it, whether the connection can be used again)."""
    begun = False
    try:
        code, _ = connection.mail(message.sender)
        if code != 250:
            return _after_reset(connection, Deferred(SERVER_DELAY) if code < 500 else Refused(f"smtp_{code}"))
        code, said = connection.rcpt(message.to)
        if code not in (250, 251):
            return _after_reset(connection, _judge_recipient(code, said))
        begun = True
        code, _ = connection.data(email.as_bytes(policy=SMTP_POLICY))
    except smtplib.SMTPDataError as error:
        code = error.smtp_code
    except (smtplib.SMTPException, OSError) as error:
        if not begun:
            return NotConnected(), False
        # The library wraps a time-out as a disconnection.
        timed_out = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
        return Unknown("timeout" if timed_out else "cut"), False
    if code == 250:
        return Accepted(str(email["Message-ID"]), "sent"), True
    return _after_reset(connection, Deferred(SERVER_DELAY) if code < 500 else Refused(f"smtp_{code}"))


def _after_reset(connection: smtplib.SMTP, result: Result) -> tuple[Result, bool]:
    try:
        return result, connection.rset()[0] == 250
    except (smtplib.SMTPException, OSError):
        return result, False


def _judge_recipient(code: int, said: bytes) -> Result:
    if code < 500:
        # A full mailbox or a grey list is this recipient's alone: the others must not wait for it.
        return NotConnected()
    no_status = not re.match(rb"\s*5\.\d", said)
    if _NO_SUCH_MAILBOX.match(said) or (no_status and code in (550, 551, 553)):
        return Refused(REFUSED_RECIPIENT)
    return Refused(f"smtp_{code}")


def _email(message: Outgoing) -> EmailMessage:
    """Both parts, the simpler one first. Raises ValueError for an address that cannot be in a header."""
    email = EmailMessage(policy=SMTP_POLICY)
    message.to.encode("ascii")
    email["From"] = from_header(message)
    email["To"] = message.to
    email["Subject"] = header_text(message.subject or "")
    email["Date"] = formatdate(usegmt=True)
    domain = message.sender.rpartition("@")[2][-_LONGEST_DOMAIN:].lstrip(".-")
    email["Message-ID"] = f"<{message.token}@{domain}>"
    for name, value in extra_headers(message).items():
        email[name] = value
    email.set_content(message.body)
    if message.html:
        email.add_alternative(message.html, subtype="html")
    return email
