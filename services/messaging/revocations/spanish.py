"""Spanish sentences that revoke. The text is normalised: lower case, no accents, no punctuation."""
# ruff: noqa: E501 - one rule a line reads better than a rule in pieces

from __future__ import annotations

_ESCRIBIR = (
    r"(?:escrib\w+|mensaj\w+|text(?:o|os|ear|een|ees|eando|ee|earme|iar|ien)|mand\w+|envi\w+|llam\w+|molest\w+|contact\w+|notific\w+|"
    r"recordatorios?|avis(?:en|os|es|ar)|fastidi\w+|mensages?|acos\w+|chinga\w*|fregar|fregando|jod\w+|hostig\w+|correos?|spam|sms)"
)
_NO_ESCRIBA = (
    r"(?:escrib(?:a|an|as|ir\w*|iendo)|mensaj\w+|text(?:o|os|een|ees|ee|ear(?:me|nos|le|les|te)?|eando|ien|eo)|mand(?:e|en|es|ar(?:me|nos|le|les|te)?|ando)|"
    r"envi(?:e|en|es|ar(?:me|nos|le|les|te)?|ando)|llam(?:e|en|es|ar(?:me|nos|le|les|te)?|ando|adas?)|molest(?:e|en|es|ar(?:me|nos|le|les|te)?|ando)|"
    r"contact(?:e|en|es|ar|arme|ando)|notifi(?:que|quen|car(?:me|nos|le|les|te)?|caciones)|recordatorios?|avis(?:en|os|es)|fastidi\w+|"
    r"acos\w+|chingu\w+|frieg\w+|jod\w+|hostig\w+|correos?|spam|sms|mensages?)"
)
_ABRE = (
    r"^(?:(?:por favor|favor|ya|oiga|oigan|oye|que|hola|buenos dias|buenas tardes|buenas noches|buenas|disculpe|disculpen|"
    r"perdon|perdone|senores|senor|senora|no|gracias|si|muchas gracias|le pido|les pido|de|le ruego|ahora|pues|bueno) ){0,8}"
)

