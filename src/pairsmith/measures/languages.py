"""Which language a text is written in: by its script, and within the Latin script by its commonest words.

Small on purpose: it decides whether an answer kept to the language that was asked for, not which of 200 it is. The
measured accuracy is in `docs/reference/checks.md`.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["LANGUAGES", "language_shares"]

_COMMON = """
en: the of and to in is that it for you was with on as are this be have not but they from or by what your can will
    which their if there we an has my i at he his her she would when how all more one do a
es: el la los las de del y que en un una es por con para su se lo como más pero sus le ya este sí porque esta entre
    cuando muy sin sobre también me hasta hay donde quien desde todo nos durante puede son al tu está a quizás
fr: le la les de des du et que qui en un une est pour dans par sur avec ne pas plus au aux ce cette ces il elle nous
    vous ils sont se son sa ses mais ou où leur comme tout être avoir été votre je mon l d qu oui non à a
de: der die das und ist in den von zu mit sich des auf für nicht ein eine als auch es an werden aus er hat dass sie
    nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber ich
it: il lo la gli le di del della dei e che è in un una per con non si da come più ma al alla dalla nel nella sono
    anche questo questa o se io ha hanno suo sua loro quando dove perché essere tra degli
pt: o a os as de do da dos das e que em um uma é para com não se por mais como mas ao à foi ele ela seu sua ou quando
    muito nos já eu também só pelo pela até isso entre depois são você no na
nl: de het een en van in is dat op te zijn met voor niet aan er om ook als bij maar door over ze uit nog naar heeft
    dan was wordt wat kan worden deze hij meer we die of je ik
sv: och att det som en på är av för med till den har de inte om ett han var jag men sig från vi så kan när du eller ut
    under över efter också deras mycket
pl: i w na z się do nie to że jest o jak po za od przez dla ale są tym co tak ich tego być może był oraz które który
    jego przed także lub
tr: ve bir bu için ile da de çok olarak daha olan gibi ne kadar sonra en o var ama ben sen biz mi değil her veya
    olduğu ise bunun
id: yang dan di untuk dengan ini itu dari dalam tidak adalah pada ke akan atau juga bisa saya anda mereka karena sudah
    ada lebih oleh dapat sebagai kita
vi: và của là có cho không được trong với một các những người này để khi đã về từ như tôi bạn cũng nhiều đến thì phải
    hay nếu sẽ
"""


def _common_words() -> Mapping[str, frozenset[str]]:
    """The lines of `_COMMON` by language; a line without a code continues the one before."""
    words: dict[str, set[str]] = {}
    language = ""
    for line in _COMMON.strip().split("\n"):
        code, colon, rest = line.partition(":")
        language = code if colon else language
        words.setdefault(language, set()).update((rest if colon else line).split())
    return MappingProxyType({code: frozenset(each) for code, each in words.items()})


_STOP_WORDS = _common_words()
_SCRIPTS: Mapping[str, str] = MappingProxyType(
    {
        "HIRAGANA": "ja",
        "KATAKANA": "ja",
        "HANGUL": "ko",
        "CYRILLIC": "ru",
        "ARABIC": "ar",
        "DEVANAGARI": "hi",
        "THAI": "th",
        "HEBREW": "he",
        "GREEK": "el",
        "BENGALI": "bn",
        "TAMIL": "ta",
        "TELUGU": "te",
        "KANNADA": "kn",
        "GUJARATI": "gu",
        "GURMUKHI": "pa",
        "GEORGIAN": "ka",
        "ARMENIAN": "hy",
    }
)
_PERSIAN, _UKRAINIAN, _URDU = frozenset("پچژگیک"), frozenset("іїєґ"), frozenset("ٹڈڑےں")
_KANA_SHARE = 0.05  # Japanese prose mixes kana into its Han characters; Chinese has none
_WORD = re.compile(r"[^\W\d_]+")
_MAX_CHARACTERS = 20_000
_ENOUGH_LETTERS = 40

LANGUAGES: tuple[str, ...] = tuple(sorted({*_STOP_WORDS, *_SCRIPTS.values(), "zh", "uk", "fa", "ur"}))
"""What can be told apart, as ISO 639-1 codes."""


def language_shares(text: str) -> dict[str, float]:
    """How much of a text is in which language, largest first; the shares sum to at most 1.

    Letters are counted by script; letters of the Latin script go to languages by the number of their commonest words
    found. Code blocks are left out where there is text beside them. Without letters or known words there are no
    shares.

    >>> next(iter(language_shares("The sky is blue because of the air, and that is all.")))
    'en'
    """
    whole = text[:_MAX_CHARACTERS]
    bare = re.sub(r"```.*?(?:```|\Z)", " ", whole, flags=re.DOTALL)
    if sum(map(str.isalpha, bare)) < _ENOUGH_LETTERS:  # all the answer stands in the block
        bare = whole
    letters = Counter(_script(character) for character in bare if character.isalpha())
    total = letters.total()
    if not total:
        return {}
    shares: defaultdict[str, float] = defaultdict(float)
    han, kana = letters.pop("CJK", 0), letters["HIRAGANA"] + letters["KATAKANA"]
    if han:
        shares["ja" if kana >= _KANA_SHARE * (han + kana) else "zh"] += han / total
    for script, language in _SCRIPTS.items():
        if letters[script]:
            shares[_relative(language, bare)] += letters[script] / total
    for language, share in _latin_shares(bare).items():
        shares[language] += share * letters["LATIN"] / total
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _script(character: str) -> str:
    if character.isascii():
        return "LATIN"
    return unicodedata.name(character, "").split(" ")[0].split("-")[0]


def _relative(language: str, text: str) -> str:
    """The language that letters of its own tell from a bigger one of the same script."""
    seen = set(text.casefold())
    if language == "ar" and seen & _URDU:
        return "ur"
    if language == "ar" and seen & _PERSIAN:
        return "fa"
    return "uk" if language == "ru" and seen & _UKRAINIAN else language


def _latin_shares(text: str) -> dict[str, float]:
    """Common words found per language, as shares of all found; a word of several languages counts in part for each."""
    counts = Counter(_WORD.findall(unicodedata.normalize("NFC", text).casefold()))
    found: defaultdict[str, float] = defaultdict(float)
    for word, times in counts.items():
        owners = [language for language, words in _STOP_WORDS.items() if word in words]
        for language in owners:
            found[language] += times / len(owners)
    total = sum(found.values())
    return {language: count / total for language, count in found.items()} if total else {}
