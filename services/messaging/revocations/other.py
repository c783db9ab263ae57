"""Revocations in languages that the firm's answers do not speak. Whatever matches blocks, and a person looks at it."""
# ruff: noqa: E501 - one rule a line reads better than a rule in pieces

from __future__ import annotations

import unicodedata


def _folded(text: str) -> str:
    """The script as `normalise` leaves it: Hangul, for one, comes taken apart."""
    return "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))


PATTERNS: tuple[tuple[str, str], ...] = (
    ("fr", r"^arret(?:e|er|ez)?$|\barretez\b|\barrete[rz]? de\b|\bdesabonn\w+|\bdesinscri\w+|\bplus (?:de|aucun) (?:messages?|textos?|sms)\b"
           r"|\bne (?:me |nous |m)(?:ecri\w+|contact\w+|envoy\w+|appel\w+|text\w+) (?:plus|pas)\b|\bne (?:mecri|menvoy|mappel)\w+ (?:plus|pas)\b"
           r"|\b(?:mauvais|faux) numero\b|\bvous (?:vous )?(?:etes )?tromp\w+ de (?:numero|personne)\b|\b(?:ne )?veux plus (?:recevoir|de)\b"
           r"|\blaisse[rz]? ?(?:moi|nous) (?:tranquille|en paz|en paix)\b|\bretire[rz] (?:moi|mon numero)\b|\bsupprime[rz] mon numero\b"),
    ("pt", r"^(?:sair|parar|cancelar inscricao)$|\bcancel\w+ (?:a |minha )?(?:inscricao|assinatura)\b|^(?:por favor )?(?:pare|parem|chega)(?: por favor)?$|\bpar(?:e|em|a) de (?:me )?(?:mandar|enviar|escrever|ligar|incomodar|perturbar|mensage)\w*"
           r"|\bnao (?:quero|desejo) (?:mais )?(?:receber|mensage\w+|essas|esses|nada)\b|\bnao (?:me )?(?:mand\w+|envi\w+|escrev\w+|lig\w+|incomod\w+)(?: \w+)? (?:mais|mensage\w+)"
           r"|\bdescadastr\w+|\bnumero errado\b|\bpessoa errada\b|\b(?:me tir[ae]m?|tire me|me remov\w+|remova me) (?:da|dessa|desta) lista\b|\bme deix\w+ em paz\b"),
    ("de", r"^(?:stopp|abmelden|aufhoren|abbestellen)$|\babmeld\w+|\babbestell\w+|\bkeine (?:\w+ )?(?:nachrichten|sms|texte) (?:mehr|bitte)\b|\bnicht mehr (?:schreiben|kontaktieren|anrufen)\b"
           r"|\bhor(?:en|t)? (?:sie )?(?:bitte )?auf\b|\b(?:falsche|verkehrte) (?:nummer|person)\b|\blassen sie mich in ruhe\b|\bschreiben sie mir nicht\b|\bloschen sie meine nummer\b"),
    ("it", r"\bsmett\w+\b|\bbasta (?:con )?(?:i |questi )?(?:messaggi|sms)\b|\bnumero sbagliato\b|\bpersona sbagliata\b|\bcancella(?:mi|temi|rmi)\b|\bnon (?:\w+ )?(?:scriv\w+|contatt\w+|mand\w+|chiam\w+)(?: \w+)? piu\b"
           r"|\bnon voglio (?:piu )?(?:ricevere|messaggi)\b|\blasciatemi in pace\b|\bdisiscriv\w+|\brimuov\w+ (?:il mio numero|mi)\b"),
    ("vi", r"\b(?:dung|ngung|thoi|xin dung|cham dut) (?:\w+ ){0,3}?(?:nhan tin|nhan|gui tin|gui|goi|lien lac|text)\b|\bkhong (?:muon )?(?:nhan|gui) (?:tin|them)\b|\b(?:sai|nham|lon) so\b|\bhuy dang ky\b|\bxoa so\b"),
    ("tl", r"\b(?:huwag|wag)(?: na)?(?: \w+){0,3} (?:mag ?)?(?:text|txt|message|send|tawag|padala|contact)\w*|\b(?:tigil|itigil|tigilan)\b|\bwrong (?:number|send) (?:po|ka|kayo)\b|^wrong send$|\bmaling (?:number|send|numero)\b|\bayaw ko na\b|\btanggalin (?:\w+ )?(?:number|numero|ako)\b"),
    ("ht", r"\b(?:sispann|rete|stope) (?:\w+ )?(?:voye|ekri|rele|text|teks|kontakte|mesaj|anmede)|\bpa (?:\w+ )?(?:ekri|voye|rele|kontakte|text)\b(?: \w+){0,3} (?:anko|mesaj)\b|\b(?:move|pa bon) nimewo\b|\bretire (?:m|mwen|nimewo)\b|\bkite m (?:trankil|anpe)\b"),
    ("pl", r"\bprzestan\w*\b|\bzly numer\b|\bpomylka\b|\bnie (?:pisz\w*|chce (?:wiecej )?(?:wiadomosci|sms\w*)|wysylaj\w*|dzwon\w*)\b|\bwypis\w* mnie\b|\brezygnuje\b"),
    ("tr", r"\bmesaj (?:atma\w*|gonderme\w*|istemiyorum)\b|\byanlis numara\b|\brahatsiz etme\w*\b|\babonelik\w* iptal\b"),
    ("ru", r"^(?:стоп|отписаться|хватит)$|отпишите|отписат|не пишите|не присылайте|не звоните|больше не (?:пишите|присылайте)|ошиблись номером|не тот номер|неправильный номер|удалите (?:мой|меня)|прекратите|хватит (?:писать|слать)|оставьте меня"),
    ("ar", r"^(?:توقف|توقفوا|الغاء|قف)$|لا ترسل|لا تراسل|لا تتصل|توقف عن|توقفوا عن|رقم خطا|الرقم خطا|الغاء الاشتراك|اتركني|احذف رقمي"),
    ("zh", r"^停止?$|停止发|退订|退訂|取消订阅|取消訂閱|(?:不要|别|別|请勿|請勿|勿|不想|不需要)(?:再)?(?:给我|給我|跟我)?(?:再)?(?:发|發|收到|打扰|打擾|联系|聯繫|短信|骚扰|騷擾|打电话)|打错|打錯|发错|發錯|号码错|錯號|删除我的号码|别烦我"),
    ("ko", "|".join(map(_folded, ("수신거부", "수신 거부", "그만 보내", "그만보내", "그만 하", "그만하", "보내지 마", "보내지마", "연락하지 마", "연락 하지 마", "문자 그만", "잘못 보내", "잘못보내", "번호 잘못", "구독 취소", "전화하지 마")))),
)  # fmt: skip
"""(language, pattern over text as `normalise` leaves it)."""
