"""The promise about plain-language revocations, held on the labelled messages."""

import time

import pytest

from bench.revocations import PRECISION, RECALL, UNSEEN, Figures, read_messages
from services.messaging.words import classify

MESSAGES = read_messages()


@pytest.mark.parametrize("held_out", [False, True], ids=["tuned on", "held out"])
def test_revocations_are_recognised_as_promised(held_out: bool) -> None:
    figures = Figures([one for one in MESSAGES if one.held_out == held_out])
    assert len(figures.messages) >= 300
    assert figures.recall >= RECALL, figures.misses
    assert figures.precision >= PRECISION, figures.misses


def test_likeness_finds_most_of_what_rules_miss_in_a_batch_they_were_not_changed_by() -> None:
    unseen = [one for one in MESSAGES if one.example.batch == UNSEEN]
    ruled, all_told = Figures(unseen, lambda one: one.ruled), Figures(unseen)
    assert all_told.recall >= ruled.recall + 0.05, all_told.misses
    assert all_told.precision >= PRECISION, all_told.misses


def test_everyday_messages_hardly_ever_block() -> None:
    everyday = [one for one in MESSAGES if one.example.kind == "ordinary"]
    assert sum(one.blocks for one in everyday) <= 0.02 * len(everyday)


def test_start_and_help_are_never_taken_for_something_else() -> None:
    asked = [one for one in MESSAGES if one.example.label in ("start", "help")]
    assert [one.example.text for one in asked if one.found.kind != one.example.label] == []


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
