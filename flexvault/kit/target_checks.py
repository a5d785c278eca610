"""Compare what a rebuild needs with what the target is: version, rights, names, extensions, locales, room."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from flexvault.domain.dump_stream import READ_COMPRESSIONS
from flexvault.domain.errors import VaultError
from flexvault.domain.role_script import RESERVED_ROLES
from flexvault.domain.sql_text import one_line, quote_literal
from flexvault.kit.client import Client
from flexvault.kit.dumps import Dump
from flexvault.kit.facts import KitFacts
from flexvault.kit.finding import Finding, note, problem
from flexvault.kit.options import Options
from flexvault.kit.plan import DatabasePlan
from flexvault.kit.progress import ROLES, SCHEMA, Row
from flexvault.kit.role_rights import check_role_rights
from flexvault.kit.roles import Roles
from flexvault.kit.target import Target, major_of

PRELOADED: Final = {
    "pg_cron": True,
    "timescaledb": True,
    "pgaudit": True,
    "pglogical": True,
    "pg_squeeze": True,
    "pg_stat_statements": False,
    "age": False,
    "pg_hint_plan": False,
}
"""Extensions whose library must be in `shared_preload_libraries`, and whether CREATE EXTENSION fails without it.

Source: each extension's own installation page; Microsoft's list of extensions of a flexible server names the same.
"""

_OWN_WAYS: Final = {
    "timescaledb": "restores its tables only between timescaledb_pre_restore() and timescaledb_post_restore(): "
    "restore that database by its documentation",
}
"""Extensions whose data no ordinary restore brings back. Source: TimescaleDB's page on logical backups."""

_ROOM_FACTORS: Final = {"gzip": 3.0, "none": 1.3}
"""Bytes of a database per byte of its archive, measured on a mixed one (1,945 MB from 700 MB and 1,561 MB)."""
_GIB: Final = 1024**3


def check_target(
    client: Client,
    facts: KitFacts,
    *,
    target: Target,
    roles: Roles,
    plans: Sequence[DatabasePlan],
    rows: Mapping[str, Row],
    options: Options,
) -> list[Finding]:
    """Find everything of the target that is in the way of these plans."""
    of_roles = [*_check_rights(target), *_check_roles(target, roles, plans, rows, options)]
    of_roles += check_role_rights(client, target, roles)
    if options.only_roles:
        return of_roles
    return [
        *_check_version(facts, target, plans),
        *of_roles,
        *_check_databases(target, plans, rows),
        *_check_extensions(client, target, plans),
        *_check_locales(client, target, plans),
        *_room(facts, plans),
    ]


def _check_version(facts: KitFacts, target: Target, plans: Sequence[DatabasePlan]) -> Iterator[Finding]:
    needed = max([major_of(facts.server_version), *(major_of(p.dump.contents.server_version) for p in plans)])
    if target.major < needed:
        text = f"the server runs PostgreSQL {target.major}, the backup needs {needed} or newer"
        yield problem(text, f"create a server of PostgreSQL {needed} or newer")


def _check_rights(target: Target) -> Iterator[Finding]:
    hint = "run the kit as the administrator of the server"
    if not target.may_create_roles:
        yield problem(f"role {one_line(target.administrator)} may not create roles", hint)
    if not target.may_create_databases:
        yield problem(f"role {one_line(target.administrator)} may not create databases", hint)


def _check_databases(target: Target, plans: Sequence[DatabasePlan], rows: Mapping[str, Row]) -> Iterator[Finding]:
    for plan in plans:
        row = rows.get(plan.name)
        oid = target.databases.get(plan.name)
        if row and oid is not None and oid == row.mark and row.state == "done" and row.choice != plan.choice:
            text = f"database {one_line(plan.name)} was made by an earlier run of this kit, of another choice"
            yield problem(text, "repeat that choice, leave it out, or restore into another with --into OTHER")
        elif oid is not None and (row is None or row.mark not in {None, oid}):
            hint = "nothing is ever added to one: drop it, or restore into another with --database NAME --into OTHER"
            yield problem(f"database exists already: {one_line(plan.name)}", hint)
        if any(SCHEMA in {entry.namespace, entry.tag} for entry in plan.dump.contents.entries):
            yield problem(f"database {one_line(plan.name)} holds a schema {SCHEMA}, which the kit needs for itself")


def _check_roles(
    target: Target, roles: Roles, plans: Sequence[DatabasePlan], rows: Mapping[str, Row], options: Options
) -> Iterator[Finding]:
    for role in sorted(options.kept_roles - target.roles):
        yield problem(f"--keep-role {one_line(role)}: the server has no such role")
    yield from _check_existing(roles, is_asked=not options.updates_roles and ROLES not in rows)
    owners = {entry.owner for plan in plans for entry in plan.restored if entry.owner}
    owners |= {plan.dump.facts.owner for plan in plans if plan.dump.facts.owner}
    missing = owners - roles.created - target.roles
    for role in sorted(missing if target.is_superuser else missing - RESERVED_ROLES):
        hint = "the roles file does not make it: create it, then run the kit again"
        yield problem(f"role that owns objects is missing: {one_line(role)}", hint)


def _check_existing(roles: Roles, *, is_asked: bool) -> Iterator[Finding]:
    try:
        found = roles.look_at_existing()
    except VaultError as error:
        yield problem(f"the target's roles cannot be read: {error.message}", error.hint)
        return
    for role, what in found.different.items():
        if is_asked:
            hint = (
                "--existing-roles update gives it the backup's attributes, --keep-role leaves it as it is; or drop it"
            )
            yield problem(f"role exists already and differs: {one_line(role)}: {one_line(what)}", hint)


