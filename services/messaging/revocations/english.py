"""English sentences that revoke. The text is normalised: lower case, no punctuation, `dont` for "don't"."""
# ruff: noqa: E501 - one rule a line reads better than a rule in pieces

from __future__ import annotations

_WRITING = (
    r"(?:texts?|texting|messag(?:e|es|ing)|sms|contact(?:ing)?|call(?:s|ing)?|writ(?:e|ing)|communicat(?:e|ing|ions?)|"
    r"bother(?:ing)?|bugging|harass(?:ing)?|spam(?:ming|s)?|pester(?:ing)?|reach(?:ing)? out|hitting me up|"
    r"notif(?:y|ying)|notifications?|reminders?|reminding|alerts?|updates|email(?:s|ing)?|hounding|annoying|"
    r"blowing up|wasting my time|robo ?calls?|robo ?texts?|newsletters?|solicit(?:ing|ations?)?)"
)
_SENT = r"(?:texts?|text messages?|messages?|messaging|texting|sms|reminders?|alerts?|notifications?|emails?|newsletters?|spam|communications?|updates|calls?)"
_FILLED = (
    r"(?:(?:any|more|these|this|those|the|your|ur|all|of|so|many|such|stupid|damn|dumn|fucking|freaking|further|another|"
    r"other|automated|automatic|unwanted|random|constant|endless|daily|text|me|us|with|please|ever|future|to|you|people|"
    r"w|kind|type|bulk|group|my|bloody|unsolicited) ){0,6}"
)
_NOT = r"(?:dont|do not|does not|never|no longer|not|cant you not|please not)"
_FINE = r"(?:please|thanks|thank you|now|again|already|ok|okay|asap|immediately|today|sir|maam|anymore|any more|ever|at all|to me|for good|forever|guys|everyone|yall|period|all|from now on|going forward|ty|bye|lol|man|bro|dude|n|and)"
_TO_ITS_END = rf"(?: {_FINE}){{0,8}}$"
_OPENING = (
    r"^(?:(?:hi|hello|hey|good morning|good afternoon|good evening|dear \w+|please|ok|okay|um|uh|omg|ugh|and|so|but|no|"
    r"just|sorry|im sorry|i am sorry|well|look|listen|again|yes|yeah|bro|dude|man|sir|maam|i said|i told you to|said|you|"
    r"all|you all|guys|you guys|people|need to|really|seriously|once again|for the last time|for real|kindly|still|"
    r"thanks|thank you|no thanks|no thank you|excuse me|pardon|the|its|this is|it is|thats|that is|can you|could you|"
    r"would you|will you|would you please|there|everyone|team|literally) ){0,8}"
)
_TIMES = r"(?! (?:\w+ )?(?:before|after|until|till|between|during|on (?:mon|tues|wednes|thurs|fri|satur|sun)\w+|tomorrow|this week|next week|yet)\b)"
_ME = r"(?:me|us|this (?:phone|number|cell|line|person)|my (?:phone|cell|number|line|inbox|email|cell phone)|here|to me|anymore|any more|again|ever)"

