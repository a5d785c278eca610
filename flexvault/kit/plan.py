"""Plan what is restored of one database, in which order, and what is left out with its reason.

Everything is made under an empty search_path, for which pg_dump wrote it; what fails so is made under the database's.
What a target may refuse is tried one by one behind the rest, and what depends on it with it.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from flexvault.domain import never_restored
from flexvault.domain.dump_contents import Contents, Entry
from flexvault.domain.dump_facts import qualified
from flexvault.domain.dump_head import Change
from flexvault.domain.role_script import RESERVED_ROLES
from flexvault.domain.sql_text import join, name_of, quote_name, statements
from flexvault.kit.choice import chosen_entries, count_large_objects, is_apart, left_behind
from flexvault.kit.dumps import Dump
from flexvault.kit.options import Options
from flexvault.kit.outcome import Outcome, State, in_words
from flexvault.kit.target import Target

_DEFAULT_PATH: Final = '"$user", public'
_TRIED: Final = frozenset({
    "SHELL TYPE", "OPERATOR CLASS", "OPERATOR FAMILY", "CAST", "ACCESS METHOD", "FOREIGN DATA WRAPPER", "TRANSFORM",
    "PROCEDURAL LANGUAGE", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE",
})  # fmt: skip
_FUNCTIONS: Final = frozenset({"FUNCTION", "PROCEDURE", "AGGREGATE"})
_FOR_SUPERUSERS: Final = re.compile(r"\bLANGUAGE (c|internal)\b|\bLEAKPROOF\b")
_SHELL_TOKENS: Final = 5
"""Of `CREATE TYPE schema.name`, a type that was never finished."""
_OTHER_GRANTOR: Final = "SET SESSION AUTHORIZATION "
_EXPRESSION: Final = re.compile(r"\([^()]*\(")
_RANGE_FUNCTIONS: Final = re.compile(r"\b(canonical|subtype_diff)\b", re.IGNORECASE)
_QUOTED: Final = frozenset({
    "TABLE", "TABLE DATA", "VIEW", "MATERIALIZED VIEW", "MATERIALIZED VIEW DATA", "SEQUENCE", "SEQUENCE SET", "INDEX",
    "TYPE", "DOMAIN", "FOREIGN TABLE", "SCHEMA",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePlan:
    """Entries of an archive by the step that restores them; each in the archive's order.

    Attributes:
        name: Of the new database.
        choice: See `Options.choice`.
        search_path: Statement that sets the source database's own.
        changes: Dump id -> owner that the target does not give objects to.
        schemas: Come first where the administrator is no superuser.
        loans: Quoted pairs of schema and owner, who must be allowed to create there before owning something in it.
        publishers: Quoted owners of publications, who must be allowed to create in the database before owning one.
        before: Definitions that the data needs.
        tried_before: Likewise, one by one, as the target may refuse them.
        data: Rows, sequences, large objects.
        after: Indexes, keys, triggers and so on.
        tried_after: Likewise, one by one.
        rights: On schemas; last where the administrator is no superuser.
        views: Materialized views to refresh.
        last: Event triggers and such, one by one.
        left_out: Not restored, or with another owner, and why.
    """

    dump: Dump
    name: str
    choice: str
    search_path: str
    changes: Mapping[int, Change]
    schemas: tuple[Entry, ...]
    loans: tuple[tuple[str, str], ...]
    publishers: tuple[str, ...]
    before: tuple[Entry, ...]
    tried_before: tuple[Entry, ...]
    data: tuple[Entry, ...]
    after: tuple[Entry, ...]
    tried_after: tuple[Entry, ...]
    rights: tuple[Entry, ...]
    views: tuple[Entry, ...]
    last: tuple[Entry, ...]
    left_out: tuple[Outcome, ...]

    @property
    def restored(self) -> tuple[Entry, ...]:
        """All entries that are to be restored."""
        parts = (self.schemas, self.before, self.tried_before, self.data, self.after, self.tried_after)
        return tuple(entry for part in (*parts, self.rights, self.views, self.last) for entry in part)


def plan_database(dump: Dump, target: Target, options: Options) -> DatabasePlan:
    """Plan one database.

    Raises:
        NotFoundError: It has not the schemas or tables that were chosen.
    """
    contents = dump.contents
    left_out = _left_out(dump, target, options)
    chosen = chosen_entries(contents, options)
    kept = [e for e in contents.entries if e.dump_id in chosen and e.dump_id not in left_out and not is_apart(e)]
    steps = _Steps(contents, target, kept)
    changed = [e for e in kept if not target.is_superuser and e.owner in RESERVED_ROLES]
    return DatabasePlan(
        dump=dump,
        name=options.into or dump.database,
        choice=options.choice(dump.database),
        search_path=own_search_path(contents, options.search_paths.get(dump.database, "")),
        changes=_changes(kept, target),
        publishers=() if target.is_superuser else _publishers(kept, dump.facts.owner),
        loans=() if target.is_superuser else _loans(kept),
        left_out=(
            *(item for item in left_out.values() if item.dump_id in chosen),
            *(outcome(dump, e, "left out", reason) for e, reason in left_behind(contents, options, chosen)),
            *_large_objects_left(dump, options),
            *(
                outcome(dump, e, "restored", f"owned by {e.owner} before, now by {target.administrator}")
                for e in changed
                if e.desc not in {"ACL", "COMMENT", "DEFAULT ACL"}
            ),
            *(
                outcome(dump, e, "restored", f"in the default tablespace, before in {e.tablespace}")
                for e in kept
                if e.tablespace not in {"", "pg_default"} and not e.has_data
            ),
        ),
        schemas=steps.of("schemas"),
        before=steps.of("before"),
        tried_before=steps.of("tried_before"),
        data=steps.of("data"),
        after=steps.of("after"),
        tried_after=steps.of("tried_after"),
        rights=steps.of("rights"),
        views=steps.of("views"),
        last=steps.of("last"),
    )


def _large_objects_left(dump: Dump, options: Options) -> list[Outcome]:
    count = count_large_objects(dump.contents, options)
    reason = "no row says whose they are: restore the whole database where a chosen table needs some"
    left = Outcome(database=dump.database, kind="large objects", name=f"({count})", state="left out", reason=reason)
    return [left] if count else []


def outcome(dump: Dump, entry: Entry, state: State, reason: str) -> Outcome:
    """Say what became of an entry."""
    return Outcome(
        database=dump.database,
        kind=entry.desc.lower(),
        name=shown(entry),
        state=state,
        reason=reason,
        dump_id=entry.dump_id,
    )


def shown(entry: Entry) -> str:
    """Name an entry's object, with its schema; what is no plain name is quoted."""
    if entry.desc in _QUOTED:
        return qualified(entry.namespace, entry.tag)
    # Of a function, a trigger or a comment the tag is more than a name.
    return f"{qualified('', entry.namespace)}.{entry.tag}" if entry.namespace else entry.tag


