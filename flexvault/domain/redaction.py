"""Take secrets out of text that somebody else wrote, before it is stored or shown."""

import re

REDACTED = "[redacted]"

_URL_QUERY = re.compile(r"(?i)(https?(?::|%3a)[^\s\"'<>?]*)(?:\?|%3f)[^\s\"'<>]*")
_BEARER = re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}")
_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
_KEY = re.compile(r"(?i)(accountkey|sharedaccesssignature)\s*=\s*[^;\s\"']+")
_SHARED_KEY = re.compile(r"(?i)\bsharedkey(?:lite)?\s+[^\s:]+:[A-Za-z0-9+/=]{8,}")
_PASSWORD = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@\"'<>]+):[^\s/@\"'<>]+@")
# 64 bytes in base64: what every key of a storage account looks like.
_ACCOUNT_KEY = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86}==")
# No word boundary in front: `\u0026sig=` and `%26sig%3D` are how JSON and nested URLs write it.
_SIGNATURE = re.compile(r"(?i)[a-z]{0,40}sig(?:=|%3d|%253d|\\u003d)[^&\s\"'<>;,\\)]*")


def redact(text: str) -> str:
    """Answer the text without URL queries, signatures, tokens, account keys and passwords in URLs.

    A query goes whole, because a reader needs no part of it and the signed fields around a signature help a thief.
    """
    text = _PASSWORD.sub(rf"\1:{REDACTED}@", _URL_QUERY.sub(rf"\1?{REDACTED}", text))
    for pattern in (_BEARER, _TOKEN, _KEY, _SHARED_KEY, _ACCOUNT_KEY, _SIGNATURE):
        text = pattern.sub(REDACTED, text)
    return text


def redact_path(path: str) -> str:
    """Answer a URL's path as it was sent, without each segment that holds a secret when its escapes are read."""
    return redact("/".join(REDACTED if _hides_secret(segment) else segment for segment in path.split("/")))


def _hides_secret(segment: str) -> bool:
    once = _read_escapes(segment)
    return any(redact(text) != text for text in (once, _read_escapes(once)))


def _read_escapes(text: str) -> str:
    """Read a URL's escapes byte by byte: what tells a secret is ASCII."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)


_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
