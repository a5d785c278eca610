"""Make the kit that goes with a restore as files: everything that rebuilds a server from them, and a plain word on it.

The target is not known when the kit is made: the script asks it for its version and whether its administrator is a
superuser, and takes the matching roles script and list. Roles come first, then each database from template0 with its
exact name, owner, encoding and locale, then its objects, and at last its own settings and grants, because
`default_transaction_read_only` would refuse the data.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from flexvault.domain.dump_archive import Archive
from flexvault.domain.dump_contents import Entry
from flexvault.domain.dump_facts import SERVICE_DATABASES, DatabaseFacts, database_facts, describe, qualified
from flexvault.domain.errors import IntegrityError
from flexvault.domain.rebuild_script import DatabaseStep, FileCheck, write_script
from flexvault.domain.rebuild_text import DatabaseNote, LeftOut, write_readme, write_roles_report
from flexvault.domain.role_script import RESERVED_ROLES, RoleStatement, plan_roles
from flexvault.domain.sql_text import quote_literal, quote_name, readable

KIT_VERSION: Final = 1
_FIRST_WITH_SET_OPTION: Final = 16
_OF_THE_SESSION: Final = frozenset({"ENCODING", "STDSTRINGS", "SEARCHPATH"})
_NEVER_RESTORED: Final = {
    "SUBSCRIPTION": "would connect to the publisher again; its definition in the dump holds a password",
    "SECURITY LABEL": "needs the provider that wrote it",
}
_DATABASE_CHECK: Final = """
SELECT 'database exists already: ' || datname FROM pg_catalog.pg_database WHERE datname IN ({names});
"""
_EXTENSION_CHECK: Final = """
SELECT 'extension is not offered by the server: ' || wanted FROM unnest(ARRAY[{names}]) AS wanted
WHERE wanted NOT IN (SELECT name FROM pg_catalog.pg_available_extensions);
SELECT 'extension is not in the server parameter azure.extensions: ' || wanted FROM unnest(ARRAY[{names}]) AS wanted
WHERE lower(wanted) <> ALL (string_to_array(lower(replace(current_setting('azure.extensions', true), ' ', '')), ','));
"""
_ROLE_CHECK: Final = """
SELECT 'role exists already (REBUILD_EXISTING_ROLES=update changes it): ' || rolname FROM pg_catalog.pg_roles
WHERE :'existing_roles' <> 'update' AND rolname <> current_user AND rolname IN ({names});
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KitFile:
    """A file of the restore, named as it lies in the target container.

    Attributes:
        name: Blob name without the folder part that all files share.
        sha256: In hex, when the manifest has it.
    """

    name: str
    size_bytes: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KitDatabase:
    """A dump file and what its table of contents says."""

    file: KitFile
    archive: Archive


@dataclass(frozen=True, slots=True, kw_only=True)
class KitFacts:
    """What a kit is made of.

    Attributes:
        file_prefix: Of the restore request.
        roles_script: Decoded text of the roles file; nothing when the backup has none.
        other_files: Files that a rebuild does not use.
        server_version: Of the source server, such as `16.4`.
        recovery_point_time: ISO 8601 with zone.
        with_passwords: Put the roles' password verifiers into the kit.
    """

    file_prefix: str
    databases: tuple[KitDatabase, ...]
    roles_file: KitFile | None
    roles_script: str | None
    other_files: tuple[KitFile, ...]
    server_name: str
    server_id: str
    server_version: str
    recovery_point_id: str
    recovery_point_time: str
    manifest_sha256: str
    with_passwords: bool = False

    @property
    def source_major(self) -> int:
        """Major version of the source server."""
        return major_of(self.server_version)


def major_of(version: str) -> int:
    """Return the major version of `16.4` or of `18.4 (Debian 18.4-1)`.

    Raises:
        IntegrityError: The text begins with no number.
    """
    digits = re.match(r"\d+", version)
    if digits is None:
        raise IntegrityError(f"{version!r} is no version of PostgreSQL", code="UnknownVersion")
    return int(digits[0])


