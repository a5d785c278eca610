"""Cut SQL scripts into statements and tokens, and quote names back.

The unit is the statement, never the line: a quoted name or a comment may hold semicolons, line breaks and words that
look like commands. The rules are those of PostgreSQL's scanner,
https://www.postgresql.org/docs/current/sql-syntax-lexical.html, as far as dumps use them.
"""

import re
from collections.abc import Iterator

type Statement = tuple[str, ...]
"""The tokens of one statement, as written, without white space, comments and the semicolon."""

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\n\r\f\v]+|--[^\n]*)
    | (?P<nested>/\*)
    | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<unicode>[uU]&(?:'(?:[^']|'')*'|"(?:[^"]|"")*"))
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>\$(?P<tag>[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*|)\$.*?\$(?P=tag)\$)
    | (?P<word>[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<command>\\[^\n]*)
    | (?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)
_STRING = re.compile(r"'(?:[^']|'')*'", re.DOTALL)
_BACKSLASH_STRING = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_ESCAPE = re.compile(r"\\.|''", re.DOTALL)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def statements(script: str) -> Iterator[Statement]:
    """Yield the statements of a script in order.

    Lines of psql commands (restrict, connect) between statements are left out. After
    `SET standard_conforming_strings = off` a backslash escapes inside plain strings; such strings are yielded as
    `E'...'`, which means the same under either setting.
    """
    current: list[str] = []
    backslash_escapes = False
    position = 0
    while position < len(script):
        if script[position] == "'":
            position = _take_string(script, position, current, backslash_escapes=backslash_escapes)
            continue
        found = _TOKEN.match(script, position)
        if found is None:  # pragma: no cover - the last alternative matches any character
            break
        position = found.end()
        kind, text = found.lastgroup, found.group()
        if kind == "nested":
            position = _end_of_comment(script, position)
        elif text == ";":
            backslash_escapes = _backslashes_after(tuple(current), now=backslash_escapes)
            if current:
                yield tuple(current)
            current = []
        elif kind != "blank" and not (kind == "command" and not current):
            current.append(text)
    if current:
        yield tuple(current)


def with_standard_strings(script: str) -> str:
    """Write a script of `standard_conforming_strings = off` so that it means the same under `on`."""
    parts: list[str] = []
    position = 0
    while position < len(script):
        start = position
        found = (_BACKSLASH_STRING if script[position] == "'" else _TOKEN).match(script, position)
        if found is None:  # a string without end
            parts.append(script[position:])
            break
        position = found.end()
        if script[start] == "'":
            parts.append(quote_literal(_ESCAPE.sub(_unescaped, found.group()[1:-1])))
            continue
        if found.lastgroup == "nested":
            position = _end_of_comment(script, position)
        parts.append(script[start:position])
    return "".join(parts)


def _unescaped(found: re.Match[str]) -> str:
    letter = found.group()[1]
    return letter if found.group()[0] == "'" else _CONTROLS.get(letter, letter)


def name_of(token: str) -> str:
    """Return the name that a token stands for: quoted as written, unquoted with its ASCII letters in lower case."""
    if token.startswith('"'):
        return token[1:-1].replace('""', '"')
    return "".join(letter.lower() if letter.isascii() else letter for letter in token)


def literal_of(token: str) -> str:
    """Return the text of a plain string token; another token is returned as it is."""
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    return token


def quote_name(name: str) -> str:
    """Quote a name, always, so that no keyword, capital or hostile character matters."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Quote a text as a plain string, valid under `standard_conforming_strings = on`."""
    return "'" + text.replace("'", "''") + "'"


def join(tokens: Statement) -> str:
    """Write the tokens of a role statement as one line of SQL, without a semicolon.

    Names, words, strings, numbers, commas and dots only: an operator of several characters would come apart.
    """
    line = ""
    for token in tokens:
        glued = not line or token in {",", "."} or line.endswith(".")
        line += token if glued else f" {token}"
    return line


def _take_string(script: str, position: int, current: list[str], *, backslash_escapes: bool) -> int:
    found = (_BACKSLASH_STRING if backslash_escapes else _STRING).match(script, position)
    if found is None:
        current.append(script[position:])
        return len(script)
    text = found.group()
    current.append(f"E{text}" if backslash_escapes and "\\" in text else text)
    return found.end()


def _end_of_comment(script: str, position: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(script, position)
        if edge is None:
            return len(script)
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position


def _backslashes_after(statement: Statement, *, now: bool) -> bool:
    words = [token.lower() for token in statement]
    if words[:2] == ["set", "standard_conforming_strings"] and words[-1] in {"on", "off", "'on'", "'off'"}:
        return "off" in words[-1]
    return now


def readable(text: str) -> str:
    """Replace bytes that no encoding explains (kept as surrogates) by escapes, so that the text is valid UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def one_line(text: str) -> str:
    """Show a text on one line that a terminal does not obey: a source may name its objects as it likes."""
    shown = " ".join(readable(text).split())
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in shown)


def on_terminal(text: str) -> str:
    """Show a text of several lines so that a terminal obeys none of it but the line breaks."""
    return "\n".join(
        "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in line)
        for line in readable(text).split("\n")
    )