def own_search_path(contents: Contents, given: str = "") -> str:
    """Answer the statement that sets the search_path under which the database's functions ran."""
    path = given or _DEFAULT_PATH
    for entry in contents.entries:
        if entry.desc != "DATABASE PROPERTIES" or given:
            continue
        for statement in statements(entry.definition):
            words = [token.upper() for token in statement]
            if words[:2] == ["ALTER", "DATABASE"] and words[3:5] == ["SET", "SEARCH_PATH"]:
                path = join(statement[6:])
    return f"SET search_path TO {path};\n"


def dependents(contents: Contents, roots: Collection[int]) -> dict[int, int]:
    """Find what depends on entries, however far: dump id -> the root that it depends on. The roots are among them."""
    users: dict[int, list[int]] = {}
    servers = {entry.tag: entry.dump_id for entry in contents.entries if entry.desc == "SERVER"}
    for entry in contents.entries:
        for number in (*entry.dependencies, *_server_of(entry, servers)):
            users.setdefault(number, []).append(entry.dump_id)
    found = {root: root for root in roots}
    pending = list(roots)
    while pending:
        number = pending.pop()
        for user in users.get(number, ()):
            if user not in found:
                found[user] = found[number]
                pending.append(user)
    return found


def _server_of(entry: Entry, servers: Mapping[str, int]) -> list[int]:
    """Find the server of a user mapping, which pg_dump does not note."""
    if entry.desc != "USER MAPPING":
        return []
    tokens = next(statements(entry.definition), ())
    names = [name_of(after) for word, after in pairwise(tokens) if word == "SERVER"]
    return [servers[name] for name in names if name in servers]