def build_kit(facts: KitFacts) -> dict[str, bytes]:
    """Return the kit's files: name relative to `{filePrefix}_rebuild/` -> content.

    Raises:
        IntegrityError: Two files hold the same database.
    """
    restored = [database for database in facts.databases if database.archive.database not in SERVICE_DATABASES]
    _refuse_duplicates(restored)
    plans = _plan_all(facts)
    files: dict[str, str] = {}
    steps: list[DatabaseStep] = []
    notes: list[DatabaseNote] = []
    for position, database in enumerate(restored, start=1):
        step = DatabaseStep(number=f"{position:02d}", name=database.archive.database, file=database.file.name)
        properties = database_facts(database.archive)
        left_out = _left_out(database.archive)
        files |= _database_files(step, database.archive, properties, left_out)
        steps.append(step)
        notes.append(DatabaseNote(step=step, facts=describe(database.archive), left_out=left_out))
    files["checks.sql"] = _checks(restored, plans)
    files |= _role_files(plans, restored)
    files["roles-report.txt"] = write_roles_report(plans, has_script=facts.roles_script is not None)
    files["rebuild.sh"] = write_script(
        title=f"Rebuilds {facts.server_name} as of {facts.recovery_point_time} from its files ({facts.file_prefix}).",
        oldest_major=max([facts.source_major, *(major_of(item.archive.dump_version) for item in restored)]),
        files=_checked_files(facts, restored),
        databases=tuple(steps),
        has_roles=facts.roles_script is not None,
    )
    skipped = tuple(database.archive.database for database in facts.databases if database not in restored)
    files["README.md"] = _readme(facts, notes, skipped)
    files["kit.json"] = _kit_json(facts, notes, skipped, plans)
    return {name: text.encode("utf-8", "surrogateescape") for name, text in files.items()}


def _readme(facts: KitFacts, notes: list[DatabaseNote], skipped: tuple[str, ...]) -> str:
    return write_readme(
        server_name=facts.server_name,
        server_version=facts.server_version,
        recovery_point_id=facts.recovery_point_id,
        recovery_point_time=facts.recovery_point_time,
        with_passwords=facts.with_passwords,
        has_roles=facts.roles_script is not None,
        databases=tuple(notes),
        skipped_databases=skipped,
    )


def _refuse_duplicates(databases: list[KitDatabase]) -> None:
    seen: dict[str, str] = {}
    for database in databases:
        name = database.archive.database
        if name in seen:
            raise IntegrityError(
                f"{seen[name]} and {database.file.name} both hold database {readable(name)}", target=database.file.name
            )
        seen[name] = database.file.name


def _plan_all(facts: KitFacts) -> dict[str, tuple[RoleStatement, ...]]:
    """Plan the roles for each kind of target: file name -> plan."""
    if facts.roles_script is None:
        return {}
    targets = {"roles.sql": (max(facts.source_major, _FIRST_WITH_SET_OPTION), False)}
    if facts.source_major < _FIRST_WITH_SET_OPTION:
        targets["roles-15-and-older.sql"] = (facts.source_major, False)
    targets["roles-superuser.sql"] = (facts.source_major, True)
    return {
        name: plan_roles(
            facts.roles_script,
            target_major=major,
            administrator="",  # asked of the target: the scripts leave the role alone that runs them
            has_superuser=has_superuser,
            with_passwords=facts.with_passwords,
        )
        for name, (major, has_superuser) in targets.items()
    }


def _left_out(archive: Archive) -> tuple[LeftOut, ...]:
    return tuple(
        LeftOut(dump_id=entry.dump_id, desc=entry.desc, name=_shown(entry), reason=reason, always=always)
        for entry in archive.entries
        for reason, always in [_why_left_out(entry)]
        if reason
    )


def _why_left_out(entry: Entry) -> tuple[str, bool]:
    """Return why an entry is not restored and whether that holds for every target, not only without a superuser."""
    if entry.desc in _NEVER_RESTORED:
        return _NEVER_RESTORED[entry.desc], True
    if entry.desc == "ACL" and entry.namespace == "pg_catalog":
        return "only a superuser changes rights on system objects", False
    if entry.desc == "PUBLICATION" and "FOR ALL TABLES" in entry.definition:
        return "only a superuser publishes all tables; name the tables instead", False
    if entry.owner in RESERVED_ROLES and (entry.desc, entry.tag) == ("SCHEMA", "public"):
        return "every database has it, owned by the service", False
    if entry.owner in RESERVED_ROLES and entry.desc == "DEFAULT ACL":
        return f"default privileges of the service's own role {entry.owner}", False
    return "", False


