"""What audio tracks are called in manifests: language tags and names that any player can read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, count

from nextstream.domain.video import Rendition

UNDETERMINED = "und"

# ISO 639-1, then ISO 639-2 (terminological, bibliographic), and the name in English.
_LANGUAGES = """
aa/aar Afar; ab/abk Abkhazian; ae/ave Avestan; af/afr Afrikaans; ak/aka Akan; am/amh Amharic;
an/arg Aragonese; ar/ara Arabic; as/asm Assamese; av/ava Avaric; ay/aym Aymara;
az/aze Azerbaijani; ba/bak Bashkir; be/bel Belarusian; bg/bul Bulgarian; bh/bih Bhojpuri;
bi/bis Bislama; bm/bam Bambara; bn/ben Bangla; bo/bod/tib Tibetan; br/bre Breton;
bs/bos Bosnian; ca/cat Catalan; ce/che Chechen; ch/cha Chamorro; co/cos Corsican; cr/cre Cree;
cs/ces/cze Czech; cu/chu Church Slavic; cv/chv Chuvash; cy/cym/wel Welsh; da/dan Danish;
de/deu/ger German; dv/div Divehi; dz/dzo Dzongkha; ee/ewe Ewe; el/ell/gre Greek; en/eng English;
eo/epo Esperanto; es/spa Spanish; et/est Estonian; eu/eus/baq Basque; fa/fas/per Persian;
ff/ful Fula; fi/fin Finnish; fj/fij Fijian; fo/fao Faroese; fr/fra/fre French;
fy/fry Western Frisian; ga/gle Irish; gd/gla Scottish Gaelic; gl/glg Galician; gn/grn Guarani;
gu/guj Gujarati; gv/glv Manx; ha/hau Hausa; he/heb Hebrew; hi/hin Hindi; ho/hmo Hiri Motu;
hr/hrv Croatian; ht/hat Haitian Creole; hu/hun Hungarian; hy/hye/arm Armenian; hz/her Herero;
ia/ina Interlingua; id/ind Indonesian; ie/ile Interlingue; ig/ibo Igbo; ii/iii Sichuan Yi;
ik/ipk Inupiaq; io/ido Ido; is/isl/ice Icelandic; it/ita Italian; iu/iku Inuktitut;
ja/jpn Japanese; jv/jav Javanese; ka/kat/geo Georgian; kg/kon Kongo; ki/kik Kikuyu;
kj/kua Kuanyama; kk/kaz Kazakh; kl/kal Kalaallisut; km/khm Khmer; kn/kan Kannada; ko/kor Korean;
kr/kau Kanuri; ks/kas Kashmiri; ku/kur Kurdish; kv/kom Komi; kw/cor Cornish; ky/kir Kyrgyz;
la/lat Latin; lb/ltz Luxembourgish; lg/lug Ganda; li/lim Limburgish; ln/lin Lingala; lo/lao Lao;
lt/lit Lithuanian; lu/lub Luba-Katanga; lv/lav Latvian; mg/mlg Malagasy; mh/mah Marshallese;
mi/mri/mao Māori; mk/mkd/mac Macedonian; ml/mal Malayalam; mn/mon Mongolian; mr/mar Marathi;
ms/msa/may Malay; mt/mlt Maltese; my/mya/bur Burmese; na/nau Nauru; nb/nob Norwegian Bokmål;
nd/nde North Ndebele; ne/nep Nepali; ng/ndo Ndonga; nl/nld/dut Dutch; nn/nno Norwegian Nynorsk;
no/nor Norwegian; nr/nbl South Ndebele; nv/nav Navajo; ny/nya Nyanja; oc/oci Occitan;
oj/oji Ojibwa; om/orm Oromo; or/ori Odia; os/oss Ossetic; pa/pan Punjabi; pi/pli Pali;
pl/pol Polish; ps/pus Pashto; pt/por Portuguese; qu/que Quechua; rm/roh Romansh; rn/run Rundi;
ro/ron/rum Romanian; ru/rus Russian; rw/kin Kinyarwanda; sa/san Sanskrit; sc/srd Sardinian;
sd/snd Sindhi; se/sme Northern Sami; sg/sag Sango; si/sin Sinhala; sk/slk/slo Slovak;
sl/slv Slovenian; sm/smo Samoan; sn/sna Shona; so/som Somali; sq/sqi/alb Albanian;
sr/srp Serbian; ss/ssw Swati; st/sot Southern Sotho; su/sun Sundanese; sv/swe Swedish;
sw/swa Swahili; ta/tam Tamil; te/tel Telugu; tg/tgk Tajik; th/tha Thai; ti/tir Tigrinya;
tk/tuk Turkmen; tl/tgl Filipino; tn/tsn Tswana; to/ton Tongan; tr/tur Turkish; ts/tso Tsonga;
tt/tat Tatar; tw/twi Akan; ty/tah Tahitian; ug/uig Uyghur; uk/ukr Ukrainian; ur/urd Urdu;
uz/uzb Uzbek; ve/ven Venda; vi/vie Vietnamese; vo/vol Volapük; wa/wln Walloon; wo/wol Wolof;
xh/xho Xhosa; yi/yid Yiddish; yo/yor Yoruba; za/zha Zhuang; zh/zho/chi Chinese; zu/zul Zulu
"""
_ENTRIES = [entry.strip().split(" ", 1) for entry in _LANGUAGES.split(";")]
_SHORT = {code: codes.split("/")[0] for codes, _ in _ENTRIES for code in codes.split("/")}
_NAMES = {codes.split("/")[0]: name for codes, name in _ENTRIES}
_TAG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.IGNORECASE)
_UNFIT = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})  # controls, halves of a pair, no characters, breaks


def language(code: str) -> str:
    """Give the RFC 5646 tag for a source's language code: `en` for `eng`, `und` for what is none."""
    if not _TAG.fullmatch(code):
        return UNDETERMINED
    primary, dash, rest = code.partition("-")
    return _SHORT.get(primary.lower(), primary.lower()) + dash + rest


def names(renditions: Sequence[Rendition]) -> tuple[str, ...]:
    """Name each track by its title, else its language; no two alike (RFC 8216, 4.3.4.1.1)."""
    given: dict[str, Rendition] = {}
    for rendition in renditions:
        name = _name(rendition)
        numbered = (f"{name} {n}" for n in count(2))
        given[next(choice for choice in chain([name], numbered) if choice not in given)] = rendition
    return tuple(given)


def clean(text: str) -> str:
    """Give text on one line that is fit for a quoted string of HLS and for XML."""
    fit = "".join(" " if unicodedata.category(c) in _UNFIT else c for c in text)
    return " ".join(fit.replace('"', "'").split())


def _name(rendition: Rendition) -> str:
    tag = language(rendition.language)
    return clean(rendition.title or "") or _NAMES.get(tag.partition("-")[0], "Audio")
