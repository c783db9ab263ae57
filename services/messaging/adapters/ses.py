"""Email through Amazon SES, API version 2.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html: there is no idempotency key and no way to ask
about a message, so that a request is made once, and what became of one without an answer is only told by its events,
which bring our token back in the message's tags.
"""

from __future__ import annotations

from typing import Any

from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

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
from services.messaging.adapters.codes import meaning_of
from services.messaging.adapters.connections import StandingBy
from services.messaging.adapters.email_headers import extra_headers, from_header
from services.messaging.adapters.in_time import TooLate
from services.messaging.adapters.retry_after import seconds_of

log = log_of(__name__)

TOKEN_TAG = "casewire-delivery"  # noqa: S105 # nosec B105 - the name of a tag
"""Its value is the delivery's token, and comes back with every event."""
DEFAULT_DELAY = 5.0
LONG_DELAY = 900.0
"""Seconds to wait where the quota of the day is used up."""
_NEVER_SENT = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)


class _HTTPPool(StandingBy, AWSHTTPConnectionPool):
    pass


class _HTTPSPool(StandingBy, AWSHTTPSConnectionPool):
    pass


class SesProvider:
    """`configuration_set` names where SES publishes events; credentials are found as boto3 finds them."""

    name = "ses"
    ask_after: tuple[float, ...] = (3600.0,)

    def __init__(
        self,
        *,
        region: str,
        configuration_set: str | None = None,
        endpoint_url: str | None = None,
        connections: int = 32,
        seconds: float = 10.0,
    ) -> None:
        import boto3  # only where it is used: a slow import

        self.seconds = seconds + 4.0
        self._configuration_set = configuration_set
        limits = Config(
            connect_timeout=3,
            read_timeout=seconds,
            max_pool_connections=connections,
            # A request is made once: what became of it is told by its events.
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        # A session of its own: clients of the shared one must not be made side by side.
        session = boto3.session.Session(region_name=region)
        self._client = session.client("sesv2", endpoint_url=endpoint_url, config=limits)
        # The library has no way to say how connections are to be made.
        self._client._endpoint.http_session._pool_classes_by_scheme.update(http=_HTTPPool, https=_HTTPSPool)

    def send(self, message: Outgoing) -> Result:
        """One request to send an email."""
        try:
            answer = self._client.send_email(**self._request(message))
        except _NEVER_SENT as error:
            log.warning("provider_not_reached", provider=self.name, error=type(error).__name__)
            return NotConnected()
        except ParamValidationError:
            return Refused("invalid_request")
        except ClientError as error:
            return _judge(error)
        except ReadTimeoutError:
            return Unknown("timeout")
        except BotoCoreError as error:
            if isinstance(error.__context__, TooLate):
                raise error.__context__ from None
            log.warning("provider_answer_unreadable", provider=self.name, error=type(error).__name__)
            return Unknown("cut")
        return Accepted(str(answer["MessageId"]), "accepted")

    def find(self, question: Question) -> Finding:
        """SES cannot be asked: an event settles it, or the day ends."""
        return None

    def figures(self, provider_id: str, channel: str) -> Figures:
        """SES names none."""
        return Figures()

    def _request(self, message: Outgoing) -> dict[str, Any]:
        subject = {"Data": message.subject or "", "Charset": "UTF-8"}
        body = {
            "Text": {"Data": message.body, "Charset": "UTF-8"},
            "Html": {"Data": message.html or "", "Charset": "UTF-8"},
        }
        headers = [{"Name": name, "Value": value} for name, value in extra_headers(message).items()]
        request: dict[str, Any] = {
            "FromEmailAddress": from_header(message),
            "Destination": {"ToAddresses": [message.to]},
            "Content": {"Simple": {"Subject": subject, "Body": body, "Headers": headers}},
            "EmailTags": [{"Name": TOKEN_TAG, "Value": message.token}],
        }
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return request


def _judge(error: ClientError) -> Result:
    """What an answer other than 200 means: who is asked to wait, and who to give up."""
    code = str(error.response.get("Error", {}).get("Code") or "")
    metadata = error.response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode") or 0)
    if status == 429 or code.startswith(("TooManyRequests", "Throttling")):
        return Deferred(_delay(metadata.get("HTTPHeaders", {}).get("retry-after")), of_account=True)
    if code == "LimitExceededException":
        return Deferred(LONG_DELAY, of_account=True)
    if status in (401, 403):
        return Refused(code if meaning_of(code).is_ours else f"http_{status}")
    if 400 <= status < 500:
        return Refused(code or f"http_{status}")
    return Unknown(f"http_{status}")


def _delay(retry_after: str | None) -> float:
    seconds = seconds_of(retry_after)
    return DEFAULT_DELAY if seconds is None else min(seconds, LONG_DELAY)
