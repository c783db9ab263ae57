"""Which inbound words stop, start, ask for help, or do none of it."""

import pytest

from services.messaging.words import Context, asks_to_start, classify

STOPS = """STOP|stop|Stop.|sToP!!|" stop "|S T O P|stop stop stop|STOPALL
stop all|Stop-All|UNSUBSCRIBE|unsubscribe please
CANCEL|End.|QUIT|revoke|OPTOUT|opt out|Opt-Out|Please stop|stop, thanks|STOP now|ALTO|¡Alto!|Parar|BAJA|cancelar
\uff33\uff34\uff2f\uff30|stop 🛑|stopp|sotp|unsuscribe"""

REVOCATIONS = """please stop texting me
Stop texting me!!
wrong number, leave me alone
stop sending me these messages
Don't text me again
do not contact me anymore
I don't want these texts
no more messages please
Please remove me from your list
take me off this list
lose my number
You have the wrong number
Wrong person
Sorry, wrong number
I think you have the wrong person
unsubscribe me from this
I want to opt out of these
I revoke my consent to be texted
I never signed up for this
leave me alone
go away
quit bothering me
stop it
please make it stop
I told you to stop already
not interested
who is this? I don't know you
this is harassment
stop spamming me or I will report you to the FCC
Don't text, just call me
too many texts
no longer want to receive reminders
pls stp txting
por favor no me escriban más
Dejen de mandarme mensajes
deje de escribirme
no más mensajes
Número equivocado
quiero darme de baja
déjenme en paz
ya no me manden mensajes
no quiero recibir mensajes
quítenme de su lista
borren mi número
basta ya
no me interesa""".splitlines()

OTHERS = """Stop by the office at 3
can I stop by tomorrow?
I'll stop in around noon
the bus stop is on 5th
I need to cancel my appointment
Can we cancel the call on Friday?
please don't stop the case
don't stop texting me, this is useful
thanks!
ok
I gave you the wrong number for my insurance
the phone on the form is the wrong number for the shop
I didn't get the message
I never received your email
How do I stop the foreclosure?
the insurance adjuster won't stop calling me, what should I do?
in the end we settled
I went to the end of the road
yes I can come
No, Tuesday is better
My address is 12 Stop Street
I quit smoking last year
When does it end?
creditors keep calling me, can you help?
Start date was May 3
info about the hearing please
I don't have the document yet
stop the payment on the check please
I am done with the form
no puedo abrir el enlace
no recibí el mensaje
gracias
voy mañana por la tarde
llame a mi esposa
puedo pasar por la oficina?
I'm not sure
I'm not available today
👍
?
12345""".splitlines()


@pytest.mark.parametrize("text", STOPS.replace("\n", "|").split("|"))
def test_a_stop_word_alone_stops(text: str) -> None:
    assert classify(text).kind == "stop"


@pytest.mark.parametrize("text", REVOCATIONS)
def test_plain_language_stops(text: str) -> None:
    assert classify(text).kind == "stop"


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_revocation_is_left_alone(text: str) -> None:
    assert classify(text).kind == "none"


@pytest.mark.parametrize("text", ["START", "start.", "Unstop", "un-stop"])
def test_start_words(text: str) -> None:
    assert classify(text).kind == "start"


@pytest.mark.parametrize("text", ["HELP", "help?", "Info", "¡Ayuda!"])
def test_help_words(text: str) -> None:
    assert classify(text).kind == "help"


@pytest.mark.parametrize("text", ["YES", "yes!", "Sí"])
def test_yes_starts_only_as_an_answer(text: str) -> None:
    assert classify(text).kind == "none"
    assert classify(text, Context(opted_out=True)).kind == "start"
    assert classify(text, Context(asked_to_start=True)).kind == "start"


@pytest.mark.parametrize(
    ("ours", "asks"),
    [
        ("Harbor & Lane: reply YES to receive text messages about your case.", True),
        ("May we text you about your case? Reply YES or NO.", True),
        ("Responda SÍ para recibir mensajes de texto.", True),
        ("Reply YES to confirm your appointment. Reply STOP to end messages.", False),
        ("Can you come on Friday? Reply YES or NO.", False),
        ("Your papers are ready.", False),
    ],
)
def test_only_a_question_about_messages_can_be_answered_by_yes(ours: str, asks: bool) -> None:
    assert asks_to_start(ours) == asks


def test_what_is_doubtful_is_marked_for_a_person() -> None:
    assert classify("STOP").confident
    assert classify("please stop texting me").confident
    assert not classify("not interested").confident
    assert not classify("sotp").confident
    long_story = (
        "hi I hope that you are all well and had a good weekend, this is all too much for my mother and me, "
        "so please stop texting me from now on"
    )
    assert not classify(long_story).confident