SURE: tuple[tuple[str, str], ...] = (
    ("stop_contact", rf"\b(?:stop|quit|cease|refrain from|desist from|avoid|knock off|lay off)\b (?:(?:it|and desist|from|with) )?{_FILLED}{_WRITING}\b(?! (?:him|her|them|it a|it an|my (?:ex|boss|landlord|tenant|employer|client|lawyer|attorney|brother|sister|neighbou?r|old)\w*))"),
    ("stop_getting", rf"\b(?:stop|quit) (?:getting|receiving|having) {_FILLED}(?:{_SENT}|contacted|texted|called|messaged|these|this|them|it|any)?{_TO_ITS_END}|\b(?:stop|quit) (?:getting|receiving) {_FILLED}{_SENT}\b"),
    ("stop_sending", rf"\b(?:stop|quit|cease|refrain from)\b (?:it )?{_FILLED}send(?:ing)?\b(?! (?:him|her|the (?!texts?|messages?|reminders?|sms)))"),
    ("end_messages", rf"\b(?:end|halt|discontinue|cancel|turn off|shut off|switch off|disable|kill) {_FILLED}(?:{_SENT.replace('|calls?', '')}|subscription)\b"),
    ("discontinue", r"\b(?:discontinue|cease|halt) (?:\w+ )?(?:them|this|these|it|that|all (?:contact|communications?)|contact|contacting|texting)\b"),
    ("do_not_contact", rf"\b(?:{_NOT}|no) (?:(?!forget|hesitate|mind|afraid|remember)\w+ ){{0,2}}?(?:text|message|contact|write|bother|spam|sms|reach out to|notify|email)\b {_ME}\b{_TIMES}"),
    ("do_not_contact", rf"(?<!did )(?<!could )(?<!will )(?<!have )(?<!had )(?<!would )\b{_NOT} (?:ever |please |be )?(?:text|message|contact|bother|email|disturb)(?:ed|ing)?(?: {_ME})?{_TO_ITS_END}"),
    ("do_not_contact", r"\b(?:not|never|dont want|do not want|no longer|rather not|prefer not|stop)(?: wish| want)? (?:to )?(?:be|being|get|getting) (?:texted|contacted|called|messaged|bothered|reminded|emailed|notified|spammed|harassed)\b(?! (?:by (?:him|her|them|the|my|his)|before|after|until))|\b(?:dont|do not|never) (?:use|reply to|respond to|write to|contact|bother) this (?:number|phone|line)\b"),
    ("do_not_contact", r"\bdo not disturb\b|\b(?:put|place) (?:me|us|this number|my number) on (?:your|the|a) (?:do not|dnc|no)\b|\bkeep (?:me|us|my number) off (?:your|the|any)\b"),
    ("do_not_call", rf"\b{_NOT} (?:(?!forget|hesitate)\w+ ){{0,2}}?call\b (?:or|and|nor) (?:text|message|email)\b|\b{_NOT} (?:text|message|email) (?:or|and|nor) call\b|\b(?:{_NOT}) (?:ever )?call (?:me|us|this number|here|my phone)(?: (?:again|anymore|any more|ever))+"),
    ("do_not_send", rf"\b(?:dont|do not|never|not) (?:\w+ )?(?:send|sending)\b (?:me |us |my \w+ )?{_FILLED}(?:{_SENT}|anything|nothing|links?|stuff|crap|anymore|again|any more|more|(?:it|them|that) (?:here|to this))\b(?! (?:documents?|forms?|papers?|copies|checks?|money|invoices?|bills?|by|to (?!this|me|us|my phone)|until))"),
    ("no_need", r"\b(?:no need to|no need for you to|not necessary to|unnecessary to|(?:dont|do not) (?:need|have) to) (?:keep )?(?:text|texting|message|messaging|remind|reminding|contact|send|sending|email) (?:me |us )?(?:me|us|these|any|more|reminders|texts)\b(?: anymore| any more)?(?! (?:it|that|the|when|if|a|an|to|back|your|my|until|tomorrow|again|at|on|by|about))"),
    ("no_more", rf"\bno (?:more|further|additional) (?:of )?{_FILLED}{_SENT}\b(?! from (?:him|her|them))"),
    ("unwanted", rf"\b(?:dont|do not|no longer|never|not) (?:really |even |actually )?(?:wish|want|need|like|care|wont|desire)(?:ing)? (?:for )?(?:(?:to|be|get|getting|receive|receiving|have|having|see|keep|any|you|guys|anyone|nobody) )*{_FILLED}(?:{_SENT}|(?:texted|contacted|messaged|emailed|called|bothered|reminded|notified|spammed)|(?:texting|messaging|contacting|writing|emailing) (?:me|us)|hear(?:ing)? (?:\w+ )?from (?:you|your|this|anyone))\b(?! (?:him|her|them|the|my|from (?:him|her|them|my))\b){_TIMES}"),
    ("rather_not", rf"\b(?:rather|prefer|like|ask|asking|request|requesting|appreciate it if you)(?: \w+){{0,3}}? (?:not|stop|didnt|dont|wouldnt)\b (?:to )?(?:(?:be|get|receive|have|getting|receiving|being|send|sending) )*{_FILLED}(?:{_WRITING}|contacted|texted|messaged|them|these|any)\b"),
    ("remove_me", r"\b(?:remove|take|drop|scratch|erase|get|unlist|delete|pull|cross|strike|keep) (?:me|us|(?:my|his|her|their|our)(?: (?!ex|old|brother as|sister as)\w+){0,2}? (?:number|phone|name|info|contact|email|cell)|(?:my|our) (?:mom|mother|dad|father|wife|husband|son|daughter|grandmother|grandma|parents)|this (?:phone number|cell phone|number|phone|cell)|\d{7,15}|it) (?:off|out|of|from)(?: of)?(?: (?:the|your|ur|this|that|all|any|these|those|future|every|of|my))*(?: \w+){0,3}? (?:lists?|system|database|records|texts?|messages?|messaging|texting|mailings?|thread|group text|contacts?|everything|sms|reminders?|alerts?|notifications?)\b"),
    ("remove_me", rf"\b(?:remove|delete|unsubscribe) (?:me|us){_TO_ITS_END}|\btake (?:me|us|my number|this number) off{_TO_ITS_END}|\b(?:be|get|been|being) (?:removed|deleted|taken (?:off|out)|unsubscribed|dropped)(?: (?:off|from|of|out))*(?: (?:the|your|this|these|all|any))+ (?:\w+ ){0,2}?(?:lists?|system|service|texts?|messages?|reminders?|texting|mailings?|alerts?|database|everything)\b|\btaken off (?:the|your|this) (?:\w+ )?list|\bremove (?:me|us|this number) from (?:this|these|your \w+)$"),
    ("remove_number", r"\b(?:remove|delete|lose|erase|forget|scratch|block) (?:my (?!old|previous|former)(?:\w+ )?(?:number|phone|contact|digits|info|information|details)\b(?! (?:to|with|on the|and (?:add|put|use)))|this (?:phone |cell )?number|the number)"),
    ("unsubscribe", r"\b(?:un ?sub?s?c?ri?be?|unsubscribing|unsuscribe|de ?subscribe|unenroll|disenroll|unregister|deactivate)\b(?! (?:by|link|button|page|option|from (?:my|the|a|another|his|her) (?!texts?|messages?|list|reminders)))|\bun ?subscribed (?:me|us)\b|\bun ?subscribed (?:from )?(?:already|twice|before)\b"),
    ("opt_out", rf"\bopt(?:ing|ed)? (?:me |us |this number |my number )?out\b(?! (?:forms?|clause|option|period|deadline|notice|letter|rights?|provision)\b)(?! of (?!{_FILLED}(?:{_WRITING}|everything|it|this|these|them|that|all|receiving|getting|being)))"),
    ("leave_alone", r"\bleave (?:me|us|my \w+) (?:(?:\w+ ){0,2}?alone(?! with)|be)\b|\bleave this (?:number|phone|line) alone\b"),
    ("go_away", rf"{_OPENING}(?:go away|get lost|piss off|f+(?:u+c?k?)? ?off|fuck off|fuck you|buzz off|back off|bug off|screw you|f you)\b"),
    ("wrong_number", rf"{_OPENING}(?:but |i think |i believe |you have |you got |youve got |you texted |you called |you are texting |you reached |youve reached |have |got |a |texted )*(?:the )?(?:wrong|incorrect) (?:number|person|phone|guy|lady|man|woman|contact|people|family|house)\b(?! (?:on|for|in|was|at|listed|to|is on))|\bwrong number (?:texts?|messages?|calls?)\b|\bnot the (?:right|correct) (?:person|number|phone)\b"),
    ("wrong_number", r"\b(?:you|youve|we|they)(?: \w+){0,4}? (?:the|a) wrong (?:number|person|guy|phone|lady|man|woman|contact)\b(?! (?:on|for|in|to)\b)"),
    ("revoke_consent", r"\b(?:revok\w+|withdraw\w*|rescind\w*|retract\w*|cancel\w*) (?:\w+ ){0,2}?(?:consent|permission|authori[sz]ation|subscription)\b(?: (?:to|for) (?:be|being|receive|receiving|get|getting|\w+ )?(?:\w+ ){0,2}?(?:text|call|contact|message)\w*|(?: \w+){0,2}$)"),
    ("no_consent", r"\b(?:do not|dont|did not|didnt|never) (?:\w+ )?(?:give (?:you )?(?:permission|consent)|gave (?:you )?(?:permission|consent)|consent|consented|agree to (?:this|these|be|receiv\w+|get\w*)|agreed to (?:this|these|be|receiv\w+|get\w*)|subscribed?|gave you permission|give you permission|opted in)\b"),
    ("no_consent", rf"\b(?:did not|didnt|never) (?:\w+ )?(?:sign(?:ed)? up|ask(?:ed)?|request(?:ed)?|authori[sz]ed?)(?: (?:for|to (?:get|receive|be)))?(?: {_FILLED}(?:{_SENT}|texted|contacted|this|these|it|anything|any|crap|shit|stuff|you)\b|{_TO_ITS_END})(?! (?:form|option|service|meeting|plan|class))"),
    ("no_consent", r"\bwho (?:gave|told) you (?:\w+ )?(?:permission|you could|(?:my|this) (?:phone )?number)"),
    ("do_not_call_list", r"\b(?:do not|dont) (?:call|contact|text) (?:list|registry)\b"),
    ("enough", r"\benough (?:with |of )?(?:the |these |this |your |already )*(?:\w+ )?(?:texts?|messages?|texting|messaging|spam|reminders|emails)\b"),
    ("harassment", r"\b(?:you|this office|your (?:office|firm|company)|you people)(?: \w+){0,3} (?:harassing|spamming|bothering|pestering|stalking) (?:me|us)\b"),
)  # fmt: skip