def sections_of(contents: Contents) -> dict[int, str]:
    """Answer each entry's section; comments and rights have none of their own and belong to that of those before."""
    found: dict[int, str] = {}
    section = "pre-data"
    for entry in contents.entries:
        section = entry.section if entry.section != "none" else section
        found[entry.dump_id] = section
    return found


class _Steps:
    """Sorts entries into the steps."""

    def __init__(self, contents: Contents, target: Target, kept: list[Entry]) -> None:
        self._target = target
        self._sections = sections_of(contents)
        self._last = dependents(contents, [e.dump_id for e in kept if _comes_last(e)])
        has_operators = _has_own_operators(contents)
        tried = [e for e in kept if _may_be_refused(e) or _runs_functions(e, has_operators=has_operators)]
        self._tried = dependents(contents, [entry.dump_id for entry in tried])
        self._steps: dict[str, list[Entry]] = {}
        for entry in kept:
            self._steps.setdefault(self._step(entry), []).append(entry)

    def of(self, step: str) -> tuple[Entry, ...]:
        return tuple(self._steps.get(step, ()))

    def _step(self, entry: Entry) -> str:
        if entry.desc == "MATERIALIZED VIEW DATA":
            return "views"
        if entry.dump_id in self._last:
            return "last"
        if not self._target.is_superuser and entry.desc == "SCHEMA":
            return "schemas"
        if not self._target.is_superuser and entry.desc == "ACL" and _comes_behind(entry):
            return "rights"
        return self._step_of_section(entry)

    def _step_of_section(self, entry: Entry) -> str:
        section, is_tried = self._sections[entry.dump_id], entry.dump_id in self._tried
        if section == "data":
            return "data"
        if section == "post-data":
            return "tried_after" if is_tried else "after"
        return "tried_before" if is_tried else "before"


def _left_out(dump: Dump, target: Target, options: Options) -> dict[int, Outcome]:
    """Find what is not restored, and what depends on that."""
    contents = dump.contents
    reasons = {entry.dump_id: _why_left_out(entry, target, options) for entry in contents.entries}
    roots = {number: reason for number, reason in reasons.items() if reason}
    names = {entry.dump_id: f"{in_words(entry.desc.lower())} {shown(entry)}" for entry in contents.entries}
    found: dict[int, Outcome] = {}
    schemas = {entry.dump_id for entry in contents.entries if entry.desc == "SCHEMA"}
    reached = dependents(contents, [number for number in roots if number not in schemas])  # those are there already
    for entry in contents.entries:
        if entry.dump_id in roots:
            found[entry.dump_id] = outcome(dump, entry, "left out", roots[entry.dump_id])
        elif entry.dump_id in reached and not is_apart(entry):
            reason = f"depends on {names[reached[entry.dump_id]]}, which is left out"
            found[entry.dump_id] = outcome(dump, entry, "left out", reason)
    return found


def _why_left_out(entry: Entry, target: Target, options: Options) -> str:
    if entry.desc == "SUBSCRIPTION" and not options.with_subscriptions:
        return f"{never_restored.SUBSCRIPTION} (--with-subscriptions)"
    if entry.desc == "SECURITY LABEL" and not is_apart(entry):
        return never_restored.SECURITY_LABEL
    if entry.desc == "EXTENSION" and entry.tag in options.without_extensions:
        return "left out by --without-extension"
    if never_restored.is_job_data(entry):
        return never_restored.SCHEDULED_JOBS
    return "" if target.is_superuser else never_restored.why_not_without_superuser(entry)


