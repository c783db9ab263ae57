"""RPC between services: `serve` an operation, make `Calls`."""

from chassis.rpc_client import Calls, Reply
from chassis.rpc_server import serve, served_operations
from chassis.rpc_wire import RemoteFault

__all__ = ["Calls", "RemoteFault", "Reply", "serve", "served_operations"]
