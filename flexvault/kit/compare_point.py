"""Compare a rebuilt server with the recovery point that it was rebuilt from. The source may be gone."""

import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from flexvault.domain.dump_contents import Contents, read_contents
from flexvault.domain.dump_facts import SERVICE_DATABASES
from flexvault.domain.errors import InvalidInputError, VaultError
from flexvault.domain.landing_files import FileKind
from flexvault.domain.never_restored import SERVICE_DATABASE
from flexvault.domain.role_script import decode_script
from flexvault.domain.row_digest import MODULUS, digest_text
from flexvault.domain.sql_text import readable
from flexvault.kit import large_objects
from flexvault.kit.choice import into_database
from flexvault.kit.client import Client, ClientError, MissingProgramError, connection_string
from flexvault.kit.compare_facts import compare_facts
from flexvault.kit.compare_roles import compare_roles
from flexvault.kit.comparison import Facts, Named, Tally, in_schema
from flexvault.kit.dump_definitions import (
    definitions,
    filled_views,
    is_object,
    left_out,
    lost_without_superuser,
    name_entry,
)
from flexvault.kit.facts import KitFacts, KitFile
from flexvault.kit.file_proof import FileProof, prove_files
from flexvault.kit.not_compared import NOT_CHOSEN, STATISTICS
from flexvault.kit.options import MANY_INTO_ONE, Options
from flexvault.kit.point_files import PointDatabase, digests_of_file, opened, read_database
from flexvault.kit.progress import DATABASE as REBUILD_DATABASE
from flexvault.kit.restore_report import RestoreReport
from flexvault.kit.row_checks import Relation, TableKey, relations_of, row_checks, table_of
from flexvault.kit.row_streams import json_rows
from flexvault.kit.sequences import sequences_of_contents, sequences_of_server
from flexvault.kit.target import look_at
from flexvault.kit.target_rows import compare_rows

_DATABASES: Final = """
SELECT json_build_array(datname, to_jsonb(d) ->> 'datcollversion') FROM pg_database AS d
WHERE datallowconn AND NOT datistemplate OR datname NOT IN ('template0', 'template1')"""
_NOT_IN_A_DUMP: Final = "a dump does not hold it"


