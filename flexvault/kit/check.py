"""Check everything before anything is changed: programs, files, target. All that is in the way is said at once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flexvault.domain.dump_facts import SERVICE_DATABASES
from flexvault.domain.errors import VaultError
from flexvault.domain.landing_files import FileKind
from flexvault.domain.sql_text import one_line
from flexvault.kit.choice_checks import check_choice, price_of_extensions
from flexvault.kit.client import Client
from flexvault.kit.dumps import Dump, open_dump, roles_file, roles_script, walk_dump
from flexvault.kit.facts import KitFacts, KitFile
from flexvault.kit.finding import Finding, note, problem
from flexvault.kit.going_on import going_on
from flexvault.kit.load import Say
from flexvault.kit.options import Options
from flexvault.kit.plan import DatabasePlan, plan_database
from flexvault.kit.progress import Progress, Row
from flexvault.kit.roles import Roles
from flexvault.kit.source_checks import check_source
from flexvault.kit.target import Target, look_at, major_of
from flexvault.kit.target_checks import check_target

PROGRAMS: Final = ("psql", "pg_restore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found.

    Attributes:
        target: Nothing when it could not be asked.
        roles: Nothing without a target.
        plans: Of the databases that are restored, in the order of their names.
        system: Archives of databases that every server has already.
        rows: What an earlier run of this kit noted.
    """

    findings: tuple[Finding, ...]
    target: Target | None
    roles: Roles | None
    plans: tuple[DatabasePlan, ...]
    system: tuple[Dump, ...]
    rows: dict[str, Row]

    @property
    def is_ready(self) -> bool:
        """Whether nothing is in the way."""
        return not any(finding.is_error for finding in self.findings)


def check(client: Client, facts: KitFacts, folder: Path, options: Options, say: Say) -> Checked:
    """Check programs, files and target; nothing is changed."""
    findings: list[Finding] = [note(text) for text in facts.warnings]
    target, rows = _ask_target(client, facts, findings)
    dumps = _check_files(facts, folder, options, findings, say)
    findings += _check_programs(client, target, dumps)
    restored = [dump for dump in dumps if dump.database not in SERVICE_DATABASES]
    if not options.only_roles:
        findings += check_choice(dumps, restored, options)
    system = tuple(dump for dump in dumps if dump.database in SERVICE_DATABASES)
    if target is None:
        return Checked(findings=tuple(findings), target=None, roles=None, plans=(), system=system, rows=rows)
    plans: list[DatabasePlan] = []
    for dump in sorted(restored, key=lambda dump: dump.database):
        try:
            plans.append(plan_database(dump, target, options))
        except VaultError as error:
            findings.append(problem(error.message, error.hint))
    roles = Roles(client, target, options, _script(facts, folder))
    findings += check_source(client, facts, target, restored, is_allowed=options.allows_source)
    findings += check_target(client, facts, target=target, roles=roles, plans=plans, rows=rows, options=options)
    if not options.only_roles:
        findings += price_of_extensions(facts, plans, options)
        findings += going_on(rows, target.databases, plans)
    return Checked(findings=tuple(findings), target=target, roles=roles, plans=tuple(plans), system=system, rows=rows)


def _ask_target(client: Client, facts: KitFacts, findings: list[Finding]) -> tuple[Target | None, dict[str, Row]]:
    try:
        target = look_at(client)
        return target, Progress(client, facts.kit_id).read()
    except VaultError as error:
        findings.append(
            problem(f"the target: {error.message}", error.hint or "set PGHOST, PGPORT, PGUSER, PGPASSWORD, PGSSLMODE")
        )
    return None, {}


def _script(facts: KitFacts, folder: Path) -> str:
    file = roles_file(facts)
    return roles_script(folder, facts) if file and (folder / file.name).is_file() else ""


def _check_files(facts: KitFacts, folder: Path, options: Options, findings: list[Finding], say: Say) -> list[Dump]:
    dumps: list[Dump] = []
    for file in facts.files:
        if file.kind == FileKind.ROLES or (
            file.kind == FileKind.DATABASE
            and not options.only_roles
            and (not file.database or options.wants_listed(file.database))
        ):
            before = len(findings)
            findings += _check_file(file, folder, say)
            if file.kind == FileKind.DATABASE and len(findings) == before:
                try:
                    dump = open_dump(folder, file)
                    if dump.database in SERVICE_DATABASES or options.wants(dump.database):
                        dumps.append(walk_dump(dump))
                except VaultError as error:
                    findings.append(problem(error.message, "download the file again"))
    return dumps


def _check_file(file: KitFile, folder: Path, say: Say) -> list[Finding]:
    path = folder / file.name
    if not path.is_file():
        return [problem(f"file is missing: {path}", "download all files of the restore into one folder")]
    size = path.stat().st_size
    if size != file.size_bytes:
        return [problem(f"file has {size} bytes instead of {file.size_bytes}: {path}", "download it again")]
    say(f"check {one_line(file.name)}, {size} bytes")
    if file.sha256:
        with path.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != file.sha256:
                return [problem(f"file has another SHA-256 than the backup: {path}", "download it again")]
    return []


def _check_programs(client: Client, target: Target | None, dumps: Sequence[Dump]) -> list[Finding]:
    found: list[Finding] = []
    for program in PROGRAMS:
        try:
            major = major_of(client.run(program, "--version").decode(errors="replace"))
        except VaultError as error:
            found.append(problem(error.message, error.hint))
            continue
        if target is not None and major != target.major:
            hint = f"use the client of the server's version {target.major}: put its folder first on the PATH"
            found.append(problem(f"{program} is of version {major}, the server of version {target.major}", hint))
        newest = max((major_of(dump.contents.dump_version) for dump in dumps), default=0)
        if program == "pg_restore" and major < newest:
            hint = "rebuild on a server, and with a client, of that version or newer"
            found.append(problem(f"pg_restore is of version {major}, the archives are of version {newest}", hint))
    return found
