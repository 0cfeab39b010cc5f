"""Detectors of secrets, addresses and numbered identifiers: bounded regular expressions backed by checksums.

Every detector reads text that `fold` has made plain (fullwidth forms, foreign digits, odd dashes and spaces become
their ASCII counterparts, position by position) and yields `(start, end, key)`. The key is the same for every way of
writing one value, so `john.doe@example.com` and `john dot doe at example dot com` get one pseudonym.

No pattern can be driven into super-linear work: repetitions are bounded or possessive, and where a repetition could
start anywhere in a long run, a lookbehind lets it start only once.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterator

__all__ = [
    "Found",
    "credit_cards",
    "emails",
    "fold",
    "iban_is_valid",
    "ibans",
    "ip_addresses",
    "luhn_is_valid",
    "mac_addresses",
    "secrets",
    "social_security_numbers",
    "url_credentials",
]

Found = tuple[int, int, str]
"""Start, end (exclusive), and the key all ways of writing the value share."""

_DOUBLED = str.maketrans("0123456789", "0246813579")  # twice the digit, digits of the result added
_DASHES = "‐‑‒–—―−﹣"


def fold(text: str) -> str:
    """The text with every character replaced by its plain counterpart; the length never changes."""
    table: dict[int, str] = {}
    for char in set(text):
        if char.isascii():
            continue
        plain = unicodedata.normalize("NFKC", char)
        digit = unicodedata.decimal(char, None)
        if char in _DASHES:
            table[ord(char)] = "-"
        elif digit is not None:
            table[ord(char)] = str(digit)
        elif char in "。｡":
            table[ord(char)] = "."
        elif len(plain) == 1:
            table[ord(char)] = plain
    return text.translate(table) if table else text


def luhn_is_valid(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1).

    >>> luhn_is_valid("4111111111111111"), luhn_is_valid("4111111111111112")
    (True, False)
    """
    doubled = digits[-2::-2].translate(_DOUBLED)
    return (sum(map(int, doubled)) + sum(map(int, digits[-1::-2]))) % 10 == 0


def iban_is_valid(iban: str) -> bool:
    """Whether the two check digits fit (ISO 13616, remainder 1 modulo 97); expects capitals without spaces.

    >>> iban_is_valid("DE89370400440532013000"), iban_is_valid("DE89370400440532013001")
    (True, False)
    """
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1


# --- secrets -------------------------------------------------------------------------------------------------------

_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_LONGEST = 20_000
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*+", re.ASCII)
_KEY = re.compile(
    r"(?<![\w-])(?:"
    r"(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}(?![\w-])"  # Amazon Web Services
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255}|glpat-[\w-]{20,64}"  # GitHub, GitLab
    r"|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,200}"  # Stripe
    r"|sk-(?=[\w-]{0,199}\d)[\w-]{20,200}"  # OpenAI and those that copied its shape
    r"|xox[a-z]-[A-Za-z0-9-]{10,250}|xapp-[A-Za-z0-9-]{10,250}"  # Slack
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,300}"  # Google
    r"|hf_[A-Za-z0-9]{30,64}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,300}"  # Hugging Face, npm, PyPI
    r")",
    re.ASCII,
)
_LABELLED_SECRET = re.compile(
    r"(?<![A-Za-z])(?:api[_ -]?key|secret[_ -]?key|access[_ -]?key|client[_ -]?secret|secret|password|passwd|pwd"
    r"|passphrase|auth[_ -]?token|access[_ -]?token|token)[\"']?\s{0,3}(?:[=:]|\bis\b)\s{0,3}[\"']?"
    r"(?=[^\s\"'&,;<>]{0,99}\d)(?=[^\s\"'&,;<>]{0,99}[A-Za-z])([^\s\"'&,;<>]{6,200})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?<!\w)Bearer\s{1,3}([A-Za-z0-9._~+/-]{16,2000}=*)")
_URL_CREDENTIALS = re.compile(r"(?<=://)([^\s/@:\[\]]{1,256}(?::[^\s/@]{0,256})?)@(?=[\w\[])")


