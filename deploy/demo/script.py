"""The demonstration's steps, in the order a firm would take them."""

from __future__ import annotations

from rich.console import Console

from deploy.demo.answering import answer_links
from deploy.demo.api import Api
from deploy.demo.asking import assign_tasks, estimate, notify_and_live
from deploy.demo.intake import make_intake
from deploy.demo.intake_on_phone import fill_in
from deploy.demo.opening import create_cases, import_clients
from deploy.demo.stage import Stage, Story

STEPS = (
    import_clients, create_cases, assign_tasks, estimate, notify_and_live, answer_links, make_intake, fill_in,
)  # fmt: skip


def play(api: Api, console: Console, story: Story) -> None:
    """All steps, one after another; what happens is noted in the story."""
    stage = Stage(api, console, story)
    for step in STEPS:
        console.rule(f"[bold]{(step.__doc__ or '').strip()}", align="left")
        step(stage)
