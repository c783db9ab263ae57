"""What binds a browser to a link: signed cookies, and a form token that goes with them.

The token itself is kept nowhere: not in a cookie, not in a page. A cookie holds the link's id and the token's hash, and
is worth no more than the link, which is asked again with every request.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from flask import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

LINK_COOKIE = "casewire_link"
ASK_COOKIE = "casewire_ask"
PATH = "/p"
LIFE = 24 * 3600
"""Seconds that a signature is good for. Later, a tap on the link in the message opens the page again."""


@dataclass(frozen=True)
class OpenLink:
    """The link that this browser opened."""

    link_id: str
    token_hash: str


class PortalSession:
    """Signs and reads the portal's cookies and form tokens. `secure`: the public address is https."""

    def __init__(self, secret_key: str, *, secure: bool) -> None:
        self._links = URLSafeTimedSerializer(secret_key, salt="casewire.portal.link")
        self._asks = URLSafeTimedSerializer(secret_key, salt="casewire.portal.ask")
        self._forms = URLSafeTimedSerializer(secret_key, salt="casewire.portal.form")
        self._secure = secure

    def open(self, response: Response, link: OpenLink) -> None:
        """Lets this browser see the page of the link."""
        self._set(response, LINK_COOKIE, self._links.dumps([link.link_id, link.token_hash]))

    def opened(self, request: Request) -> OpenLink | None:
        """The link that this browser opened, if it is signed and not too old."""
        value = _load(self._links, request.cookies.get(LINK_COOKIE))
        if isinstance(value, list) and len(value) == 2:
            return OpenLink(str(value[0]), str(value[1]))
        return None

    def remember_to_ask(self, response: Response, token_hash: str) -> None:
        """Lets this browser ask for a new link in place of one that does not open."""
        self._set(response, ASK_COOKIE, self._asks.dumps(token_hash))

    def asks_for(self, request: Request) -> str | None:
        """The hash of the token that did not open, if this browser held one."""
        value = _load(self._asks, request.cookies.get(ASK_COOKIE))
        return value if isinstance(value, str) else None

    def form_token(self, link: OpenLink) -> str:
        """What a form of the link's page carries: another site cannot know it."""
        return str(self._forms.dumps(link.link_id))

    def is_own_form(self, link: OpenLink, token: str | None) -> bool:
        """Whether a form came from the page of this very link."""
        return _load(self._forms, token) == link.link_id

    def was_own_form(self, token: str | None) -> bool:
        """Whether a form came from a page of ours, of whatever link and however long ago: enough to hand it back."""
        return _load(self._forms, token, max_age=None) is not None

    def _set(self, response: Response, name: str, value: str | bytes) -> None:
        # Without Max-Age: it ends with the browser's session, since phones are shared and sold.
        text = value.decode() if isinstance(value, bytes) else value
        response.set_cookie(name, text, path=PATH, httponly=True, secure=self._secure, samesite="Lax")


def _load(serializer: URLSafeTimedSerializer, value: str | None, max_age: int | None = LIFE) -> object:
    if not value:
        return None
    try:
        return serializer.loads(value, max_age=max_age)
    except BadData:
        return None


@functools.lru_cache(maxsize=8)
def session_for(secret_key: str, public_url: str) -> PortalSession:
    """The signer of an edge's settings."""
    return PortalSession(secret_key, secure=public_url.startswith("https://"))
