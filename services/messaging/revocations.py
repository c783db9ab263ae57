"""Sentences whose plain meaning is "write to me no more", in English and Spanish. Rules over normalised text.

A rule of the first table is sure; one of the second only likely, so that a person looks at what it blocked. Before
either is asked, what uses the same words for something else is taken out of the sentence.
"""
# ruff: noqa: E501 - one rule a line reads better than a rule in pieces

from __future__ import annotations

import re

_CONTACT = (
    r"(?:texts?|texting|txts?|txting|messag(?:e|es|ing)|msgs?|msging|messging|sms|contact(?:ing)?|call(?:s|ing)?|writ(?:e|ing)|"
    r"bother(?:ing)?|bugging|harass(?:ing)?|spam(?:ming|s)?|pester(?:ing)?|reach(?:ing)? out|hitting me up|notif(?:y|ying)|"
    r"notifications?|reminders?|reminding|alerts?|updates|email(?:s|ing)?|hounding|annoying|blowing up)"
)
_SENT = r"(?:send(?:ing)?|sen|get(?:ting)?|receiv(?:e|ing)|giv(?:e|ing)|want(?:ing)?|need(?:ing)?|have|having)"
_NOT = r"(?:dont|do not|does not|never|not|please no|stop|quit|cease|no longer)"
_FILLER = r"(?:\w+ ){0,4}?"

_ES_CONTACT = (
    r"(?:escrib\w+|mensaj\w+|text(?:o|os|ear|een|ees|eando)|mand\w+|envi\w+|llam\w+|molest\w+|contact\w+|notific\w+|"
    r"recordatorios?|avis(?:en|os|es)|fastidi\w+|mensages?|mansajes?|acos\w+)"
)

