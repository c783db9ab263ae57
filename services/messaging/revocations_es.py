"""Spanish sentences that revoke. The text is normalised: lower case, no accents, no punctuation."""

from __future__ import annotations

_ESCRIBIR = (
    r"(?:escrib\w+|mensaj\w+|text(?:o|os|ear|een|ees|eando|ee|earme|iar|ien)|mand\w+|envi\w+|llam\w+|molest\w+|contact\w+|notific\w+|"
    r"recordatorios?|avis(?:en|os|es|ar)|fastidi\w+|mensages?|acos\w+|chinga\w*|fregar|fregando|jod\w+|hostig\w+|correos?|spam|sms)"
)
_ABRE = (
    r"^(?:(?:por favor|favor|ya|oiga|oigan|oye|que|hola|buenos dias|buenas tardes|buenas noches|buenas|disculpe|disculpen|"
    r"perdon|perdone|senores|senor|senora|no|gracias|si|muchas gracias|le pido|les pido|de|le ruego|ahora|pues|bueno) )*"
)

SURE: tuple[tuple[str, str], ...] = (
    ("es_stop_contact", rf"\b(?:dej\w+|par(?:a|e|en|ar|enle|ele)|bast\w+|ces\w+|termin(?:e|en))\b (?:ya )?(?:de )?(?:estar )?(?:\w+ ){{0,2}}?{_ESCRIBIR}"),
    ("es_do_not", rf"\b(?:no|nunca|tampoco)\b (?:quiero |deseo |necesito |estoy interesad[oa] en )?(?:que )?(?:me |nos |le |les |mas |recibir |recibo |vuelvan a |vuelva a |vuelvas a |sigan |siga |esten |este |quiero |deseo |seguir |recibiendo |estar )*(?:mas )?(?:{_ESCRIBIR})"),
    ("es_no_more", rf"\b(?:no mas|ya no|ni un)\b (?:\w+ ){{0,3}}?{_ESCRIBIR}"),
    ("es_unsubscribe", r"\b(?:dar(?:me|nos|se)?|deme|denme|doy|dame|den) (?:me )?de baja\b|\bdesuscrib\w+|\bdesubscrib\w+|\b(?:cancel|anul)\w+ (?:la |mi |mis |los |estos |sus )*(?:suscripcion|subscripcion|mensajes|textos|avisos|recordatorios)\b"),
    ("es_remove_me", r"\b(?:quit|borr|elimin|sa[cq]u?)\w*(?:me|nme|n)? (?:me )?(?:de (?:la|su|sus|esta) lista|mi (?:numero|telefono|celular)|este (?:numero|telefono)|de ahi|de (?:sus|los) (?:mensajes|contactos|textos))|^(?:por favor )?(?:quitenme|borrenme|eliminenme|saquenme|quiteme|borreme|elimineme|saqueme)\b"),
    ("es_leave_alone", r"\bdej\w+ (?:me )?(?:en paz|tranquil\w+)\b"),
    ("es_wrong_number", rf"{_ABRE}(?:\w+ ){{0,3}}?(?:numero|telefono) (?:equivocado|incorrecto|errado)\b|\bse (?:ha |han )?equivoc\w+ (?:de|el) (?:numero|persona)\b|\bpersona equivocada\b|\beste no es el (?:numero|telefono)\b|^(?:\w+ )?(?:esta|estan) equivocad[oa]s?\b"),
    ("es_no_consent", r"\b(?:no|nunca|jamas) (?:le |les )?(?:di|doy|autori\w+|acepte|firme|pedi) (?:mi |su |el |ningun )?(?:permiso|consentimiento|autorizacion|estos|este|recibir)\b|\b(?:revoco|retiro) (?:mi|el) (?:consentimiento|permiso)\b"),
)  # fmt: skip

MAYBE: tuple[tuple[str, str], ...] = (
    ("es_not_interested", r"\bno (?:me|nos) interesa\b(?! (?:ese|esa|el|la|ir|comprar|vender|hablar con) ?\w*)|\bno estoy interesad[oa]\b(?! en (?:el|la|ese|esa))"),
    ("es_stop_alone", rf"{_ABRE}(?:basta|paren?|parenle|parele|para|alto|detengan(?:se)?|detente|no mas|ya no|dejen?|dejame|dejenme|ya estuvo|suficiente)(?: (?:ya|por favor|esto|eso|de esto|gracias|con esto|con eso))*$"),
    ("es_not_me", r"\b(?:yo )?no (?:soy|es|somos) (?:esa|la|el|ese|yo|quien|don|dona)? ?(?:persona|numero|senora?|senorita|cliente|su cliente|[a-z]+)$|\bno (?:lo|la|los|conozco|conocemos) (?:conozco|conocemos|a (?:esa|ese|ningun\w*|nadie|esta)(?: \w+)?)\b|\bno conozco\b|\b(?:numero|telefono|celular) (?:ya )?no es (?:de|mio|suyo)\b|\bya no es (?:su|de|el) (?:numero|telefono|ella|el)\b|\baqui no (?:vive|hay|es)\b"),
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
    r"|\bno (?:\w+ )?(?:llam\w+|escrib\w+|contact\w+|mand\w+|envi\w+) (?:\w+ )?(?:a|al) (?!este|mi (?:numero|telefono|celular)|esta|mi$)(?:mi )?\w+"
    r"|\bparada\b|\bpara (?:el|la|los|las|que|mi|cuando)\b|\bplanta baja\b|\b(?:esta|estaba) (?:dad[oa] )?de baja\b"
)
OTHERS = (
    r"\b(?:mi ex|el cobrador|los cobradores|la aseguradora|el seguro|el banco|mi jefe|el dueno|el casero|el|ella|ellos|mi esposo|mi esposa|la otra parte|"
    r"el abogado de|su abogado|un senor|una senora|alguien|la compania|mi vecino) (?:\w+ ){0,2}?(?:no deja|no para|sigue|siguen|me (?:manda|llama|escribe|acosa|molesta|amenaza)\w*|dejo|quiere)\b"
)