MAYBE: tuple[tuple[str, str], ...] = (
    ("stop_alone", rf"{_OPENING}(?:stop|stahp|cease|quit|no more|enough|leave it|drop it)(?: (?:it|with|all|this|that|these|them|everything|all of (?:it|this|them)|doing (?:this|that)|the|me|right now|at once|ffs|i mean it|i said|for gods sake|contact|here|{_FINE})){{0,8}}$"),
    ("stop_at_end", rf"^(?!(?:did|does|when|how (?!do i (?:get|make) )|will|where|is|has|why|which|should|shall)\b).*(?<!\bbus)(?<!\bpit)(?<!\bthe)(?<!\ba)(?<!\bnext)(?<!\blast)(?<!\bfirst)(?<!\bone)(?<!\bfull)(?<!\btruck)(?<!\brest)(?<!\bshort)(?<!\bnon)(?<!\bdoor)(?<!\bmy)(?<!\btrain)(?<!\bmetro)(?<!\bwont)(?<!\bcant)(?<!\bcouldnt)(?<!\bdoesnt)(?<!\bnot)(?<!\bdont)(?<!\bdidnt)(?<!\btraffic)(?<!\bquick)(?<!\bpay)(?<!\bsupport) (?:stop|stopped|cease)(?: (?:them|it|this|these|that|with|all|of|doing|{_FINE})){{0,8}}$"),
    ("stop_already", r"\bwhat part of (?:stop|no|leave)\b|\bhow many times (?:do|must|have|did) (?:i|we)\b|\bi (?:said|already said|asked you to|told you to) (?:stop|quit)\b|\bmake (?:it|this|these|them|that|the \w+|the text messages?) (?:to )?(?:stop|end)\b|\b(?:want|need|like|love|ask|asked|asking|told|tell|make|made|wish|please|can|could)\b.* (?:that|this|these|it|them|you|messages|texts|of it|of this|of these) (?:to )?(?:end|stop)$"),
    ("asked_before", r"\b(?:i|we|ive|weve) (?:have )?(?:already )?(?:asked|told|requested|begged)(?: (?!him|her|them|my)\w+){0,5}? (?:to (?:stop|quit|not|take|remove|be removed)|stop)\b"),
    ("why", r"\bwhy (?:are|do|did|is|does|would) (?:you|you all|your \w+|this office) (?:\w+ )?(?:keep|still|texting|messaging|contacting|bothering|spamming)\b|\bwhy am i (?:still |even |always )?(?:getting|receiving) (?:these|this|your|text|so many|messages)"),
    ("unwelcome", rf"\b{_SENT} (?:are|is|arent|isnt) (?:not |no longer )?(?:ok|okay|welcome|wanted|needed|necessary|appropriate|acceptable|required|allowed|unwanted|unwelcome)\b"),
    ("wrong_one", r"(?:\b(?:you|youve|you have) (?:got|have|texted|reached)|^(?:\w+ )?(?:this is|thats|that is|its)) the wrong (?!(?:lawyer|attorney|date|time|address|document|documents|file|form|amount|year|day|email|copy|version|page|case|idea|impression|attachment|figure|total|price|county|court|spelling|one|info|information|account|number|person|name|birthday|social|month|car|house)\b)\w+$"),
    ("remove_it", r"\b(?:number|phone|line|cell)\b.* (?:remove|delete) (?:it|this|me)\b|\b(?:dont|do not) (?:want|wish|need) to be (?:on|in|part of) (?:this|your|the|any) (?:\w+ )?(?:list|system|database|thread|chat)"),
    ("stop_doing", r"\b(?:stop|quit) \w+ing (?:me|us)\b(?! (?:from|if|when|at the|on the|an?|the|my|in))"),
    ("stop_them", rf"\b{_SENT}\b.* (?:stop|cancel|end|discontinue|quit|disable) (?:them|these|it)\b"),
    ("dislike", rf"\b(?:hate|dislike|resent|cant stand|dont (?:really )?(?:like|appreciate|care for)|do not (?:like|appreciate|care for)|not happy (?:with|about)|annoyed (?:by|with|at)) (?:getting |receiving |being )?{_FILLED}(?:{_SENT}|texted|messaged|contacted|spammed)\b"),
    ("cut", rf"\b(?:cut|drop|lose|ditch|skip|kill|never mind|nevermind|forget|hold) (?:out )?(?:(?:the|these|your|all|out|with) )+{_SENT}\b"),
    ("be_removed", rf"\b(?:be|get|been|being) (?:removed|deleted|unsubscribed|taken off){_TO_ITS_END}"),
    ("not_at_this_number", r"\b(?:no longer|not|isnt|doesnt|never|nobody|dont|hasnt)(?: \w+){0,3}? (?:has|have|had|own|owns|use|uses|at|on|reach\w*|with) this (?:number|phone|cell)\b"),
    ("turn_off", rf"\bturn (?:these|this|them|it|that|the \w+|all) (?:\w+ )?off{_TO_ITS_END}"),
    ("want_out", rf"{_OPENING}(?:i |we )?(?:want|need|let me|get me|count me|leave me) (?:to get )?out(?: of (?:this|these|it|here))?{_TO_ITS_END}"),
    ("no_texts", rf"\b(?:only|prefer|instead|rather)\b.*\b(?:no|not|instead of|rather than|over|without) (?:by |via |with )?{_SENT}\b|\b(?:send|mail|email|call|phone|letters?|mail|calls?)(?: \w+){{0,4}} (?:instead of|rather than|not by|no longer by) (?:texts?|texting|sms|messages?|text messages)\b"),
    ("channel_only", r"\b(?:dont|do not|no|rather not|prefer not(?: to)?) (?:do |use |like |read )(?:text|texts|texting|sms)\b|\b(?:dont|do not) text\b(?! (?:him|her|them|my|while|and|until|before|after|during|it|that))"),
    ("not_interested", rf"{_OPENING}(?:im |i am |we are |were )?(?:\w+ )?(?:not|no longer|never) (?:\w+ )?interested\b(?! (?:in (?!your|any|this$|these|hearing|getting|receiving|it$|what you|talking|services|anything|being)|party|parties|person))"),
    ("report", r"\b(?:reporting|report|reported) (?:you|this number|your|as (?:spam|junk|scam)|to (?:the )?(?:fcc|ftc|bar|state bar|att?orney general|police for))\b|^reported$|\bill report\b|\b(?:fcc|ftc|tcpa)\b|\b(?:sue|suing) (?:you|your)\b|\b(?:take|taking) you to court\b"),
    ("block", r"(?:^|\b(?:i|im|am|ill|will|gonna|going to|just|have|ive|and|or|please) )(?:blocking|blocked|block) (?:you|your|this (?:number|sender))\b(?! (?:the|number of|party))|^(?:please )?block (?:me|my number)\b|^(?:you are |this number is |number )?blocked$"),
    ("spam", r"(?<!is )\b(?:this|these|it|thats|that|your texts|all this) (?:is|are)? ?(?:just |pure |total |nothing but |all )?(?:spam|junk|harassment|harassing|a scam)\b(?! folder)|^(?:spam|scam|junk|scammers?|spammers?|harassment|spam spam)$|(?<!a )(?<!the )(?<!of )\bcease and desist\b(?! (?:letter|order|notice))"),
    ("threat", r"\b(?:text|message|contact|call|email|bother) (?:me|us|this number) (?:again|one more time|once more)(?: and\b| or\b|$)|\bif (?:you|i) (?:ever )?(?:text|message|contact|call|email|get|receive)(?: \w+){0,2} (?:again|one more|another)\b|\bone more (?:text|message) (?:and|from you)\b|\bhear from my (?:lawyer|attorney)\b"),
    ("tired", r"\b(?:tired|sick|fed up|over it)(?: and tired)? (?:with|of|getting|receiving) (?:(?:you|these|this|your|all|the|getting|receiving|constant|being|automated|so|many) )*(?:you|texts?|text messages?|messages?|texting|texted|bothered|reminders|people|spam|these)\b|\b(?:tired|sick|fed up) (?:of|with) (?:this|it)$|\bdone with (?:you|these (?:texts?|messages?)|your (?:texts?|messages?|firm|office|company))\b"),
    ("shut_up", r"\bshut up\b|\bknock it off\b|\bcut it out\b|\bgive it a rest\b|\benough (?:already|is enough)\b|\bget off my phone\b"),
    ("who_is_this", r"\b(?:dont|do not|never) (?:know|knew|recogni[sz]e|heard of) (?:you$|you or|who (?:you|this)|who \w+(?: \w+)? is$|this number|any \w+|your (?:office|firm|company)|anyone named|a \w+$|that (?:person|name))\b|\bwhere did you get (?:my|this) (?:number|info)|\bhow (?:did|do) you (?:get|have) (?:my|this) (?:number|info)"),
    ("never_had", r"\b(?:dont|do not|never|didnt|havent) (?:even )?(?:have|had|hire|hired|used|use|need|contacted|know) (?:a|an|any|your|you guys|your) ?(?:lawyer|attorney|law ?firm|firm|accountant|notary|case|office|services?|company|business)?$"),
    ("not_client", r"\b(?:im|i am|we are|were|she is|he is|shes|hes) (?:not|no longer) (?:your|a|the|their|one of your) (?:\w+ )?(?:clients?|customers?)\b|\b(?:not|no longer) (?:your|a) (?:client|customer|patient)\b|\b(?:no longer|not) (?:being )?represented by you\w*|\b(?:you are|youre|is|are) (?:not|no longer) (?:my|our) (?:lawyer|attorney|accountant|notary|bookkeeper|cpa|firm)\b|\bi fired (?:you|your)\b|\b(?:have|hired|found|got|using|went with|chose|retained|switched to)(?: \w+)? (?:another|a different|a new|new|someone else|somebody else|other)(?: \w+)?(?: (?:lawyer|attorney|notary|firm|accountant|bookkeeper|cpa|preparer))?\b(?=.*\b(?:stop|remove|no need|dont|no more|take)\b)"),
    ("not_this_person", r"\b(?:this is not|this isnt|isnt|not) (?!my|your|our|the|his|her)\w+s (?:number|phone)\b|\b(?:not|no longer|isnt) (?:my|the|his|her|their|\w+s) (?:right |correct )?(?:number|phone|cell)\b(?! (?:bill|plan|company|records?|case|contract))|\bthis (?:number|phone) (?:is not|isnt|doesnt belong to|does not belong to) (?!right|correct|working|in service|on|valid|listed|available|for|the one on|saved)\w+|\b(?:no one|nobody|noone|no such person|no \w+)(?: is| lives)?(?: here)? (?:by|with|named|called|at|on|of) (?:that name|this name|this (?:number|phone)|that (?:number|phone))\b|\b(?:no one|nobody|noone)(?: is| lives)? here (?:by|with|named|called)\b|\b(?:no one|nobody|noone) (?:named|called) \w+(?: here)?$|\btheres? (?:is )?no \w+ (?:here|at this|on this)|\bthere is no \w+ (?:here|at this (?:number|phone)|on this)|\b(?:number|phone) (?:belongs to|is) (?:someone|somebody|another|a different)\b|\b(?:new owner|not the owner) of (?:the|this) (?:number|phone)\b|\bjust got this (?:number|phone)\b|\bnot (?:who|the (?:person|one|guy|lady)|whom) (?:you|youre|you are)\b|\b(?:looking for|trying to reach|reach|want|mean|texting|meant for) (?:someone|somebody) else\b|\b(?:isnt|not|not for|doesnt live|no longer lives?) (?:\w+ )?(?:here|at this number) (?:anymore|any more)\b"),
    ("not_me", r"^(?:\w+ )?(?:this (?:is not|isnt)|im not|i am not|not) (?:mr |mrs |ms |miss |dr )?(?!sure|ready|able|here|there|going|available|feeling|done|finished|home|well|yet|a|an|the|my|in|at|it|that|working|what|too|really|now|today|happy|free|good|interested|until|so|on|from|as|right|very|bad|only|this|any|anymore|getting|paying|comfortable|certain|allowed|much|enough|your|complete|correct|fair|possible|necessary|urgent|important|signed|mine|ok|okay|true|all|currently|quite|receiving|to|for|if|married|employed|driving|with|asking|trying|saying|looking|coming|signing|clear|out)[a-z]+(?: [a-z]+)?$"),
    ("not_my_name", r"\bmy name (?:is not|isnt) (?!spelled|on|in|correct|right|listed|there|showing)\w+(?: \w+)?$"),
    ("too_many", r"\b(?:too many|way too much|so many|so much|constant|nonstop|non stop|endless) (?:\w+ )?(?:texts?|messages?|reminders?|texting|messaging|spam|emails)\b|\b(?:text|texting|message|messaging|contact|write|send)(?:ing)? (?:me |us )?(?:way+ |far )?too (?:much|often|early|late|many)\b|\beasy (?:with|on) the (?:texts?|messages?|texting|reminders)\b"),
)  # fmt: skip