_SURE: tuple[tuple[str, str], ...] = (
    ("stop_contact", rf"\b(?:stop|stp|sotp|quit|cease|end|halt|discontinue)\b (?:\w+ ){{0,3}}?{_CONTACT}\b"),
    ("stop_sending", r"\b(?:stop|quit|cease)\b (?:\w+ ){0,2}?(?:send|sending)\b"),
    ("do_not_contact", r"\b(?:dont|do not|never|no)\b (?:\w+ ){0,2}?(?:text|txt|message|msg|contact|write|bother|spam|sms|reach out to|notify)\b (?:me|us|this|my|anymore|any more|again|to me|here)"),
    ("do_not_send", rf"\b(?:dont|do not|never)\b (?:\w+ ){{0,2}}?(?:send|sen)\b (?:me |us )?(?:\w+ ){{0,3}}?(?:{_CONTACT}|anything|stuff|these|this|any more|anymore|again)"),
    ("no_more", rf"\bno (?:more|mas|further)\b (?:\w+ ){{0,2}}?{_CONTACT}\b"),
    ("unwanted", rf"\b(?:dont|do not|no longer|never) (?:wish|want|need|like|care)\b (?:to )?(?:\w+ ){{0,3}}?(?:{_CONTACT}|hear(?:ing)? from)\b"),
    ("remove_me", r"\b(?:remove|take|delete|drop|scratch|erase|get)\b (?:me|my (?:\w+ )?(?:number|phone|name|info|contact)|this number|us)\b(?: \w+){0,2}? ?\b(?:off|from|out of)\b"),
    ("remove_number", r"\b(?:remove|delete|lose|erase|forget)\b (?:me\b(?! know)|my (?:\w+ )?(?:number|phone|contact)|this (?:phone )?number)"),
    ("unsubscribe", r"\b(?:un ?sub?s?c?ri?be?\w*|unsuscribe\w*|de ?subscribe)\b"),
    ("opt_out", r"\bopt(?:ed|ing)? (?:me |us |this number )?out\b"),
    ("leave_alone", r"\bleave (?:me|us) (?:the \w+ )?(?:alone|be)\b"),
    ("go_away", r"^(?:\w+ )?(?:go away|get lost|piss off|f(?:uck)? off|fuck off|buzz off|back off|bug off|screw you)\b"),
    ("wrong_number", r"^(?:(?:sorry|hi|hello|hey|um|uh|no|im sorry|sorry but|i think|this is|thats|its|you have|u have|youve got|you got|u got|you|the|a|but|have|texted|called) )*(?:the )?(?:wrong|incorrect) (?:number|person|phone|guy|contact)\b"),
    ("wrong_number", r"\byou(?:ve| have|re| are)? (?:\w+ ){0,3}?the wrong (?:number|person|guy|phone)\b"),
    ("not_this_person", r"\b(?:this is not|this isnt|im not|i am not|isnt) \w+s? (?:number|phone)\b|\bnot (?:my|the) right number\b|\b(?:no one|nobody) (?:by|with|named|called) (?:that|this)?\b"),
    ("revoke_consent", r"\b(?:revok\w+|withdraw\w*|rescind\w*|cancel\w*|retract\w*)\b (?:\w+ ){0,2}?(?:consent|permission|authorization|authorisation|subscription|texts?|text messages?|messages|alerts|notifications)\b"),
    ("no_consent", r"\b(?:do not|dont|did not|didnt|never) (?:\w+ )?(?:consent|consented|agree to (?:this|these|be|receiv\w+|get\w*)|sign(?:ed)? up|subscribe[d]?|authori[sz]e[d]?|give (?:you )?permission|gave (?:you )?permission)\b"),
    ("do_not_call_list", r"\b(?:do not|dont) (?:call|contact|text) (?:list|registry)\b"),
    ("enough", r"\benough (?:with |of )?(?:the |these |this |your |already )?(?:\w+ )?(?:texts?|messages?|texting|spam|reminders)\b"),
    ("es_stop_contact", rf"\b(?:dej\w+|par(?:a|e|en|ar)|bast\w+|ces\w+)\b (?:ya )?(?:de )?(?:\w+ ){{0,2}}?{_ES_CONTACT}"),
    ("es_do_not", rf"\bno\b (?:quiero |deseo |necesito )?(?:que )?(?:me |nos |mas |recibir |recibo |vuelvan a |vuelva a |sigan |siga |quiero |deseo )*(?:mas )?(?:{_ES_CONTACT})"),
    ("es_no_more", rf"\b(?:no mas|ya no|ni un)\b (?:\w+ ){{0,3}}?{_ES_CONTACT}"),
    ("es_unsubscribe", r"\b(?:dar(?:me|nos|se)?|deme|denme|doy|dame|den) (?:me )?de baja\b|\bde baja\b|\bdesuscrib\w+|\bdesubscrib\w+|\bcancel\w+ (?:la |mi )?(?:suscripcion|subscripcion|mensajes|los mensajes)\b"),
    ("es_remove_me", r"\b(?:quit|borr|elimin|sa[cq]u?)\w*(?:me|nme|n)? (?:me )?(?:de (?:la|su|sus|esta) lista|mi (?:numero|telefono|celular)|este numero|de ahi)"),
    ("es_leave_alone", r"\bdej\w+ (?:me )?(?:en paz|tranquil\w+)\b"),
    ("es_wrong_number", r"\bnumero (?:equivocado|incorrecto|errado)\b|\bse equivoc\w+ de (?:numero|persona)\b|\b(?:persona|telefono) equivocad[ao]\b|\beste no es el numero\b"),
)  # fmt: skip