def _may_be_refused(entry: Entry) -> bool:
    """Say whether a target is known to refuse such an object."""
    if entry.desc in _FUNCTIONS:
        return bool(_FOR_SUPERUSERS.search(entry.definition))
    if entry.desc == "TYPE":
        return "INPUT = " in entry.definition or len(next(statements(entry.definition), ())) <= _SHELL_TOKENS
    return entry.desc in _TRIED or (entry.desc == "COMMENT" and entry.tag.startswith("EXTENSION "))


def is_table_method(entry: Entry) -> bool:
    """Say whether an entry makes an access method of tables, whose rows need none."""
    return entry.desc == "ACCESS METHOD" and " TYPE TABLE " in entry.definition


def _comes_behind(entry: Entry) -> bool:
    """Say whether rights wait until everything is made: a lent right would be lost, a grantor needs his schema."""
    return entry.tag.startswith("SCHEMA ") or _OTHER_GRANTOR in entry.definition


def _changes(kept: Iterable[Entry], target: Target) -> dict[int, Change]:
    """Answer how entries must be changed where the administrator is no superuser."""
    if target.is_superuser:
        return {}
    changes = {entry.dump_id: Change(owner="") for entry in kept if entry.owner in RESERVED_ROLES}
    for entry in kept:
        if entry.desc == "ACL" and _OTHER_GRANTOR in entry.definition:
            # Who is no superuser may still become a role that he is a member of.
            definition = entry.definition.replace("RESET SESSION AUTHORIZATION", "RESET ROLE")
            changes[entry.dump_id] = Change(definition=definition.replace(_OTHER_GRANTOR, "SET ROLE "))
    return changes


def _comes_last(entry: Entry) -> bool:
    if entry.desc == "PUBLICATION":
        return "FOR ALL TABLES" in entry.definition or "FOR ALL SEQUENCES" in entry.definition
    return entry.desc in {"EVENT TRIGGER", "SUBSCRIPTION", "PUBLICATION TABLES IN SCHEMA"}


def _runs_functions(entry: Entry, *, has_operators: bool) -> bool:
    if has_operators and entry.desc in {"INDEX", "CONSTRAINT", "FK CONSTRAINT"}:
        return True
    if entry.desc == "INDEX":
        return bool(_EXPRESSION.search(entry.definition))
    return entry.desc == "CONSTRAINT" and "EXCLUDE" in entry.definition


def _loans(kept: list[Entry]) -> tuple[tuple[str, str], ...]:
    owner_of = {entry.tag: entry.owner for entry in kept if entry.desc == "SCHEMA"}
    pairs = {
        (entry.namespace, entry.owner)
        for entry in kept
        if entry.namespace in {"public", *owner_of} and entry.owner and entry.owner not in RESERVED_ROLES
    }
    return tuple(
        sorted((quote_name(schema), quote_name(role)) for schema, role in pairs if owner_of.get(schema) != role)
    )


def _publishers(kept: list[Entry], owner: str) -> tuple[str, ...]:
    """Answer who needs a right of the database for a while; its owner has it, and must not lose it afterwards."""
    owners = {entry.owner for entry in kept if entry.desc == "PUBLICATION" and entry.owner} - RESERVED_ROLES - {owner}
    return tuple(sorted(map(quote_name, owners)))


def _has_own_operators(contents: Contents) -> bool:
    """Say whether ordinary indexes and keys, too, may run functions of the database."""
    return any(
        entry.desc in {"OPERATOR CLASS", "OPERATOR FAMILY"}
        or (entry.desc == "TYPE" and _RANGE_FUNCTIONS.search(entry.definition))
        for entry in contents.entries
    )