PARTS: tuple[tuple[str, str], ...] = (
    ("stop_part", rf"^(?:(?:please|so|and|just|kindly|no|but) )*(?:stop|quit it|stop it|unsubscribe|opt out|remove me|take me off|leave me alone|cease|quit texting|go away|lose my number){_TO_ITS_END}"),
    ("wrong_number", rf"^(?:(?:sorry|but|so|its|the|its the|you have the|you have|you got the) )*wrong (?:number|person|phone){_TO_ITS_END}"),
    ("no_texts", r"^(?:(?:please|and|so|but|just) )*no (?:more |further |text |sms |automated |please )*(?:texts?|texting|messages?|messaging|sms|notifications|reminders|spam|alerts)\b(?! (?:from|needed|necessary|for|yet|today|tomorrow|came|arrived))"),
    ("no_contact", rf"^(?:(?:please|and|so|but|just) )*(?:no|zero) (?:more |further |additional )*(?:contact|communications?){_TO_ITS_END}"),
    ("not_interested", rf"^(?:(?:im|i am|we are|sorry|thanks|but|still) )*not (?:at all )?interested{_TO_ITS_END}"),
    ("remove", r"^(?:(?:please|so|kindly|just) )*(?:remove|delete|take off|take (?:me|us|it|my \w+|this \w+|our \w+) off)(?: me| us| my number| this number)?(?: please| thanks| thank you)*$"),
)  # fmt: skip

