"""Likeness to labelled revocations: what it adds to the rules, and what it never does."""

import time

import pytest

from services.messaging.revocations.likeness import LONGEST, Example, Likeness, read_examples
from services.messaging.words import Context, classify

NOT_RULED = "There is no Mr. Okafor, please scratch this cell from your roster"
"""No rule knows this."""


def example(text: str, label: str) -> Example:
    return Example(text, label, "en", "short", "test")


ALL_ALIKE = Likeness.of([example(NOT_RULED, "stop"), *(example(f"fine {n}", "other") for n in range(50))])
"""Doubts what shares words with a message, and nothing else."""
BLIND = Likeness.of([])


def test_what_is_like_revocations_and_known_to_no_rule_is_doubted_and_never_sure() -> None:
    found = classify(NOT_RULED, likeness=ALL_ALIKE)
    assert (found.kind, found.confident) == ("stop", False)
    name, _, score = found.rule.partition(":")
    assert name == "likeness"
    assert int(score) >= 3
    assert classify(NOT_RULED, likeness=BLIND).kind == "none"


@pytest.mark.parametrize(
    "text", ["YES", "no", "START", "help", "STOP", "Si", "ayuda", "please stop texting me", "👍", ""]
)
def test_it_changes_nothing_that_a_word_or_a_rule_decides(text: str) -> None:
    willing = Likeness.of([*(example(text, "stop") for _ in range(9)), *(example("fine", "other") for _ in range(50))])
    for context in (Context(), Context(opted_out=True), Context(asked_to_start=True)):
        assert classify(text, context, willing) == classify(text, context, BLIND)


def test_no_labelled_message_becomes_sure_or_changes_its_rule_by_likeness() -> None:
    for one in read_examples():
        ruled, found = classify(one.text, likeness=BLIND), classify(one.text)
        assert found == ruled if ruled.kind != "none" else not (found.kind == "stop" and found.confident)


def test_a_long_message_is_not_compared() -> None:
    words = NOT_RULED.split()
    told = " ".join((words * LONGEST)[:LONGEST])
    assert ALL_ALIKE.doubt(told) is not None
    assert ALL_ALIKE.doubt(f"{told} too") is None


@pytest.mark.parametrize(
    "text",
    ["Good evening", "Muchas gracias por todo", "Thank you both!", "see you at noon", "I paid it", "Buenas noches"],
)
def test_everyday_words_that_are_in_no_set_are_not_doubted(text: str) -> None:
    assert text not in {one.text for one in read_examples()}
    assert classify(text).kind == "none"


@pytest.mark.parametrize(
    "text", ["Please keep sending me the reminders", "don't stop the texts, they help", "No dejen de escribirme"]
)
def test_whoever_wants_our_messages_is_not_doubted_for_speaking_of_them(text: str) -> None:
    assert classify(text).kind == "none"


def test_a_message_takes_less_than_five_milliseconds() -> None:
    texts = [one.text for one in read_examples()]
    began = time.process_time()
    for text in texts:
        classify(text)
    assert (time.process_time() - began) / len(texts) < 0.005