_MAYBE: tuple[tuple[str, str], ...] = (
    ("stop_alone", r"^(?:(?:please|pls|plz|ok|okay|hey|just|no|hi|hello|omg|ugh|and|so|for the last time|i said|i told you to|said) )*(?:stop|stahp|cease|quit)(?: (?:it|this|that|now|already|please|pls|plz|immediately|asap|at once|doing this|doing that|bro|man|dude|ffs|everything|all of (?:it|this)|all|the|these|me|right now|today|ya|sir|maam|i mean it|i said))*$"),
    ("want_stop", r"\b(?:want|need|like|asked|ask|told|tell|tired|asking|telling|said|say)\b (?:\w+ ){0,4}?(?:this|these|it|them|you|u|yall|that|texts?|messages?) (?:to )?(?:stop|quit|cease)\b"),
    ("make_it_stop", r"\b(?:make|made|get) (?:it|this|these|them|that|the texts?|the messages?) (?:to )?(?:stop|end)\b"),
    ("not_interested", r"\b(?:not|no longer|isnt|aint) (?:\w+ )?interested\b(?! (?:party|parties|person))"),
    ("report", r"\b(?:report(?:ing)?|block(?:ing|ed)?|su(?:e|ing)|fcc|ftc|tcpa|harassment|harassing|cease and desist|spam|scam|lawsuit)\b(?! (?:the (?:accident|police|claim|injury|other)|an accident|to the police))"),
    ("who_is_this", r"\b(?:dont|do not) (?:know|recognize|recognise) (?:you|who (?:you|this)|this number)\b"),
    ("not_client", r"\b(?:im|i am|we are|were) (?:not|no longer) (?:your|a|the|their) (?:client|customer)s?\b|\bnot (?:your|a) client\b"),
    ("not_me", r"^(?:\w+ )?(?:this (?:is not|isnt)|im not|i am not|not) (?!sure|ready|able|here|there|going|available|feeling|done|finished|home|well|yet|a|the|my|in|at|it|that|working|what|too|really|now|today|happy|free|good)\w+(?: \w+)?$"),
    ("done", r"\b(?:im|i am) (?:so )?(?:done|tired|sick|fed up) (?:with|of) (?:you|these|this|your|all)\b"),
    ("shut_up", r"\bshut up\b|\bknock it off\b|\bcut it out\b|\bgive it a rest\b"),
    ("channel_only", r"\b(?:dont|do not|no|rather not|prefer not(?: to)?) (?:\w+ )?(?:text|texts|texting|sms|txt)\b|\b(?:only|instead) (?:by |via |use |per )?(?:email|mail|phone|calls?)\b.*\b(?:not|no) (?:by |via )?(?:text|sms)\b"),
    ("too_many", r"\b(?:too many|way too much|so many|so much|constant|nonstop|non stop|endless) (?:\w+ )?(?:texts?|messages?|msgs?|reminders?|texting|messaging|spam)\b"),
    ("es_not_interested", r"\bno (?:me|nos) interesa\b|\bno estoy interesad[oa]\b"),
    ("es_stop_alone", r"^(?:(?:por favor|ya|oiga|oye|que) )*(?:basta|paren?|para|alto|detengan(?:se)?|detente|no mas|ya no|dejen?|dejame|dejenme)(?: (?:ya|por favor|esto|eso|de esto))*$"),
    ("es_not_me", r"\bno (?:soy|es) (?:esa|la|el|ese) (?:persona|numero|senor|senora)\b|\bno (?:lo|la|los) conozco\b|\bno soy (?:cliente|su cliente)\b"),
    ("es_report", r"\b(?:denunci\w+|demand(?:ar|are|o) a ustedes|acoso|estafa|reportar\w*)\b"),
    ("fr_pt_de", r"\b(?:arretez|arreter|desabonner|desinscrire|desinscription|plus de messages|ne mecrivez plus|ne me contactez plus|sair|pare de|parem de|nao quero|descadastrar|abmelden|keine nachrichten|nicht mehr schreiben|aufhoren|smetti\w*|cancellami)\b"),
)  # fmt: skip

_CLEARS = re.compile(
    r"\b(?:dont|do not|never|please dont|didnt|did not|not (?:asking|telling) you to) (?:\w+ )?(?:stop|quit|unsubscribe|opt out|cancel)\b"
    r"|\bno (?:dejen?|paren?) de\b|\bno (?:me )?(?:quiten|den de baja|borren)\b"
    r"|\b(?:wont|will not|cant|cannot|doesnt|couldnt) stop\b (?!text|messag|send|contact|call)"
    r"|\bhow (?:do|can|would) i (?:\w+ ){0,2}?(?:know|tell|stop (?:the|my) (?:payment|garnish|foreclos|hearing))"
)
"""Sentences that turn a revocation into its opposite. They clear it only where no other rule finds one."""