def _check_extensions(client: Client, target: Target, plans: Sequence[DatabasePlan]) -> Iterator[Finding]:
    wanted = sorted({e.tag for plan in plans for e in plan.restored if e.desc == "EXTENSION"} - {"plpgsql"})
    for name in wanted:
        if name in _OWN_WAYS:
            yield problem(f"extension {name} {_OWN_WAYS[name]}", f"leave it out: --without-extension {name}")
        if name not in target.extensions:
            hint = f"use a server that offers it, or leave it out: --without-extension {name}"
            yield problem(f"extension is not offered by the server: {one_line(name)}", hint)
        elif target.allowed is None and not target.is_superuser and not target.extensions[name]:
            hint = f"run the kit as a superuser, or leave it out: --without-extension {name}"
            yield problem(f"extension is for superusers only on this server: {one_line(name)}", hint)
    if target.allowed is not None:
        allowed = {name.lower() for name in target.allowed}
        missing = [name for name in wanted if name.lower() not in allowed]
        union = ",".join([*target.allowed, *missing])
        for name in missing:
            hint = f"allow it: {_set_parameter(client, 'azure.extensions', union)}; or --without-extension {name}"
            yield problem(f"extension is not in the server parameter azure.extensions: {one_line(name)}", hint)
    yield from _check_preloaded(client, target, wanted)


def _check_preloaded(client: Client, target: Target, wanted: Sequence[str]) -> Iterator[Finding]:
    needed = [name for name in wanted if name in PRELOADED]
    if target.preloaded is None:
        if needed:
            hint = "az postgres flexible-server parameter show --name shared_preload_libraries"
            text = f"shared_preload_libraries, which {', '.join(needed)} need, cannot be read by this administrator"
            yield note(text, hint)
        return
    missing = [name for name in needed if name not in target.preloaded]
    union = ",".join([*target.preloaded, *missing])
    for name in missing:
        restart = f"az postgres flexible-server restart --resource-group <GROUP> --name {_server(client)}"
        hint = f"{_set_parameter(client, 'shared_preload_libraries', union)} and then {restart}"
        text = f"extension needs its library in shared_preload_libraries: {name}"
        yield problem(text, hint) if PRELOADED[name] else note(text, hint)


def _set_parameter(client: Client, name: str, value: str) -> str:
    where = f"--resource-group <GROUP> --server-name {_server(client)}"
    return f"az postgres flexible-server parameter set {where} --name {name} --value {value}"


def _server(client: Client) -> str:
    host = client.environment.get("PGHOST", "")
    return host.partition(".")[0] if host.endswith(".azure.com") else "<SERVER>"


def _check_locales(client: Client, target: Target, plans: Sequence[DatabasePlan]) -> Iterator[Finding]:
    """Try each locale on a collation of the session's own, which is gone with it."""
    tried: dict[str, str] = {}
    for plan in plans:
        for sql in _collations(dict(plan.dump.facts.options), target):
            tried.setdefault(sql, plan.name)
    wanted = [f"CREATE COLLATION pg_temp.flexvault_{number} ({sql})" for number, sql in enumerate(tried)]
    for (sql, name), error in zip(tried.items(), client.try_all(wanted), strict=True):
        if error and "does not match locale" not in error:  # it is there, for another encoding than of this session
            hint = "use a server of the same kind and version as the source, such as another flexible server"
            yield problem(f"database {one_line(name)} needs a locale that the server has not: {sql}: {error}", hint)


def _collations(options: Mapping[str, str], target: Target) -> Iterator[str]:
    both = options.get("LOCALE", "")
    collate, ctype = options.get("LC_COLLATE", both), options.get("LC_CTYPE", both)
    if collate and ctype:
        yield f"PROVIDER = libc, LC_COLLATE = {quote_literal(collate)}, LC_CTYPE = {quote_literal(ctype)}"
    if options.get("LOCALE_PROVIDER") == "icu":
        locale = options.get("ICU_LOCALE", both)
        yield f"PROVIDER = icu, LOCALE = {quote_literal(locale)}"
    if options.get("LOCALE_PROVIDER") == "builtin" and target.major >= 17:  # noqa: PLR2004 - the first with that provider
        yield f"PROVIDER = builtin, LOCALE = {quote_literal(options.get('BUILTIN_LOCALE', both))}"


def _room(facts: KitFacts, plans: Sequence[DatabasePlan]) -> Iterator[Finding]:
    total = sum(_size(facts, plan.dump) for plan in plans)
    text = f"about {total / _GIB:.1f} GiB are needed; no server can be asked for its free room"
    if total >= _GIB:  # no server is too small for less
        yield note(text, "compare it with the server's storage; indexes and write-ahead log come on top")


def _size(facts: KitFacts, dump: Dump) -> float:
    """Estimate a database's bytes: of its rows where they were counted, else of its file times a measured factor."""
    verified = facts.verification.files.get(dump.file.name) if facts.verification else None
    if verified and verified.rows and all(rows.size_bytes is not None for rows in verified.rows):
        objects = verified.large_objects.size_bytes if verified.large_objects else 0
        return _ROOM_FACTORS["none"] * (sum(rows.size_bytes or 0 for rows in verified.rows) + (objects or 0))
    compression = dump.contents.compression
    factor = _ROOM_FACTORS["none" if compression == "none" else "gzip"]
    return factor * dump.contents.size_bytes if compression in READ_COMPRESSIONS else 4 * dump.contents.size_bytes
