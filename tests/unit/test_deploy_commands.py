"""What the command line refuses, and how it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli import main


@pytest.mark.parametrize("action", ["show", "replay", "discard"])
def test_a_dead_letter_is_named_by_its_id(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dead-letters", action, "tasks", "the-last-one"])
    assert ended.value.code == 2
    assert "argument ID: invalid" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["migrate", "accounts"],
        ["firm", "create", "Quay & Partners"],
        ["companies", "proposals", "list"],
        ["dead-letters", "list", "clients"],
    ],
    ids=" ".join,
)
def test_a_database_that_is_away_is_told_in_one_sentence(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = "postgresql://casewire:unsaid@127.0.0.1:1/casewire"  # pragma: allowlist secret
    urls = f"  accounts: {away}\n  clients: {away}\n"
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"DATABASE_URLS:\n{urls}MIGRATION_URLS:\n{urls}")
    assert main([*command, "--settings", str(settings)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("casewire: ")
    assert told.count("\n") == 1
    assert "unsaid" not in told