SURE: tuple[tuple[str, str], ...] = (
    ("es_stop_contact", rf"\b(?:dej\w+|par(?:a|e|en|ar|enle|ele)|bast\w+|ces\w+|termin(?:e|en)|alto)\b (?:ya )?(?:de|a|con) (?:(?:estar|recibir|me|le|les|los|las|sus|estos|esos|tantos|mas|mis|este|numero) ){{0,6}}{_ESCRIBIR}|\b(?:paren|basta|detengan|suspendan) (?:ya )?(?:los|sus|estos|esos) {_ESCRIBIR}"),
    ("es_do_not", rf"\b(?:no|nunca|tampoco)\b (?:(?:que|me|nos|mas|vuelvan? a|vuelvas a|sigan|siga|esten|este|quiero|deseo|necesito|recibir|recibo|seguir|recibiendo|estar|sus|tus|esos|estos|los|las|ningun|tantos|de|estoy interesad[oa] en) ){{1,8}}(?:{_NO_ESCRIBA})\b"),
    ("es_do_not", r"\b(?:no|nunca)\b (?:escriban|escribir|manden|mandar|envien|enviar|llamen|llamar|molesten|molestar|contacten|contactar|texteen|textear)(?: (?!este)\w+)?(?:$| (?:mas|mensaj\w+|textos?|sms|a (?:este|mi)|este (?:numero|telefono)|por favor|nada)\b)|\b(?:no|nunca)\b (?:escriba|mande|envie|llame|moleste) (?:\w+ )?(?:mas|mensajes|textos|sms|a este)\b|^(?:por favor )?no (?:molest(?:e|en|ar)|escrib(?:a|an))(?: (?:mas|por favor|gracias|ya))*$"),
    ("es_no_more", rf"\b(?:no mas|ya no|ni un)\b (?:\w+ ){{0,3}}?{_ESCRIBIR}"),
    ("es_unsubscribe", r"\b(?:dar(?:me|nos|se)?|deme|denme|doy|dame|den) (?:me )?de baja\b|\bdesuscrib\w+|\bdesubscrib\w+|\b(?:cancel|anul)\w+ (?:la |mi |mis |los |estos |sus )*(?:suscripcion|subscripcion|mensajes|textos|avisos|recordatorios)\b"),
    ("es_remove_me", r"\b(?:quit|borr|elimin|sa[cq]u?)\w*(?:me|nme|n)? (?:me )?(?:de (?:la|su|sus|esta) lista|mi (?:numero|telefono|celular)|este (?:numero|telefono)|de ahi|de (?:sus|los) (?:mensajes|contactos|textos))|\b(?:quitar|borrar|sacar|eliminar)(?:me|nos)? (?:\w+ )?de (?:la|su|sus|esta|esa) lista|\bquiten (?:mi|este)|^(?:por favor )?(?:quitenme|borrenme|eliminenme|saquenme|quiteme|borreme|elimineme|saqueme)\b"),
    ("es_leave_alone", r"\bdej\w+ (?:me )?(?:en paz|tranquil\w+)\b"),
    ("es_wrong_number", rf"{_ABRE}(?:\w+ ){{0,3}}?(?:numero|telefono) (?:equivocado|incorrecto|errado)\b|\bse (?:ha |han )?equivoc\w+ (?:de|el) (?:numero|persona)\b|\bpersona equivocada\b|\beste no es el (?:numero|telefono)\b|^(?:\w+ )?(?:esta|estan) equivocad[oa]s?\b|^(?:numero |persona |esta )?equivocad[oa]$|\bya no (?:tiene|usa|es de) este (?:numero|telefono|celular)\b"),
    ("es_no_consent", r"\b(?:no|nunca|jamas) (?:le |les )?(?:di|doy|autori\w+|acepte|firme|pedi) (?:mi |su |el |ningun )?(?:permiso|consentimiento|autorizacion|estos|este|recibir)\b|\b(?:revoco|retiro) (?:mi|el) (?:consentimiento|permiso)\b"),
)  # fmt: skip

MAYBE: tuple[tuple[str, str], ...] = (
    ("es_not_interested", r"\bno (?:me|nos) interesa\b(?! (?:ese|esa|el|la|ir|comprar|vender|hablar con) ?\w*)|\bno estoy interesad[oa]\b(?! en (?:el|la|ese|esa))"),
    ("es_stop_alone", rf"{_ABRE}(?:basta|paren?|parenle|parele|para|alto|detengan(?:se)?|detente|no mas|ya no|dejen?|dejame|dejenme|ya estuvo|suficiente)(?: (?:ya|por favor|esto|eso|de esto|gracias|con esto|con eso))*$"),
    ("es_not_me", r"\bno (?:soy|es) (?:la|el|esa|ese) (?:persona|senora?|senorita|cliente)\b|^(?:\w+ )?(?:yo )?no soy (?!ciudadan\w*|casad\w*|solter\w*|residente|duen\w*|el|la|una?|muy|tan|buen\w*|segur\w*|expert\w*|capaz|de|menor|mayor|quien|legal|divorciad\w*|su|mexican\w*)[a-z]+(?: [a-z]+)?$|\bno (?:lo|la|los|le) conozco\b|\bno (?:conozco|conocemos) (?:a )?(?:esa|ese|ningun\w*|nadie|esta|este)\b|\bno conozco a\b|\b(?:numero|telefono|celular) (?:ya )?no es (?:de|mio|suyo)\b|\bno es mi (?:numero|telefono|celular)\b|\bya no es (?:su|el) (?:numero|telefono)\b|\baqui no (?:vive|hay)\b"),
    ("es_why", r"\bpor ?que me (?:siguen |estan )?(?:escrib|mand|envi|molest|llam|text)\w*"),
    ("es_nothing", r"\b(?:no quiero (?:saber )?nada (?:de|con) ustedes|nada de (?:mensajes|textos)|no molest(?:ar|en|e|es)|no autorizo|ya les dije que (?:no|paren|dejen))\b"),
    ("es_report", r"\b(?:denunci(?:ar|are|arlos|o)|demand(?:ar|arlos|are)) ?(?:a ustedes|los|si)?\b(?=.*\b(?:escrib|mand|envi|llam|molest|texte|mensaj))|\blos voy a (?:demandar|denunciar|reportar|bloquear)\b|\b(?:es|esto es) (?:acoso|spam|una estafa)\b|\blos (?:bloqueo|bloquee|reporto)\b"),
    ("es_stop_wish", rf"\b(?:quisiera|quiero|gustaria|pido|ruego|favor|agradeceria)\b.*\b(?:dejaran|dejen|paren|pararan|no)\b (?:de )?(?:\w+ )?{_ESCRIBIR}"),
    ("es_still", rf"\b(?:por que|porque|xq) (?:me )?(?:siguen|sigue)\b(?: \w+)? {_ESCRIBIR}"),
    ("es_other_lawyer", r"\bya (?:no soy (?:su )?cliente|tengo otr[oa] (?:abogad[oa]|notari[oa]|contador\w*))\b"),
)  # fmt: skip