_OTHER_OBJECT = re.compile(
    r"\b(?:stop(?:ped|ping|s)?|stp) (?:by|in|at|over|off|on|payment|payments|working|work|smoking|paying|here|there|light|sign|"
    r"watch|loss|gap)\b|\b(?:bus|truck|traffic|pit|full|next|first|last|train|metro|one|short|non|door) stop\b"
    r"|\bstop (?:the|my|a|his|her|their|our|using|taking|seeing|going|driving|coming|being)\b(?! (?:\w+ )?(?:texts?|messages?|sms|msgs?|"
    r"spam|reminders?|notifications?|alerts?|texting|messaging|calls?|calling|emails?))"
)

_STOP_IT_FOR_OTHERS = re.compile(
    r"\b(?:they|he|she|insurance|adjuster|doctor|collectors?|creditors?|bank|ex|landlord|company|attorney|lawyer|other (?:side|driver|party))\b"
    r"(?: \w+){0,6} (?:stop|texting|calling|contact(?:ed|ing)?|harass\w*|messag\w*|spam\w*|report\w*|su(?:e|ing)|bother\w*|block\w*)\b"
    r"|\b(?:wont|will not|doesnt|does not|didnt|never|keeps?) (?:stop )?(?:texting|calling|messaging|contacting|harassing) me\b(?=.*\b(?:help|what|should|can you|who)\b)"
)
"""The sender speaks of somebody else's calls and texts: a matter for the case, not a word to us."""

_OUR_OWN_WORDS = re.compile(
    r"\b(?:gave|give|entered|put|wrote|typed|had|listed|used|sent (?:it|that)? ?to) (?:\w+ ){0,4}?wrong (?:number|phone|person)\b"
    r"|\bwrong (?:number|phone|person) (?:on|for|in|was|at|listed|is on)\b"
    r"|\b(?:dont|do not|didnt|did not|cant|couldnt|cannot|not|havent|never) (?:get|got|receive|received|getting|see|open|have|had|find) (?:\w+ ){0,3}?(?:texts?|messages?|emails?|reminders?|notifications?|calls?|alerts?|updates|sms|msgs?)\b"
    r"|\b(?:dont|do not|didnt) (?:need|have|want) (?:to )?(?:an? |any )?(?:call|write|email|bother|contact|message)\b(?! (?:me|us|from|s\b))"
    r"|\bcancel\w* (?:my|the|our|this|that|todays|tomorrows) (?:\w+ )?(?:appointment|meeting|consultation|call|visit|hearing|order|card|policy|insurance|contract)\b"
    r"|\b(?:no|ya no) (?:\w+ )?(?:recibi|recibio|recibo|recibimos|he recibido|me llego|me llega|llego|encuentro|puedo|pude|tengo|se como|se si)\b"
    r"|\bno (?:se|le|les) (?:mand|envi)\w+|\bno (?:mande|envie|pude enviar|he enviado|he mandado|pude mandar|les mande|les envie)\b"
    r"|\bno (?:\w+ )?llam\w+ (?:a|al) (?!este|mi)\w+"
    r"|\b(?:spam|junk) folder\b|\bpolice report\b|\breport\w* (?:it|the|this|that|my|an) (?:\w+ )?(?:accident|police|claim|injury|incident|crash|insurance|income|taxes?)\b"
)

_SURE_RULES = tuple((name, re.compile(pattern)) for name, pattern in _SURE)
_MAYBE_RULES = tuple((name, re.compile(pattern)) for name, pattern in _MAYBE)


def find_revocation(plain: str) -> tuple[str, bool] | None:
    """(rule, confident) of what reads as a revocation in `plain`, normalised text; None if nothing does."""
    kept = _OTHER_OBJECT.sub(" ", plain)
    kept = _CLEARS.sub(" ", kept)
    kept = _OUR_OWN_WORDS.sub(" ", kept)
    if _STOP_IT_FOR_OTHERS.search(kept):
        return None
    kept = re.sub(r"\s+", " ", kept).strip()
    for name, rule in _SURE_RULES:
        if rule.search(kept):
            return name, _brief(plain)
    for name, rule in _MAYBE_RULES:
        if rule.search(kept):
            return name, False
    return None


def _brief(plain: str) -> bool:
    """A long message may quote or tell a story: it blocks all the same, but a person reads it."""
    return len(plain.split()) <= 20
