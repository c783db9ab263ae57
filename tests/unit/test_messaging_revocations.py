"""The promise about plain-language revocations, held on the labelled messages."""

import time

import pytest

from bench.revocations import PRECISION, RECALL, Figures, read_messages
from services.messaging.words import classify

MESSAGES = read_messages()


@pytest.mark.parametrize("held_out", [False, True], ids=["tuned on", "held out"])
def test_revocations_are_recognised_as_promised(held_out: bool) -> None:
    figures = Figures([one for one in MESSAGES if one.held_out == held_out])
    assert len(figures.messages) >= 300
    assert figures.recall >= RECALL, figures.misses
    assert figures.precision >= PRECISION, figures.misses


def test_start_and_help_are_never_taken_for_something_else() -> None:
    asked = [one for one in MESSAGES if one.label in ("start", "help")]
    assert [one.text for one in asked if one.found.kind != one.label] == []


@pytest.mark.parametrize("text", ["🛑", "👎", "🚫🚫", "🔕 "])
def test_an_emoji_alone_that_refuses_is_doubtful(text: str) -> None:
    found = classify(text)
    assert (found.kind, found.confident) == ("stop", False)


@pytest.mark.parametrize("text", ["👍", "❤️", "", "   ", "...", "🚗", "ok 🛑?"])
def test_other_emoji_and_empty_messages_ask_for_nothing(text: str) -> None:
    assert classify(text).kind == "none"


def test_a_sentence_about_somebody_else_does_not_hide_the_next_one() -> None:
    assert classify("My ex keeps texting me. What should I do?").kind == "none"
    assert classify("My ex keeps texting me. Also, please stop texting me from your office.").kind == "stop"


def test_a_word_put_right_is_never_sure() -> None:
    assert classify("please stop texting me").confident
    assert not classify("pleese stop textng me").confident
    assert classify("pleese stop textng me").kind == "stop"


@pytest.mark.parametrize(
    "words",
    ["you all", "stop these", "no me mas", "remove me please", "the text of the message", "a", "dont want to be"],
)
def test_no_message_is_so_contrived_that_reading_it_takes_long(words: str) -> None:
    began = time.process_time()
    classify(f"{words} " * (100_000 // (len(words) + 1)))
    assert time.process_time() - began < 1
