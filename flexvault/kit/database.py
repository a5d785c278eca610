"""Rebuild one database: make it, its definitions, its data, its indexes and keys, its settings and grants."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from flexvault.domain.dump_contents import Entry
from flexvault.domain.dump_head import Change
from flexvault.domain.errors import ConflictError
from flexvault.domain.role_script import RESERVED_ROLES
from flexvault.domain.sql_text import one_line, quote_literal, quote_name, readable
from flexvault.kit.client import Client, ClientError, RestoreError
from flexvault.kit.known_errors import reason_of
from flexvault.kit.load import HalfLoadedError, Say, begin_loading, end_loading, load
from flexvault.kit.outcome import Outcome, in_words
from flexvault.kit.own_path import (
    FIRST_WITH_SAFE_PATH,
    NEEDS_PATH,
    UNDER_PATH,
    ReboundError,
    creators,
    may_help,
    newest_transaction,
    path_of,
    require_same_binding,
    under_path,
    with_search_path,
)
from flexvault.kit.own_statements import set_up
from flexvault.kit.plan import DatabasePlan, dependents, is_table_method, outcome, shown
from flexvault.kit.progress import Progress, Row, State
from flexvault.kit.target import Target

_RIGHTS: Final = frozenset({"ACL", "DEFAULT ACL"})
"""Entries that pg_restore runs behind all others."""
_HOLDS_SECRETS: Final = frozenset({"SERVER", "USER MAPPING"})
_QUIET: Final = frozenset({"ACL", "COMMENT", "TABLE DATA", "SEQUENCE SET", "SEQUENCE OWNED BY", "DEFAULT", "BLOBS"})


class DatabaseRebuild:
    """The rebuild of one database."""

    def __init__(
        self, client: Client, target: Target, plan: DatabasePlan, progress: Progress, *, jobs: int, say: Say
    ) -> None:
        self._client, self._target, self._plan, self._progress = client, target, plan, progress
        self._jobs, self._say = jobs, say
        self._outcomes: list[Outcome] = []
        self._gone: dict[int, int] = {}  # refused, and what depends on it: dump id -> the refused one
        self._lost_methods: set[int] = set()  # access methods of tables that the target refused

    def run(self, row: Row | None) -> list[Outcome]:
        """Rebuild it, or go on where an earlier run stopped.

        Raises:
            ClientError: The target refused something that is not known to be refused.
            ConflictError: A database of this name is not this kit's.
        """
        plan = self._plan
        mark = self._mark()
        if row and row.choice == plan.choice and mark is not None and mark == row.mark:
            if row.state == "done":
                self._tell("done by an earlier run")
                return list(row.outcomes)
            if row.state == "data" and self._go_on(row):
                return self._finish(mark)
        mark = self._create(row, mark)
        self._define()
        begin_loading(self._client, plan.name)
        self._note("data", mark)
        self._load()
        return self._finish(mark)

    def _go_on(self, row: Row) -> bool:
        """Go on with the data; no when it cannot be said what is in."""
        self._outcomes = list(row.outcomes)
        self._refused([item.dump_id for item in row.outcomes if item.state == "refused" and item.dump_id])
        self._tell("goes on with its data")
        try:
            self._load()
        except HalfLoadedError:
            self._tell("it cannot be said what of its data is in, it is made anew")
            self._outcomes, self._gone = [], {}
            return False
        return True

    def _finish(self, mark: int) -> list[Outcome]:
        self._note("loaded", mark)  # first: without the table of what is in, nothing may be loaded again
        end_loading(self._client, self._plan.name)
        self._complete()
        self._outcomes = [*self._summary(), *self._plan.left_out, *self._outcomes]
        self._note("done", mark)
        return self._outcomes

    def _note(self, state: State, mark: int) -> None:
        plan = self._plan
        self._progress.write(plan.name, state, choice=plan.choice, mark=mark, outcomes=self._outcomes)

    def _create(self, row: Row | None, mark: int | None) -> int:
        """Make the empty database; one that an earlier run of this kit began is dropped."""
        plan, name = self._plan, quote_name(self._plan.name)
        if mark is not None:
            self._require_own(row, mark)
            self._tell("begun by an earlier run, dropped and made anew")
            self._client.try_all([f"ALTER DATABASE {name} IS_TEMPLATE false"])
            self._client.execute(f"DROP DATABASE {name} WITH (FORCE)")
        limit = self._progress.intend(plan.name, choice=plan.choice)
        self._tell("create")
        self._client.execute(create_statement(plan, limit))
        mark = self._mark() or 0
        self._note("made", mark)
        # Nobody came in yet. PUBLIC may again at the end, when row security and rights are as they were.
        opened = [
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT -1",
        ]
        owner = plan.dump.facts.owner
        if owner and (self._target.is_superuser or owner not in RESERVED_ROLES):
            opened.append(f"ALTER DATABASE {name} OWNER TO {quote_name(owner)}")
        self._client.run_all(opened)
        return mark

    def _require_own(self, row: Row | None, mark: int) -> None:
        if row is not None and row.state != "done" and row.mark == mark:
            return
        name = self._plan.name
        raise ConflictError(
            f"database {one_line(name)} exists already and is not this kit's",
            hint="drop it, or restore into another name with --database NAME --into OTHER",
            target=readable(name),
        )

    def _mark(self) -> int | None:
        query = f"SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = {quote_literal(self._plan.name)}"
        found = self._client.query(query)
        return int(found[0][0] or 0) if found else None

    def _define(self) -> None:
        plan = self._plan
        self._tell("pre-data")
        self._restore(plan.schemas)
        self._client.run_all(self._loans("GRANT", "TO"), plan.name)
        self._restore_in_order(plan.before)
        self._try_each(plan.tried_before)

    def _load(self) -> None:
        self._tell("data")
        left = self._without_gone(self._plan.data)
        load(self._client, self._plan, left, jobs=self._jobs, say=self._say, on_path=self._note_path)

    def _note_path(self, entry: Entry) -> None:
        """Note that rows need the path before they are loaded under it: a kit that is killed must not forget it."""
        told = under_path(self._plan, entry)
        if told not in self._outcomes:
            self._outcomes.append(told)
            self._note("data", self._mark() or 0)

    def _complete(self) -> None:
        plan = self._plan
        self._tell("post-data")
        self._lend_database("GRANT", "TO")
        self._restore(self._without_gone(plan.after), jobs=self._jobs)
        self._try_at_once(plan.tried_after)
        self._client.run_all(self._loans("REVOKE", "FROM"), plan.name)
        self._restore(self._without_gone(plan.rights))
        if plan.views:
            self._tell("materialized views")
        self._try_each(plan.views)
        self._tell("statistics, settings and grants")
        self._analyze()
        self._try_each(plan.last)
        self._lend_database("REVOKE", "FROM")
        self._outcomes += creators(self._client, plan, self._outcomes)
        # At last: the database may be set to read only.
        self._outcomes += set_up(self._client, plan, self._target)

    def _restore(self, entries: Sequence[Entry], *, jobs: int = 1, with_path: bool = False) -> None:
        """Let pg_restore make entries; stops at the first error."""
        if not entries:
            return
        plan = self._plan
        changes: dict[int, Change] = with_search_path(plan) if with_path else dict(plan.changes)
        head = plan.dump.head.archive(frozenset(entry.dump_id for entry in entries), changes=changes)
        if jobs == 1:
            is_without = any(not self._lost_methods.isdisjoint(entry.dependencies) for entry in entries)
            self._client.restore(plan.name, [head], *(["--no-table-access-method"] if is_without else []))
            return
        with tempfile.TemporaryDirectory(prefix="flexvault-") as folder:  # jobs need a file
            path = Path(folder) / "head"
            path.write_bytes(head)
            self._client.restore(plan.name, str(path), f"--jobs={jobs}")

    def _restore_in_order(self, entries: Sequence[Entry]) -> None:
        """Restore definitions; one that runs a function at once, which needs the path, is made under that alone.

        A function of SQL is expanded when it is first used in a generated column, a default or a view.
        """
        left = list(entries)
        while left:
            try:
                self._restore(left)
            except RestoreError as error:
                at = next((at for at, entry in enumerate(left) if entry.dump_id == error.dump_id), None)
                if at is None or not NEEDS_PATH.search(error.message):
                    raise
                self._restore_under_path(left[at])
                left = [*(entry for entry in left[:at] if entry.desc in _RIGHTS), *left[at + 1 :]]
            else:
                return

    def _try_each(self, entries: Iterable[Entry]) -> None:
        """Restore entries one by one and go on behind an error that is known."""
        for entry in entries:
            if entry.dump_id not in self._gone:
                self._judge(entry, self._again(entry, self._try(entry)))

    def _try_at_once(self, entries: Sequence[Entry]) -> None:
        """Try entries that need none of the others several at once, then the rest."""
        numbers = {entry.dump_id for entry in entries}
        first = self._without_gone(entry for entry in entries if numbers.isdisjoint(entry.dependencies))
        with ThreadPoolExecutor(max_workers=self._jobs) as pool:
            tries = [pool.submit(self._try, entry) for entry in first]
        errors = [future.result() for future in tries]
        for entry, error in zip(first, errors, strict=True):
            self._judge(entry, self._again(entry, error))
        tried = {entry.dump_id for entry in first}
        self._try_each([entry for entry in entries if entry.dump_id not in tried])

    def _try(self, entry: Entry) -> ClientError | None:
        try:
            self._restore([entry])
        except ClientError as error:
            return error
        return None

    def _again(self, entry: Entry, error: ClientError | None) -> ClientError | None:
        """Make an entry under the database's path where it failed without it, and that may help."""
        if error is None or not may_help(entry, error, self._target.major):
            return error
        try:
            self._restore_under_path(entry)
        except ClientError as other:
            return other
        return None

    def _restore_under_path(self, entry: Entry) -> None:
        """Make one entry under the database's path, alone, so that it can be said what it was bound to."""
        before = newest_transaction(self._client, self._plan.name)
        self._restore([entry], with_path=True)
        require_same_binding(self._client, self._plan, entry, before)
        self._outcomes.append(under_path(self._plan, entry))

    def _judge(self, entry: Entry, error: ClientError | None) -> None:
        if error is None:
            if not self._lost_methods.isdisjoint(entry.dependencies):
                reason = "with the target's default access method, as its own was refused"
                self._outcomes.append(outcome(self._plan.dump, entry, "restored", reason))
            return
        reason = error.message if isinstance(error, ReboundError) else reason_of(entry.desc, error.message)
        is_built_here = self._target.major < FIRST_WITH_SAFE_PATH and entry.desc in {"INDEX", "CONSTRAINT"}
        if not reason or (is_built_here and NEEDS_PATH.search(error.message)):
            raise error
        self._outcomes.append(outcome(self._plan.dump, entry, "refused", reason))
        self._refused([entry.dump_id])

    def _loans(self, verb: str, preposition: str) -> list[str]:
        loans = self._plan.loans
        return [f"{verb} CREATE ON SCHEMA {schema} {preposition} {role}" for schema, role in loans]

    def _lend_database(self, verb: str, preposition: str) -> None:
        name = quote_name(self._plan.name)
        roles = self._plan.publishers
        self._client.run_all([f"{verb} CREATE ON DATABASE {name} {preposition} {role}" for role in roles])

    def _refused(self, numbers: Sequence[int]) -> None:
        """Take what depends on refused entries out of what is still to come."""
        contents, known = self._plan.dump.contents, set(self._gone)
        names = {entry.dump_id: entry for entry in contents.entries}
        methods = {number for number in numbers if is_table_method(names[number])}
        self._lost_methods |= methods  # a table has its rows without it, too
        self._gone |= dependents(contents, [number for number in numbers if number not in methods])
        noted = {item.dump_id for item in self._outcomes}
        coming = {entry.dump_id for entry in self._plan.restored}
        for number in sorted((set(self._gone) - known - noted) & coming, key=lambda number: names[number].start):
            root = names[self._gone[number]]
            reason = f"depends on {in_words(root.desc.lower())} {shown(root)}, which the target refused"
            self._outcomes.append(outcome(self._plan.dump, names[number], "refused", reason))

    def _without_gone(self, entries: Iterable[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.dump_id not in self._gone]

    def _analyze(self) -> None:
        """Gather statistics, for which functions of indexes run; a rebuild without them is slow and right."""
        quiet, database = "SET client_min_messages = error", self._plan.dump.database
        failed = self._run_apart(quiet, "SET search_path TO ''", "ANALYZE")
        state, reason = "restored", f"{UNDER_PATH}{path_of(self._plan)}, as functions of indexes need it"
        if failed and NEEDS_PATH.search(failed):
            failed = self._run_apart(quiet, self._plan.search_path, "ANALYZE")
        elif not failed:
            return
        if failed:
            state, reason = "refused", f"run ANALYZE yourself; it stopped: {failed}"
        self._outcomes.append(Outcome(database=database, kind="statistics", name="", state=state, reason=reason))

    def _run_apart(self, *statements: str) -> str:
        """Run statements in one session and answer the error, or an empty text."""
        try:
            self._client.execute_in_turn(statements, self._plan.name)
        except ClientError as error:
            return error.message
        return ""

    def _summary(self) -> list[Outcome]:
        """Count what was restored, kind by kind; name what is only computed again, and what holds secrets."""
        plan = self._plan
        entries = self._without_gone(plan.restored)
        kinds = Counter(e.desc.lower() for e in entries if e.desc not in {*_QUIET, "MATERIALIZED VIEW DATA"})
        database = plan.dump.database
        found = [Outcome(database=database, kind="database", name=plan.name, state="restored")]
        found += [
            Outcome(database=database, kind=kind, name=f"({count})", state="restored") for kind, count in kinds.items()
        ]
        for entry in entries:
            if entry.desc in _HOLDS_SECRETS:
                found.append(outcome(plan.dump, entry, "restored", "may hold a password of another server"))
            elif entry.desc == "MATERIALIZED VIEW DATA":
                found.append(outcome(plan.dump, entry, "refreshed", "computed again from the tables, not compared"))
        return found

    def _tell(self, what: str) -> None:
        self._say(f"database {one_line(self._plan.name)}: {what}")


def create_statement(plan: DatabasePlan, limit: int) -> str:
    """Write CREATE DATABASE with exact name, encoding and locale; closed, and with a connection limit that marks it."""
    options = ["TEMPLATE = template0", "ALLOW_CONNECTIONS = false", f"CONNECTION LIMIT = {limit}"]
    for key, value in plan.dump.facts.options:
        options.append(f"{key} = {value if key == 'LOCALE_PROVIDER' else quote_literal(value)}")
    return f"CREATE DATABASE {quote_name(plan.name)} WITH {' '.join(options)}"