def _database_files(
    step: DatabaseStep, archive: Archive, properties: DatabaseFacts, left_out: tuple[LeftOut, ...]
) -> dict[str, str]:
    prefix = f"databases/{step.number}"
    always = {item.dump_id: item for item in left_out if item.always}
    managed = {item.dump_id: item for item in left_out}
    schemas = [entry for entry in archive.entries if entry.desc == "SCHEMA"]
    rights = [entry for entry in archive.entries if entry.desc == "ACL" and entry.tag.startswith("SCHEMA ")]
    apart = {entry.dump_id for entry in (*schemas, *rights)}
    main = [entry for entry in archive.entries if entry.dump_id not in apart]
    loans = _loans(archive)
    return {
        f"{prefix}.create.sql": _create_sql(properties),
        f"{prefix}.after.sql": "".join(f"{text.strip()}\n" for text in properties.after),
        f"{prefix}.list": _use_list(archive.entries, always),
        f"{prefix}.managed.schemas.list": _use_list(schemas, managed),
        f"{prefix}.managed.lend.sql": "".join(
            f"GRANT CREATE ON SCHEMA {schema} TO {role};\n" for schema, role in loans
        ),
        f"{prefix}.managed.list": _use_list(main, managed),
        f"{prefix}.managed.return.sql": "".join(
            f"REVOKE CREATE ON SCHEMA {schema} FROM {role};\n" for schema, role in loans
        ),
        f"{prefix}.managed.rights.list": _use_list(rights, managed),
    }


def _loans(archive: Archive) -> list[tuple[str, str]]:
    """Return quoted pairs of schema and owner: who owns an object in a schema that is not the owner's."""
    owner_of = {entry.tag: entry.owner for entry in archive.entries if entry.desc == "SCHEMA"}
    pairs = {
        (entry.namespace, entry.owner)
        for entry in archive.entries
        if entry.namespace not in {"", "pg_catalog"} and entry.owner and entry.owner not in RESERVED_ROLES
    }
    return sorted((quote_name(schema), quote_name(role)) for schema, role in pairs if owner_of.get(schema) != role)


def _create_sql(properties: DatabaseFacts) -> str:
    options = ["TEMPLATE = template0"]
    for key, value in properties.options:
        options.append(f"{key} = {value if key == 'LOCALE_PROVIDER' else quote_literal(value)}")
    name = quote_name(properties.name)
    script = f"CREATE DATABASE {name} WITH {' '.join(options)};\n"
    if properties.owner and properties.owner not in RESERVED_ROLES:
        script += f"ALTER DATABASE {name} OWNER TO {quote_name(properties.owner)};\n"
    return script


def _use_list(entries: Iterable[Entry], left_out: dict[int, LeftOut]) -> str:
    """Write a list for `pg_restore --use-list`: the table of contents in its order, what is left out as a comment."""
    lines: list[str] = []
    for entry in entries:
        if entry.desc in _OF_THE_SESSION or entry.desc.startswith("DATABASE") or entry.tag.startswith("DATABASE "):
            continue
        line = f"{entry.dump_id}; {entry.desc} {_shown(entry)} {entry.owner or '-'}"
        omitted = left_out.get(entry.dump_id)
        line = f"; left out, {omitted.reason}: {line}" if omitted else line
        lines.append(" ".join(line.split()))
    return "".join(f"{line}\n" for line in lines)


def _shown(entry: Entry) -> str:
    return qualified(entry.namespace, entry.tag) if entry.desc in {"TABLE", "TABLE DATA"} else entry.tag


