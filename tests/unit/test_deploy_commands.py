"""What the command line refuses before it looks at anything."""

from __future__ import annotations

import pytest

from deploy.cli import main


@pytest.mark.parametrize("action", ["show", "replay", "discard"])
def test_a_dead_letter_is_named_by_its_id(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dead-letters", action, "tasks", "the-last-one"])
    assert ended.value.code == 2
    assert "argument ID: invalid" in capsys.readouterr().err