def secrets(text: str) -> Iterator[Found]:
    """Private keys, access keys of well-known services, JSON web tokens, and what follows a label like `password:`."""
    yield from _private_keys(text)
    for pattern, group in ((_JWT, 0), (_KEY, 0), (_BEARER, 1), (_LABELLED_SECRET, 1)):
        for match in pattern.finditer(text):
            if not match[group].startswith("["):  # a pseudonym, put here by an earlier run
                yield match.start(group), match.end(group), match[group]


def _private_keys(text: str) -> Iterator[Found]:
    position = 0
    while begin := _PEM_BEGIN.search(text, position):
        limit = min(len(text), begin.end() + _PEM_LONGEST)
        end = _PEM_END.search(text, begin.end(), limit)
        # A key without its last line is a key all the same: mask as much as one could be long.
        position = end.end() if end else limit
        yield begin.start(), position, text[begin.start() : position]


def url_credentials(text: str) -> Iterator[Found]:
    """User name and password in front of the host of a URL."""
    for match in _URL_CREDENTIALS.finditer(text):
        if not match[1].startswith("["):
            yield match.start(1), match.end(1), match[1]


# --- e-mail --------------------------------------------------------------------------------------------------------

_MAIL_DOMAIN = re.compile(r"(?:@|%40)((?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})(?![\w-])")
_MAIL_LOCAL_REVERSED = re.compile(r"[\w.%+'&~-]{1,64}")
_DOT = r"(?:\s{1,3}dot\s{1,3}|\s{0,2}[\[({<]\s{0,2}(?:dot|\.)\s{0,2}[\])}>]\s{0,2})"
_WORD = r"[\w+-]{1,64}+"
_MAIL_SPELLED = re.compile(
    rf"(?<![\w.+-])(?P<local>{_WORD}(?:(?:{_DOT}|\.){_WORD}){{0,4}})"
    rf"(?:(?P<bracketed>\s{{0,3}}[\[({{<]\s{{0,2}}at\s{{0,2}}[\])}}>]\s{{0,3}})|\s{{1,3}}at\s{{1,3}})"
    rf"(?P<domain>{_WORD}(?:(?:{_DOT}|\.){_WORD}){{1,4}})(?![\w-])",
    re.IGNORECASE,
)
_SPELLED_DOT = re.compile(_DOT, re.IGNORECASE)


def emails(text: str) -> Iterator[Found]:
    """E-mail addresses, also percent-encoded ones and those spelled out with "at" and "dot"."""
    for match in _MAIL_DOMAIN.finditer(text):
        before = text[max(0, match.start() - 64) : match.start()]
        local = _MAIL_LOCAL_REVERSED.match(before[::-1])
        name = before[len(before) - local.end() :].lstrip(".'&~%-") if local else ""
        if name:
            yield match.start() - len(name), match.end(1), f"{name}@{match[1]}".casefold()
    for match in _MAIL_SPELLED.finditer(text):
        local_part, domain = (_SPELLED_DOT.sub(".", match[part]) for part in ("local", "domain"))
        # "look at example.com" is no address: a bare "at" needs a spelled dot, or a dotted name before it.
        spelled = match["bracketed"] or domain != match["domain"] or "." in local_part
        if spelled and re.fullmatch(r"[^\W\d_]{2,24}", domain.rpartition(".")[2]):
            yield match.start(), match.end(), f"{local_part}@{domain}".casefold()


# --- numbers with a checksum or a fixed shape ------------------------------------------------------------------------

_CARD = re.compile(
    r"(?<![\w+])(?<!\d[.,])"
    r"(?:\d{12,19}|\d{4}([ .-])(?:\d{6}\1\d{4,5}|\d{4}\1\d{4}(?:\1\d{1,4}(?:\1\d{1,3})?)?))(?!\w)"
)
# First digits of issuers: Visa 4; Mastercard 51-55 and 2221-2720; Maestro 50, 56-69, 0604; American Express, Diners and
# JCB 30-39, 1800, 2131; Discover and UnionPay 6; Mir 2200-2204. A Luhn digit alone lets one number in ten through.
_ISSUER = re.compile(r"3\d|4|5\d|6\d|2[1-7]|1800|0604")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_SSN_LABELLED = re.compile(
    r"(?:\bssn\b|social security (?:number|no\.?))[^\d\n]{0,20}"
    r"(?<!\d)((?!000|666|9)\d{3}[ .]?(?!00)\d{2}[ .]?(?!0000)\d{4})(?!\d)",
    re.IGNORECASE,
)
_MAC = re.compile(
    r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![\w:-])"
)
_IBAN_LENGTHS = (
    "15NO 16BE 18DKFIFOGLNLSD 19MKSI 20ATBAEEKZLTLUXKMN 21CHHRLILV 22BGBHCRDEGBGEIEMERSVA 23AEGIILIQTLSO "
    "24ADCZESMDPKROSASESKTNVG 25LYPTST 26ISTR 27BIDJFRGRITMCMRSM 28ALAZBYCYDOGTHULBNIPLSV 29BRPSQAUA 30JOKWMU "
    "31MTSC 32LC 33RU"
)