UNRELATED = (
    # stop, quit, end and cancel with another object
    r"\b(?:stop(?:ped|ping|s)?) (?:by|in|at|over|off|on|payments?|working|work|smoking|paying|there|light|sign|signs|watch|"
    r"loss|gap|and go|here (?:and|at|for)|short)\b|\b(?:bus|truck|traffic|pit|full|next|first|last|train|metro|short|non|"
    r"door|rest) stops?\b"
    rf"|\bstop (?:the|my|a|his|her|their|our|using|taking|seeing|going|driving|coming|being)\b(?! (?:(?:{_FILLED}))?(?:\w+ )?{_WRITING}\b)"
    r"|\b(?:quit|quitting) (?:my|the|his|her|your|a)? ?(?:job|claim|smoking|work|position|drinking)\b|\bquit ?claim\b|\bnotice to quit\b"
    r"|\bcancel\w* (?:my|the|our|this|that|todays|tomorrows|his|her|an|a) (?:\w+ )?(?:appointment|meeting|consultation|call|"
    r"visit|hearing|order|card|policy|insurance|contract|signing|wire|check|reservation|lease|membership)\b"
    r"|\b(?:revok\w+|withdraw\w*) (?:\w+ ){0,2}?(?:power of attorney|poa|will|trust|offer|license|probation|plea|petition|motion)\b"
    # somebody speaks of the opposite
    r"|\b(?:dont|do not|never|please dont|didnt|did not|not (?:asking|telling) you to) (?:\w+ )?(?:stop|quit|unsubscribe|opt out|cancel)\b(?: \w+){0,2}"
    r"|\b(?:accidentally|by accident|by mistake|mistakenly) (?:\w+ )?(?:unsubscribed?|opted out|stopped)\b|\b(?:unsubscribed|opted out|texted stop|said stop|replied stop) (?:by (?:accident|mistake)|accidentally)\b"
    r"|\b(?:wont|will not|cant|cannot|doesnt|couldnt) stop\b (?!text|messag|send|contact|call)"
    r"|\bhow (?:do|can|would|should) (?:i|we) (?:\w+ ){0,2}?(?:know|tell|stop (?:the|my|a) \w+)"
    # a number or a document that is wrong elsewhere
    r"|\b(?:gave|give|entered|put|wrote|typed|had|listed|used|sent (?:it|that)? ?to|has) (?:\w+ ){0,4}?wrong (?:\w+ )?(?:number|phone|person)\b"
    r"|\bwrong (?:\w+ )?(?:number|phone|person) (?:on|for|in|was|at|listed|is on)\b"
    # what did not arrive
    r"|\b(?:dont|do not|didnt|did not|cant|couldnt|cannot|not|havent|never) (?:get|got|receive|received|getting|see|open|have|had|find|receiving) (?!any more|anymore|these)(?:\w+ ){0,3}?(?:texts?|messages?|emails?|reminders?|notifications?|calls?|alerts?|updates|sms)\b(?! (?:anymore|any more|from you))"
    r"|\b(?:dont|do not|didnt) (?:need|have|want) (?:to )?(?:an? |any )?(?:call|write|email|bother|contact|message)\b(?! (?:me|us|from|s\b))"
    r"|\b(?:spam|junk) (?:folder|filter|box|mail)\b|\bis (?:this|it|that) (?:a )?(?:spam|scam)\b|\bpolice report\b"
    r"|\breport\w* (?:it|the|this|that|my|an)(?: \w+){0,2}? ?(?:accident|police|claim|injury|incident|crash|insurance|income|taxes?)\b"
    r"|\b(?:deadline|form|letter|rights?|chance|option|time|date|window) (?:to|for|of) opt(?:ing)? out\b|\bopt(?:ed|ing)? out of (?:the|this|a|my|that) (?:\w+ )?(?:class|settlement|action|plan|program|arbitration|lawsuit|trust|mediation|hearing|insurance|benefits?)\b"
    r"|\b(?:no longer|not) interested in (?:the|that|my|his|her|buying|selling|renting|a) \w+"
    r"|\b(?:dont|do not|never|please dont|not) (?:\w+ )?(?:contact|call|text|email|write|bother|message) (?:my|his|her|their|the|him|them|our)(?! (?:phone|cell|number|line|inbox))\b"
)

