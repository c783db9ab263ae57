"""Connections that are up before the question whether there is still time for a request, and wait for the next one.

To make a connection may take longer than a request has to begin. So it is made first, and kept where it is then too
late: the next request finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eventlet.patcher import original
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError
from urllib3.util.ssl_match_hostname import CertificateError

from services.messaging.adapters.in_time import demand_in_time

_select = original("select")
_ssl = original("ssl")

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool as _Pool
else:
    _Pool = object


def is_up(sock: Any) -> bool:
    """Whether a kept connection on which nothing is expected is still up, by one system call: whatever can be read from
    it is the end. (A green `select` takes two turns of the whole process to say that nothing has come.)"""
    if sock is None:
        return False
    poll = _select.poll()
    poll.register(sock, _select.POLLIN)
    return not poll.poll(0)


class StandingBy(_Pool):
    """A pool of urllib3's that has a connection up before each request, and then asks whether it may begin.

    A request raises TooLate, and what it has always raised. Through a proxy, connections are made with the request.
    """

    def urlopen(self, *arguments: Any, **options: Any) -> Any:
        """One request."""
        if self.proxy is None:
            self._stand_by()
        demand_in_time()
        return super().urlopen(*arguments, **options)

    def _stand_by(self) -> None:
        """What is put back last is taken next."""
        connection = self._get_conn()
        try:
            if connection.sock is None:  # type: ignore[attr-defined]
                connection.connect()
        except HTTPError:
            raise
        except (_ssl.SSLError, CertificateError) as error:
            raise SSLError(error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "not connected in time") from error
        except OSError as error:
            raise NewConnectionError(connection, "not connected") from error  # type: ignore[arg-type]
        finally:
            self._put_conn(connection)