def _iban_pattern() -> re.Pattern[str]:
    shapes = []
    for entry in _IBAN_LENGTHS.split():
        length, codes = int(entry[:2]), entry[2:]
        countries = "|".join(codes[at : at + 2] for at in range(0, len(codes), 2))
        shapes.append(rf"(?:{countries})\d\d(?:[ -]?[0-9A-Z]){{{length - 4}}}")
    return re.compile(rf"(?<![0-9A-Z_])(?=[A-Z]{{2}}\d)(?:{'|'.join(shapes)})(?![0-9A-Z_])", re.IGNORECASE | re.ASCII)


_IBAN = _iban_pattern()


def credit_cards(text: str) -> Iterator[Found]:
    """Card numbers: 12 to 19 digits, plain or grouped as on a card, an issuer's first digits and a valid Luhn digit."""
    position = 0
    while match := _CARD.search(text, position):
        # What follows a card ("... 1111 12/27") can look like one more group: try without it too.
        written, digits = match[0], re.sub(r"\D", "", match[0])
        while len(digits) >= 12 and not (_ISSUER.match(digits) and luhn_is_valid(digits)):
            written = written[: written.rfind(match[1])] if match[1] and match[1] in written else ""
            digits = re.sub(r"\D", "", written)
        if len(digits) >= 12:
            position = match.start() + len(written)
            yield match.start(), position, digits
        else:
            position = match.end() if match[1] is None else match.start() + 4


def ibans(text: str) -> Iterator[Found]:
    """International bank account numbers: known country, its length, valid check digits."""
    for match in _IBAN.finditer(text):
        iban = re.sub(r"[ -]", "", match[0]).upper()
        if iban_is_valid(iban):
            yield match.start(), match.end(), iban


def social_security_numbers(text: str) -> Iterator[Found]:
    """United States social security numbers: 3-2-4 with hyphens, or nine digits after a label."""
    for pattern, group in ((_SSN, 0), (_SSN_LABELLED, 1)):
        for match in pattern.finditer(text):
            yield match.start(group), match.end(group), re.sub(r"\D", "", match[group])


def mac_addresses(text: str) -> Iterator[Found]:
    """Hardware addresses: six pairs with one kind of separator, or three dotted groups of four."""
    for match in _MAC.finditer(text):
        yield match.start(), match.end(), re.sub(r"[^0-9a-f]", "", match[0].lower())


# --- network addresses -----------------------------------------------------------------------------------------------

_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:][0-9A-Fa-f:.]++(?!\w)")
_NOT_AN_ADDRESS = re.compile(
    r"(?<![a-z])(?:versions?|ver\.?|release|rel\.?|build|firmware|section|chapter|clause|§)[\s:#]{0,3}$", re.I
)


def ip_addresses(text: str) -> Iterator[Found]:
    """IPv4 and IPv6 addresses, but no version or section numbers."""
    for match in _IPV4.finditer(text):
        if _NOT_AN_ADDRESS.search(text, max(0, match.start() - 12), match.start()):
            continue
        address = _address(match[0])
        if address:
            yield match.start(), match.end(), address
    for match in _IPV6.finditer(text):
        written = match[0].rstrip(".")
        if written.endswith(":") and not written.endswith("::"):
            written = written[:-1]
        # A digit is asked for because `a::b` and `Dead::Beef` are names in several programming languages.
        if len(written) <= 45 and written.count(":") >= 2 and any(char.isdigit() for char in written):
            address = _address(written)
            if address:
                yield match.start(), match.start() + len(written), address


def _address(written: str) -> str:
    try:
        return ipaddress.ip_address(written).compressed
    except ValueError:
        return ""