_THEM = (
    r"(?:he|she|they|ex|(?:the|my|his|her|their|this|that|a|another|other|some|debt) (?:\w+ ){0,2}?(?:adjuster|insurance|"
    r"collectors?|creditors?|bank|landlord|company|agency|lawyer|attorney|side|driver|party|boss|employer|neighbou?r|husband|"
    r"wife|ex|tenant|seller|buyer|contractor|brother|sister|father|mother|son|daughter|people|guy|man|woman|doctor|hospital|"
    r"lender|scammer|caller|defendant|plaintiff)|(?:debt |bill )?collectors?|creditors|scammers|telemarketers|somebody|someone)"
)
_PESTERS = r"(?:text|call|messag|contact|harass|bother|threaten|spamm|email|stalk)"
OTHERS = (
    rf"\b{_THEM} (?:\w+ ){{0,2}}?(?:(?:is|are|was|were|has|have|been|keeps?|kept|started|starts|just|wont stop|doesnt stop|never stops?|"
    rf"wont quit|didnt stop|stops|stopped|by|continues? to|always|still) (?:been |now )?{_PESTERS}\w*|{_PESTERS}\w*s (?:me|us)\b|"
    rf"(?:told|asked|tells|asks|wants|violated|said)\b|{_PESTERS}ed (?:me|us)\b)"
    rf"|\b(?:hes|shes|theyre) (?:\w+ )?{_PESTERS}ing\b"
    r"|\b(?:told|tell|asked|ask|telling|asking|get|make|want|order(?:ed)?) (?:him|her|them|my \w+|the (?!receptionist|secretary|office|assistant|paralegal|lady|girl|staff|front|clerk|woman)\w+) (?:to |not to )"
    r"|\b(?:restraining|protective|protection|no contact) order\b"
)
"""The sender speaks of somebody else's calls and texts: a matter for the case, not a word to us."""