PARTS: tuple[tuple[str, str], ...] = (
    ("es_wrong_number", r"^(?:(?:es|el|un|tiene|disculpe|perdon) )*numero equivocado(?: gracias| por favor)*$"),
    ("es_stop_alone", r"^(?:(?:ya|por favor|que) )*(?:basta|alto|paren|parenle|dejenme en paz|no molesten)(?: (?:ya|por favor|gracias))*$"),
    ("es_not_interested", r"^(?:(?:gracias|pero|disculpe) )*no (?:me|nos) interesa(?: gracias)?$"),
)  # fmt: skip

UNRELATED = (
    r"\bno (?:dejen?|paren?) de\b|\bno (?:me )?(?:quiten|den de baja|borren)\b|\bno (?:deja|dejan|para|paran) de \w+"
    r"|\b(?:no|ya no|aun no|todavia no) (?:me |nos |he |ha |hemos |han |le |les )*(?:recibi|recibio|recibo|recibimos|recibido|llego|llega|llegado|llegan|llegaron|encuentro|puedo|pude|tengo|se como|se si|abre|funciona)(?: \w+){0,6}"
    r"|\bno (?:se|le|les) (?:mand|envi)(?:e|o|aron|amos|aba)\b|\bno (?:mande|envie|pude enviar|he enviado|he mandado|pude mandar|les mande|les envie)$"
    r"|\b(?:cancel\w+) (?:la|mi|una|esa|nuestra) cita\b"
    r"|\b(?:puse|di|escribi|anote|pusieron|tenia|tienen|dieron|esta) (?:\w+ ){0,2}?numero (?:equivocado|incorrecto) (?:en|de)\b"
    r"|\bno (?:\w+ )?(?:llam\w+|escrib\w+|contact\w+|mand\w+|envi\w+) (?:\w+ ){0,3}?(?:a|al) (?!este|mi (?:numero|telefono|celular)|esta|mi$)(?:mi )?\w+"
    r"|\bparada\b|\bpara (?:el|la|los|las|que|mi|cuando)\b|\bplanta baja\b|\b(?:esta|estaba) (?:dad[oa] )?de baja\b"
)
OTHERS = (
    r"\b(?:mi ex|el cobrador|los cobradores|la aseguradora|el seguro|el banco|mi jefe|el dueno|el casero|el|ella|ellos|mi esposo|mi esposa|la otra parte|"
    r"el abogado de|su abogado|un senor|una senora|alguien|la compania|mi vecino) (?:\w+ ){0,2}?(?:no deja|no para|sigue|siguen|me (?:manda|llama|escribe|acosa|molesta|amenaza)\w*|dejo|quiere)\b"
)
