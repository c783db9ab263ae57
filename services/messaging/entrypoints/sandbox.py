"""Entrypoints for the sandbox's page: its phones, its inboxes and the people behind them."""

from __future__ import annotations

from typing import Any

from chassis.rpc import serve
from chassis.timers import every
from contracts import messaging as contract
from services.messaging.dependencies import Answer, Dependencies


class SandboxEntrypoints(Dependencies):
    """What a person does and sees in place of a provider."""

    @serve(contract.LIST_SANDBOX_MESSAGES)
    def list_sandbox_messages(self, **query: Any) -> Answer:
        return self.sandbox.inboxes.list_messages(**query)

    @serve(contract.GET_SANDBOX_MESSAGE)
    def get_sandbox_message(self, sandbox_message_id: str) -> Answer:
        return self.sandbox.inboxes.get_message(sandbox_message_id=sandbox_message_id)

    @serve(contract.LIST_SANDBOX_ADDRESSES)
    def list_sandbox_addresses(self, **query: Any) -> Answer:
        return self.sandbox.inboxes.list_addresses(**query)

    @serve(contract.DESCRIBE_SANDBOX_ADDRESS)
    def describe_sandbox_address(self, address: str) -> Answer:
        return self.sandbox.inboxes.describe(address=address)

    @serve(contract.SET_SANDBOX_ADDRESS)
    def set_sandbox_address(self, **command: Any) -> Answer:
        return self.sandbox.inboxes.set_behaviour(**command)

    @serve(contract.LIST_SANDBOX_OFFICES)
    def list_sandbox_offices(self) -> Answer:
        return self.sandbox.inboxes.list_offices()

    @serve(contract.ACT_ON_SANDBOX_MESSAGE)
    def act_on_sandbox_message(self, **command: Any) -> Answer:
        return self.sandbox.people.act(**command)

    @serve(contract.WRITE_FROM_SANDBOX)
    def write_from_sandbox(self, **command: Any) -> Answer:
        return self.sandbox.people.write(**command)

    @serve(contract.REPLY_TO_SANDBOX_MESSAGE)
    def reply_to_sandbox_message(self, **command: Any) -> Answer:
        return self.sandbox.people.reply(**command)

    @every(1, "messaging: announce sandbox statuses", everywhere=True)
    def announce_sandbox_statuses(self) -> bool:
        return self.sandbox.announcer.announce()
