"""Compare large objects: their bytes, owners, rights and comments."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from flexvault.domain.dump_catalogue import object_ids
from flexvault.domain.dump_contents import Contents, entries_by_id
from flexvault.domain.dump_counting import object_hash
from flexvault.domain.role_script import RESERVED_ROLES
from flexvault.domain.sql_text import Statement, literal_of, name_of, statements
from flexvault.kit.client import Client
from flexvault.kit.comparison import Facts, Named
from flexvault.kit.row_streams import copy_out, json_rows

PIECE_BYTES: Final = 1 << 20
_PIECES_AT_ONCE: Final = 64
_ALL: Final = ("SELECT", "UPDATE")
_FACTS: Final = """
SELECT json_build_array(m.oid::text, m.lomowner::text, obj_description(m.oid, 'pg_largeobject'),
    (SELECT json_agg(json_build_array(a.grantor::text, a.grantee::text, a.privilege_type, a.is_grantable))
     FROM aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) AS a))
FROM pg_largeobject_metadata AS m
"""
_ROLES: Final = "SELECT json_build_array(oid::text, rolname) FROM pg_roles"
"""Asked of database postgres: another one may have an encoding that turns a role's name into something else."""
_PUBLIC: Final = "0"
_FIRST_PIECES: Final = "COPY (SELECT oid, encode(lo_get(oid, 0, {size}), 'hex') FROM pg_largeobject_metadata) TO STDOUT"
_MORE_PIECES: Final = (
    "COPY (SELECT encode(lo_get({oid}, n * {size}, {size}), 'hex') FROM generate_series({first}::bigint, {last}) AS n)"
    " TO STDOUT"
)


@dataclass(frozen=True, slots=True)
class _Right:
    grantor: str
    grantee: str | None
    """Nothing for PUBLIC."""
    privilege: str
    is_grantable: bool

    def __str__(self) -> str:
        grantee = "PUBLIC" if self.grantee is None else f'"{self.grantee}"'
        return f"{self.privilege}{'*' if self.is_grantable else ''} to {grantee} by {self.grantor}"


def digests_of_server(client: Client, database: str) -> dict[int, int]:
    """Return oid -> digest, see `dump_counting.object_hash`; at most 2 MiB of an object are in memory.

    Raises:
        ClientError: Such as that somebody may not read one of them.
    """
    digests: dict[int, int] = {}
    longer: dict[int, Any] = {}
    with copy_out(client, database, _FIRST_PIECES.format(size=PIECE_BYTES)) as pieces:
        for line in _lines(pieces):
            oid_text, _, encoded = line.partition(b"\t")
            oid, content = int(oid_text), bytes.fromhex(encoded.decode("ascii"))
            hashed = object_hash(oid)
            hashed.update(content)
            if len(content) == PIECE_BYTES:
                longer[oid] = hashed
            else:
                digests[oid] = int.from_bytes(hashed.digest())
    for oid, hashed in longer.items():
        first, is_whole = 1, False
        while not is_whole:
            command = _MORE_PIECES.format(oid=oid, size=PIECE_BYTES, first=first, last=first + _PIECES_AT_ONCE - 1)
            with copy_out(client, database, command) as pieces:
                for line in _lines(pieces):
                    content = bytes.fromhex(line.decode("ascii"))
                    hashed.update(content)
                    is_whole = is_whole or len(content) < PIECE_BYTES
            first += _PIECES_AT_ONCE
        digests[oid] = int.from_bytes(hashed.digest())
    return digests


def facts_of_server(client: Client, database: str) -> Facts:
    """Return owner, rights and comment of each large object."""
    facts: Facts = {}
    names: dict[str, str | None] = {**dict(json_rows(client, _ROLES)), _PUBLIC: None}
    for oid, owner, comment, granted in json_rows(client, _FACTS, database):
        facts[Named(database, "owner of large object", oid)] = names.get(owner) or owner
        facts[Named(database, "rights on large object", oid)] = _write(
            _Right(names.get(grantor) or grantor, names.get(grantee, grantee), privilege, is_grantable)
            for grantor, grantee, privilege, is_grantable in granted or ()
        )
        if comment is not None:
            facts[Named(database, "comment on large object", oid)] = comment
    return facts


def facts_of_contents(contents: Contents, *, administrator: str = "") -> Facts:
    """Return the same as the table of contents has it.

    Args:
        contents: Of the archive.
        administrator: Has the rights that the service's own roles had as owners, on a target that is not theirs.
    """

    def who(role: str) -> str:
        return administrator if administrator and role in RESERVED_ROLES else role

    database, by_id = contents.database, entries_by_id(contents)
    rights: dict[str, set[_Right]] = {}
    facts: Facts = {}
    for entry in contents.entries:
        if entry.desc in {"BLOB", "BLOB METADATA"}:
            for oid in object_ids(entry):
                facts[Named(database, "owner of large object", oid)] = entry.owner
                rights[oid] = {_Right(who(entry.owner), who(entry.owner), privilege, False) for privilege in _ALL}  # noqa: FBT003
    for entry in contents.entries:
        if not entry.tag.startswith("LARGE OBJECT"):
            continue
        # The rights of many objects may be written once, for the first of them.
        about = [by_id[number] for number in entry.dependencies if number in by_id]
        oids = [oid for other in about if other.desc in {"BLOB", "BLOB METADATA"} for oid in object_ids(other)]
        if entry.desc == "ACL":
            for oid in oids:
                _apply(rights[oid], entry.owner, entry.definition, who)
        elif entry.desc == "COMMENT":  # of one object always, although it depends on the entry of many
            named = Named(database, "comment on large object", entry.tag.removeprefix("LARGE OBJECT "))
            facts[named] = literal_of(next(statements(entry.definition))[-1])
    return facts | {Named(database, "rights on large object", oid): _write(found) for oid, found in rights.items()}


def _apply(rights: set[_Right], owner: str, definition: str, who: Callable[[str], str]) -> None:
    """Run GRANT and REVOKE on a set of rights."""
    grantor = owner
    for statement in statements(definition):
        words = tuple(token.upper() for token in statement)
        if words[:3] == ("SET", "SESSION", "AUTHORIZATION"):
            grantor = name_of(statement[3])
        elif words[0] == "RESET":
            grantor = owner
        elif words[0] in {"GRANT", "REVOKE"}:
            _apply_one(rights, who(grantor), statement, who)


def _apply_one(rights: set[_Right], grantor: str, statement: Statement, who: Callable[[str], str]) -> None:
    words = tuple(token.upper() for token in statement)
    at = words.index("ON")
    named = [word for word in words[1:at] if word in _ALL] or list(_ALL)
    token = statement[at + 5]  # ON LARGE OBJECT oid TO grantee
    grantee = None if token.upper() == "PUBLIC" else who(name_of(token))
    rights.difference_update([r for r in rights if r.grantee == grantee and r.privilege in named])
    if words[0] == "GRANT":
        is_grantable = words[at + 6 : at + 9] == ("WITH", "GRANT", "OPTION")
        rights.update(_Right(grantor, grantee, privilege, is_grantable) for privilege in named)


def _write(rights: Iterable[_Right]) -> str:
    return ", ".join(sorted(map(str, rights)))


def _lines(pieces: Iterable[bytes]) -> Iterable[bytes]:
    rest: list[bytes] = []
    for piece in pieces:
        first, *others = piece.split(b"\n")
        rest.append(first)
        if others:
            yield b"".join(rest)
            yield from others[:-1]
            rest = [others[-1]]
