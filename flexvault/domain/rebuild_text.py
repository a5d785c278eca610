"""Write the texts of a rebuild kit that people read: README.md and the report on roles."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from flexvault.domain.dump_facts import Json
from flexvault.domain.rebuild_script import DatabaseStep
from flexvault.domain.role_script import RoleStatement
from flexvault.domain.sql_text import readable

_TARGETS = {
    "roles.sql": "a server without superuser (flexible server), PostgreSQL 16 or newer",
    "roles-15-and-older.sql": "a server without superuser (flexible server), PostgreSQL 15 or older",
    "roles-superuser.sql": "a server whose administrator is a superuser",
}
_QUIET_VERDICTS = frozenset({"apply", "rewrite"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An entry of a dump that is not restored.

    Attributes:
        always: On every target, not only where there is no superuser.
    """

    dump_id: int
    desc: str
    name: str
    reason: str
    always: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseNote:
    """What a reader should know of one database; `facts` is `dump_facts.describe`."""

    step: DatabaseStep
    facts: dict[str, Json]
    left_out: tuple[LeftOut, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the note as `kit.json` holds it."""
        left_out = [
            {"kind": item.desc, "name": readable(item.name), "reason": item.reason, "always": item.always}
            for item in self.left_out
        ]
        return {"number": self.step.number, "file": self.step.file, "leftOut": left_out, **self.facts}


def write_readme(
    *,
    server_name: str,
    server_version: str,
    recovery_point_id: str,
    recovery_point_time: str,
    with_passwords: bool,
    has_roles: bool,
    databases: tuple[DatabaseNote, ...],
    skipped_databases: tuple[str, ...],
) -> str:
    """Say in plain words what to run, in which order, and what the files do not hold."""
    parts = [
        _INTRODUCTION.format(
            server=server_name, version=server_version, point=recovery_point_id, time=recovery_point_time
        ),
        _PASSWORDS_KEPT if with_passwords else _PASSWORDS_MISSING,
    ]
    if not has_roles:
        parts.append("- **Roles.** The backup holds no roles file: create the owners of all objects first.\n")
    parts.append("\n## Databases\n")
    parts += [_database_section(note) for note in databases]
    if skipped_databases:
        names = ", ".join(_code(name) for name in sorted(skipped_databases))
        parts.append(
            f"\nNot restored, because every server has its own: {names}. Objects that you made there are in the file; "
            "restore them by hand.\n"
        )
    return "".join(parts)


def write_roles_report(plans: dict[str, tuple[RoleStatement, ...]], *, has_script: bool) -> str:
    """Report each statement's verdict per kind of target: counts first, then what needs a person's eye."""
    if not has_script:
        return "The backup holds no roles file.\n"
    lines: list[str] = []
    for name, plan in plans.items():
        counts = Counter(item.verdict for item in plan)
        lines.append(f"{name}: for {_TARGETS[name]}")
        lines.append("  " + ", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items())))
        for item in plan:
            if item.verdict in _QUIET_VERDICTS and not item.reason:
                continue
            role = " ".join(readable(item.role).split()) or "-"
            lines.append(f"  {item.verdict:8} {role}: {' '.join(readable(item.reason).split())}")
            if item.verdict == "ask" and item.sql:
                lines.append(f"           {' '.join(readable(item.sql).split())};")
        lines.append("")
    return "\n".join(lines)


def _database_section(note: DatabaseNote) -> str:
    facts = note.facts
    tables, extensions = facts["tables"], facts["extensions"]
    lines = [
        f"\n### {_code(note.step.name)}\n",
        f"- File {_code(note.step.file)}.",
        f"- Owner {_code(str(facts['owner']))}, encoding {facts['encoding']}, {_locale(facts['locale'])}.",
        f"- {len(tables) if isinstance(tables, list) else 0} tables, {facts['largeObjects']} large objects.",
    ]
    if isinstance(extensions, list) and extensions:
        lines.append(
            f"- Extensions that the server must offer: {', '.join(map(str, extensions))}. On a flexible server allow "
            "them in the server parameter `azure.extensions` first."
        )
    if note.left_out:
        lines.append("- Left out (`databases/NN.list` shows them as comments):")
        for item in note.left_out:
            where = "" if item.always else " (only on a server without superuser)"
            lines.append(f"  - {item.desc.lower()} {_code(item.name)}: {item.reason}{where}")
    return "\n".join(lines) + "\n"


def _locale(locale: Json) -> str:
    options = locale.items() if isinstance(locale, dict) else ()
    return ", ".join(f"{option} {value}" for option, value in options) or "the server's locale"


def _code(text: str) -> str:
    """Show a name in one line as Markdown code, whatever characters it has."""
    shown = " ".join(readable(text).split())
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


_INTRODUCTION = """# Rebuild of {server}

Recovery point `{point}` of {time}, PostgreSQL {version}.

## What to do

1. Create a new, empty server of the same or a newer PostgreSQL version. Never use the source server.
2. Match its server parameters to the old ones, above all `azure.extensions` and `shared_preload_libraries`, restart it.
3. Download all files of this restore into one folder, this folder among them, and install the PostgreSQL client (psql,
   pg_restore) of the new server's version.
4. Run, as the administrator of the new server:

   ```
   PGHOST=... PGPORT=5432 PGUSER=... PGPASSWORD=... PGSSLMODE=require bash rebuild.sh
   ```

5. Read `roles-report.txt`: it names each role statement that was changed, left out or waits for your word.

Without superuser on PostgreSQL 16 or newer your administrator stays a member of the roles that it created: revoke
what you do not want.

The script checks the files and the server first and changes nothing until all is in order. Then it creates the roles
(in one transaction), and per database: the database itself with name, owner, encoding and locale, its tables, its data,
its indexes and keys, and at last its settings and grants. It stops at the first error. To go on after one, remove the
cause, drop the databases that the script made, and run it again with `REBUILD_EXISTING_ROLES=update`.

To leave out a single object put a semicolon in front of its line in `databases/NN.list` (on a server without superuser:
`databases/NN.managed.list`).

## What is not in the files

- **Server parameters, firewall rules, private endpoints, tags, Microsoft Entra administrators.** They belong to the
  Azure resource, not to the databases.
- **Tablespaces.** All objects go to the default one.
- **Subscriptions and security labels.** They are left out, see below.
- **Replication slots and statistics.** The script runs ANALYZE; slots begin anew.
- **The contents of materialized views.** They are computed again from the restored tables.
- **Functions that rely on the application's search_path** inside generated columns, checks or indexes may fail, because
  pg_restore empties that path.
"""

_PASSWORDS_MISSING = """- **Passwords of roles.** Set new ones: `ALTER ROLE name PASSWORD '...'`.
"""

_PASSWORDS_KEPT = """- Passwords of roles **are** in the roles scripts, as verifiers: treat this folder as a secret.
"""
