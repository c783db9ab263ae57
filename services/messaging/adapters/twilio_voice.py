"""Calls that read a message aloud and take a key press, through Twilio's REST API.

https://www.twilio.com/docs/voice/api/call-resource: as with messages there is no idempotency key, and a call's record
holds nothing of ours. A call of unknown fate is looked for among those between the two numbers, by its time.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from twilio.rest import Client
from twilio.twiml.voice_response import Gather, VoiceResponse

from services.messaging.adapters.base import CLOCK_SLACK, Absent, Accepted, Finding, Outgoing, Question
from services.messaging.spoken import KEY_SECONDS, Script, script_of

VOICE_PATH = "/webhooks/twilio/voice"
"""Where the gateway takes key presses and what becomes of calls."""
LONGEST_TWIML = 4000
"""Characters that Twilio takes with a call."""
RINGS_FOR = 40
"""Seconds after which nobody answers: long enough for a machine to."""
EVENTS = ["initiated", "ringing", "answered", "completed"]
LOOKED_THROUGH = 50
"""Calls between two numbers, newest first, that are looked through for one of unknown fate. Where there are more,
nothing can be told."""


def call_fields(message: Outgoing, voice_url: str) -> dict[str, Any]:
    """What creates a call. `voice_url` is our webhook; the delivery's token is added to it."""
    address = f"{voice_url}?token={quote(message.token)}"
    return {
        "to": message.to,
        "from_": message.sender,
        "twiml": twiml_of(script_of(message.body, message.language), address),
        "status_callback": address,
        "status_callback_event": EVENTS,
        # What a machine records begins after its beep, not in the middle of its greeting.
        "machine_detection": "DetectMessageEnd",
        "timeout": RINGS_FOR,
    }


def twiml_of(script: Script, key_url: str) -> str:
    """The message and what to press, once more if no key comes, and a farewell that tells a machine's owner too how to
    get no more calls. A message that is too long to be said twice is said once."""
    for times in (2, 1):
        response = VoiceResponse()
        for _ in range(times):
            gather = Gather(num_digits=1, timeout=KEY_SECONDS, action=key_url, method="POST")
            gather.say(script.message, language=script.voice)
            gather.say(script.menu, language=script.own_voice)
            response.append(gather)
        response.say(script.farewell, language=script.own_voice)
        response.hangup()
        twiml = str(response)
        if len(twiml) <= LONGEST_TWIML:
            break
    return twiml


def find_call(client: Client, question: Question) -> Finding:
    """The one call between the two numbers since the request was begun that is no other delivery's; several might each
    be it, and then nothing can be told. Raises what Twilio's client raises."""
    since = question.begun_at - CLOCK_SLACK
    found = []
    calls = client.calls.stream(to=question.to, from_=question.sender, limit=LOOKED_THROUGH, page_size=50)
    for number, call in enumerate(calls, 1):
        if call.date_created is not None and call.date_created < since:
            break
        if str(call.direction).startswith("outbound") and call.sid not in question.taken:
            found.append(call)
        if number == LOOKED_THROUGH:
            return None
    if not found:
        return Absent()
    return Accepted(str(found[0].sid), str(found[0].status)) if len(found) == 1 else None