class PointComparison:
    """Compares one target with one recovery point."""

    def __init__(
        self,
        client: Client,
        facts: KitFacts,
        folder: Path,
        options: Options,
        *,
        said: RestoreReport,
        on_line: Callable[[str], None],
    ) -> None:
        self._client, self._facts, self._folder = client, facts, folder
        self._options, self._said, self._on_line = options, said, on_line
        against = f"the recovery point of {facts.server_name} of {facts.recovery_point_time}"
        self.tally = Tally(against=against)
        self._target = look_at(client)
        self.proofs: dict[str, FileProof] = {}

    def compare(self) -> None:
        """Compare databases, all or those that were chosen, and the roles."""
        found = {str(row[0]): row[1] for row in json_rows(self._client, _DATABASES)}
        wanted: list[KitFile] = []
        for file in self._facts.files:
            if file.kind != FileKind.DATABASE:
                continue
            named = Named(file.database, "database", "")
            if file.database in SERVICE_DATABASES:
                self.tally.leave_out(named, SERVICE_DATABASE)
            elif not self._options.wants_listed(file.database):
                self.tally.leave_out(named, NOT_CHOSEN)
            else:
                wanted.append(file)
        if self._options.into and len(wanted) != 1:
            raise InvalidInputError(MANY_INTO_ONE, hint="choose one with --database")
        self._prove([*wanted, *(file for file in self._facts.files if file.kind == FileKind.ROLES)])
        for file in wanted:
            if self._is_other(file, Named(file.database, "database", "")):
                continue
            try:
                database = read_database(self._facts, file, self._folder, self._options, on_line=self._on_line)
            except VaultError as error:
                self.tally.not_proven(Named(file.database, "database", ""), error.message)
                continue
            self._compare_database(database, found)
        self._compare_names(found, {readable(file.database) for file in wanted})
        self._compare_roles(is_choice=bool(self._options.named or self._facts.left_out))

    def _prove(self, files: list[KitFile]) -> None:
        """Hash what is to be read: an altered definition has the same number of bytes."""
        self.proofs = prove_files(self._folder, files, jobs=self._options.jobs, on_line=self._on_line)
        self.tally.unproven_files += [name for name, proof in self.proofs.items() if proof.proof == "notProven"]

    def _is_other(self, file: KitFile, named: Named) -> bool:
        """Say whether a file is not the backup's: then nothing is compared with it, and that is recorded."""
        problem = self.proofs[file.name].problem
        if problem:
            self.tally.not_proven(named, problem)
        return bool(problem)

    def _compare_names(self, found: Collection[str], expected: Collection[str]) -> None:
        known = {file.database for file in self._facts.files}
        known |= {*self._facts.left_out, self._options.into, REBUILD_DATABASE}  # of the last, `compare` tells
        for name in sorted(self._options.named):
            if readable(name) not in expected:
                self.tally.not_proven(
                    Named(name, "database", ""), "chosen, but the recovery point's files have no such"
                )
        for name in self._facts.left_out:
            self.tally.leave_out(Named(name, "database", ""), "left out of this restore by choice")
        for name in sorted(set(found) - known - SERVICE_DATABASES):
            if self._options.named or self._facts.left_out:
                self.tally.leave_out(Named(name, "database", ""), "the target has it of its own")
            else:
                self.tally.differ(Named(name, "database", ""), None, "a database")

    def _compare_roles(self, *, is_choice: bool) -> None:
        scripts = [file for file in self._facts.files if file.kind == FileKind.ROLES]
        if not scripts:
            self.tally.not_proven(Named("", "roles", ""), "the recovery point's files have no roles script")
        for file in scripts:
            if self._is_other(file, Named("", "roles", "")):
                continue
            try:
                with opened(self._folder / file.name) as read:
                    script = decode_script(read(0, file.size_bytes))
                compare_roles(self._client, self._target, script, self.tally, said=self._said, is_choice=is_choice)
            except VaultError as error:
                self.tally.not_proven(Named("", "roles", ""), error.message)

    def _compare_database(self, database: PointDatabase, versions: Mapping[str, str | None]) -> None:
        chosen = database.chosen
        name = chosen.database
        named = Named(name, "database", "")
        self.tally.expect(self._said.reasons(database.contents, database.file.database))
        version = versions.get(name) or "none"
        self.tally.leave_out(
            Named(name, "collation version", ""), f"{_NOT_IN_A_DUMP}; the target has {version}", state="derived"
        )
        self._name_the_rest(database)
        if name not in versions:
            self.tally.differ(named, database.file.name, None)
            return
        self.tally.equal(named, "databases")
        try:
            relations = relations_of(self._client, name)
        except ClientError as error:
            self.tally.not_proven(named, f"refused: {error.message}")
            return
        checks = row_checks(database, relations, self.tally)
        jobs = self._options.jobs
        compare_rows(self._client, chosen, checks, self.tally, jobs=jobs, on_line=self._on_line)
        self._compare_sequences(chosen)
        self._compare_objects(database)
        self._compare_views(chosen, relations)
        self._compare_definitions(chosen, {name_entry(name, entry) for entry, _ in database.rest})
        self.tally.leave_out(Named(name, "planner statistics", ""), STATISTICS, state="derived")

    def _name_the_rest(self, database: PointDatabase) -> None:
        """Name what was not chosen: it is neither missing nor equal."""
        name = database.contents.database
        for entry, reason in database.rest:
            if is_object(entry):
                self.tally.leave_out(name_entry(name, entry), reason)
            elif entry.desc == "TABLE DATA":
                self.tally.leave_out(Named(name, "rows of", in_schema(*table_of(entry))), reason)
        if any(entry.desc in {"BLOB", "BLOB METADATA"} for entry, _ in database.rest):
            self.tally.leave_out(Named(name, "large objects", ""), NOT_CHOSEN)

    def _compare_sequences(self, contents: Contents) -> None:
        found, refused = sequences_of_server(self._client, contents.database)
        for named, reason in refused.items():
            self.tally.not_proven(named, f"refused: {reason}")
        wanted = {named: value for named, value in sequences_of_contents(contents).items() if named not in refused}
        # One that the source had not is found by its definition.
        compare_facts(
            self.tally, wanted, {named: found[named] for named in wanted if named in found}, counted_as="sequences"
        )

    def _compare_objects(self, database: PointDatabase) -> None:
        contents = database.chosen
        administrator = "" if self._target.is_superuser else self._target.administrator
        wanted = large_objects.facts_of_contents(contents, administrator=administrator)
        found = large_objects.facts_of_server(self._client, contents.database)
        reasons = {} if self._target.is_superuser else lost_without_superuser(contents)
        compare_facts(self.tally, wanted, found, reasons=reasons)
        expected = database.objects
        named = Named(contents.database, "large objects", "")
        if expected.rows is None:
            self.tally.not_proven(named, f"not counted: {expected.reason}")
            return
        try:
            digests = large_objects.digests_of_server(self._client, contents.database)
            total = digest_text(sum(digests.values()) % MODULUS)
            if (len(digests), total) == (expected.rows.count, expected.rows.digest):
                source = digests
            else:
                source = digests_of_file(database)
        except VaultError as error:
            self.tally.not_proven(named, error.message)
            return
        compare_facts(
            self.tally,
            _bytes_facts(contents.database, source),
            _bytes_facts(contents.database, digests),
            counted_as="largeObjects",
        )

    def _compare_views(self, contents: Contents, relations: dict[TableKey, Relation]) -> None:
        filled = filled_views(contents)
        for entry in contents.entries:
            if entry.desc != "MATERIALIZED VIEW":
                continue
            name = in_schema(entry.namespace, entry.tag)
            relation = relations.get((entry.namespace, entry.tag))
            if relation is None:
                continue  # its definition is missing, and that is said
            states = ["filled" if known else "not filled" for known in (name in filled, relation.is_populated)]
            named = Named(contents.database, "state of materialized view", name)
            compare_facts(self.tally, {named: states[0]}, {named: states[1]})
            reason = "it was filled again from its query"
            self.tally.leave_out(Named(contents.database, "rows of materialized view", name), reason, state="derived")
        for entry in contents.entries:
            if entry.desc == "EXTENSION":
                named = Named(contents.database, "version of extension", entry.tag)
                self.tally.leave_out(named, _NOT_IN_A_DUMP, state="derived")

    def _compare_definitions(self, contents: Contents, rest: Collection[Named]) -> None:
        name = contents.database
        omitted = left_out(contents)
        for named, reason in omitted.items():
            self.tally.leave_out(named, reason)
        try:
            found = self._dump_definitions(contents)
        except (ClientError, MissingProgramError) as error:
            self.tally.not_proven(Named(name, "definitions", ""), f"refused: {error.message}")
            return
        majors = _major(contents.dump_version), _major(found.dump_version)
        reasons = {} if self._target.is_superuser else lost_without_superuser(contents)
        wanted = definitions(contents)
        # What an extension brings is there although it was not chosen.
        beside = omitted.keys() | set(rest).difference(wanted)
        compare_facts(
            self.tally,
            wanted,
            {named: value for named, value in definitions(found).items() if named not in beside},
            reasons=reasons,
            majors=majors if majors[0] != majors[1] else None,
        )

    def _dump_definitions(self, like: Contents) -> Contents:
        """Dump the target's definitions in the encoding of the source's: names of roles have bytes, not letters."""
        with tempfile.TemporaryDirectory(prefix="flexvault-") as folder:
            path = Path(folder) / "definitions"
            arguments = ("--format=custom", "--schema-only", "--no-password", f"--encoding={like.encoding}")
            at = (f"--file={path}", f"--dbname={connection_string(like.database)}")
            self._client.run("pg_dump", *arguments, *at)
            with opened(path) as read:
                found = read_contents(read, path.stat().st_size, name=f"the definitions of {like.database}")
        # Both sides then quote the name alike.
        return into_database(found, like.database) if self._options.into else found


def _bytes_facts(database: str, digests: dict[int, int]) -> Facts:
    return {Named(database, "large object", str(oid)): f"digest {digest:032x}" for oid, digest in digests.items()}


def _major(version: str) -> str:
    return version.split(".", 1)[0]