def _checks(databases: list[KitDatabase], plans: dict[str, tuple[RoleStatement, ...]]) -> str:
    """Write queries that print one line for each thing of the target that is in the way."""
    names = [database.archive.database for database in databases]
    roles = sorted({plan.role for plan in plans.get("roles-superuser.sql", ()) if _creates(plan)})
    extensions = sorted(
        {entry.tag for database in databases for entry in database.archive.entries if entry.desc == "EXTENSION"}
    )
    checks = ((_DATABASE_CHECK, names), (_EXTENSION_CHECK, extensions), (_ROLE_CHECK, roles))
    return "".join(query.replace("{names}", ", ".join(map(quote_literal, found))) for query, found in checks if found)


def _creates(plan: RoleStatement) -> bool:
    return plan.sql is not None and plan.sql.startswith("CREATE ROLE ")


def _role_files(plans: dict[str, tuple[RoleStatement, ...]], databases: list[KitDatabase]) -> dict[str, str]:
    files = {name: _roles_sql(plan, grants_itself=name == "roles.sql") for name, plan in plans.items()}
    if "roles-15-and-older.sql" in plans:
        created = {plan.role for plan in plans["roles-15-and-older.sql"] if _creates(plan)}
        owners = {entry.owner for database in databases for entry in database.archive.entries if entry.owner}
        borrowed = sorted(created & owners)
        files["owners-borrow.sql"] = _for_all(borrowed, "GRANT {} TO CURRENT_USER;")
        files["owners-return.sql"] = _for_all(borrowed, "REVOKE {} FROM CURRENT_USER;")
    return files


def _for_all(roles: list[str], statement: str) -> str:
    return "".join(_guarded(role, [statement.format(quote_name(role))]) for role in roles)


def _roles_sql(plan: tuple[RoleStatement, ...], *, grants_itself: bool) -> str:
    # From 16 on who is no superuser may give objects to a role that it created only with SET, granted in that moment.
    script = "SET createrole_self_grant = 'set, inherit';\n" if grants_itself else ""
    for statement in plan:
        if not statement.is_run:
            continue
        if _creates(statement):
            condition = f"NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {quote_literal(statement.role)})"
            script += _conditional(condition, [f"{statement.sql};"])
        else:
            script += _guarded(statement.role, [f"{statement.sql};"])
    return script


def _guarded(role: str, lines: list[str]) -> str:
    """Run statements about a role unless it is the one that runs the rebuild."""
    return _conditional(f"current_user <> {quote_literal(role)}", lines)


def _conditional(condition: str, lines: list[str]) -> str:
    return "\n".join([f"SELECT {condition} AS wanted \\gset", "\\if :wanted", *lines, "\\endif", ""])


def _checked_files(facts: KitFacts, restored: list[KitDatabase]) -> tuple[FileCheck, ...]:
    files = [database.file for database in restored] + ([facts.roles_file] if facts.roles_file else [])
    return tuple(FileCheck(name=file.name, size_bytes=file.size_bytes, sha256=file.sha256) for file in files)


def _kit_json(
    facts: KitFacts,
    notes: list[DatabaseNote],
    skipped: tuple[str, ...],
    plans: dict[str, tuple[RoleStatement, ...]],
) -> str:
    """Write the kit's facts for programs. Role statements appear without their SQL, which may hold a password."""
    all_files = [database.file for database in facts.databases]
    all_files += [file for file in (facts.roles_file, *facts.other_files) if file is not None]
    content: dict[str, Any] = {
        "kitVersion": KIT_VERSION,
        "filePrefix": facts.file_prefix,
        "server": {"name": facts.server_name, "id": facts.server_id, "version": facts.server_version},
        "recoveryPoint": {"id": facts.recovery_point_id, "time": facts.recovery_point_time},
        "manifestSha256": facts.manifest_sha256,
        "withPasswords": facts.with_passwords,
        "files": [{"name": file.name, "sizeBytes": file.size_bytes, "sha256": file.sha256} for file in all_files],
        "databases": [note.to_json() for note in notes],
        "skippedDatabases": [readable(name) for name in skipped],
        "roles": {
            name: [
                {"role": readable(item.role), "verdict": item.verdict, "reason": readable(item.reason)} for item in plan
            ]
            for name, plan in plans.items()
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
