"""Compare two living servers by what was written down of them."""

import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from flexvault.domain.errors import InvalidInputError
from flexvault.kit import catalog_queries
from flexvault.kit.administrator_reasons import reasons_without_superuser
from flexvault.kit.client import Client
from flexvault.kit.compare_facts import compare_facts
from flexvault.kit.comparison import Comparison, Facts, Named, Tally
from flexvault.kit.not_compared import NOT_CHOSEN, OWN_ROLE, PASSWORDS_OF_SERVER
from flexvault.kit.options import MANY_INTO_ONE, Options
from flexvault.kit.restore_report import RestoreReport
from flexvault.kit.row_streams import total_of
from flexvault.kit.server_identity import SOURCE, TARGET, naming
from flexvault.kit.server_state import ServerState, server_state, with_database

_SQL_KINDS: Final = frozenset({
    "constraint", "index", "view definition", "policy", "rule", "column", "trigger", "publication table",
})  # fmt: skip
_OF_ROLES: Final = frozenset({"role", "membership", "settings of", "server parameter rights"})
_NOT_NULL: Final = "not null constraint"
_OPEN_IT: Final = "ALTER DATABASE ... ALLOW_CONNECTIONS true, and compare again"
_HAS_NOT_NULL: Final = 18
_HAS_MAINTAIN: Final = 17
_RIGHTS: Final = re.compile(r"(?<==)[a-zA-Z*]+(?=/)")
_KINDS_WITH_MAINTAIN: Final = frozenset(
    {"relation", "default privileges", "system object rights", "extension object rights"}
)


def compare_servers(
    source: Client,
    target: Client,
    options: Options,
    *,
    said: RestoreReport | None = None,
    on_line: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Compare everything of two servers, or what belongs to some databases and the roles.

    Raises:
        ClientError: A server cannot be reached or refuses its catalog.
        InvalidInputError: Tables or schemas are chosen: a source does not say what a choice of them brings along.
        MissingProgramError: psql is not there.
    """
    require_comparable(options)
    inside = (options.into,) if options.into else options.databases

    def read(client: Client) -> ServerState:
        databases = options.databases if client is source else inside
        which = SOURCE if client is source else TARGET

        def tell(line: str) -> None:
            on_line(f"{which}: {line}")

        with naming(client, which):
            return server_state(client, databases=databases, jobs=options.jobs, on_line=tell)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(read, (source, target))
    if options.into:
        other = with_database(other, options.into, options.databases[0])
    return compare_states(one, other, chosen=options.databases, said=said)


def require_comparable(options: Options) -> None:
    """Refuse a choice that two living servers cannot be compared by.

    Raises:
        InvalidInputError: See `compare_servers`.
    """
    if options.schemas or options.tables:
        hint = "run it without the variables SOURCE_PG...: then the recovery point is compared"
        raise InvalidInputError("a choice of schemas or tables is compared with the recovery point alone", hint=hint)
    if options.into and len(options.named) != 1:
        raise InvalidInputError(MANY_INTO_ONE, hint="choose one with --database")


def compare_states(
    source: ServerState, target: ServerState, *, chosen: Collection[str] = (), said: RestoreReport | None = None
) -> Comparison:
    """Compare what was written down of two servers, or of one at two moments."""
    tally = Tally(against="the source server")
    for name in source.databases:
        tally.expect((said or RestoreReport()).reasons_by_kind(name))
    _compare_databases(tally, source, target, chosen)
    both = set(source.databases) & set(target.databases)
    refused = source.refused | target.refused
    for named, reason in refused.items():
        tally.not_proven(named, f"refused: {reason}")
    _compare_catalogs(tally, source, target, both, refused, is_choice=bool(chosen))

    rows = _rows(source, target)
    for counted_as in ("sequences", "largeObjects", "tables"):
        counted = rows if counted_as == "tables" else [_counted(state, counted_as) for state in (source, target)]
        parts = [_known(facts, refused, both) for facts in counted]
        compare_facts(tally, *parts, counted_as=counted_as, is_sql=lambda _: False)
    # What is equal has the same number of rows on both sides, wherever they lie.
    differing = {finding.named for finding in (*tally.differences, *tally.unproven)}
    tally.counts["rows"] = sum(
        found.count for named, found in source.rows.items() if named not in differing and named.database in both
    )
    _name_the_rest(tally, source, target)
    return tally.result()


def _counted(state: ServerState, counted_as: str) -> Facts:
    return state.sequences if counted_as == "sequences" else state.objects


def _rows(source: ServerState, target: ServerState) -> list[Facts]:
    """Return the rows of both sides, of partitions together where a rebuild has put some of them elsewhere.

    Hashing by an enum does that: its values have other oids on another server.
    """
    by_root: dict[Named, list[Named]] = {}
    for named, root in source.roots.items():
        by_root.setdefault(root, []).append(named)
    sides = [dict(source.rows), dict(target.rows)]
    for root, names in by_root.items():
        if all(named in side for side in sides for named in names) and any(
            sides[0][named] != sides[1][named] for named in names
        ):
            totals = [total_of([side[named] for named in names]) for side in sides]
            if totals[0] == totals[1]:
                for side, total in zip(sides, totals, strict=True):
                    for named in names:
                        del side[named]
                    side[root] = total
    return [{named: str(rows) for named, rows in side.items()} for side in sides]


def _compare_databases(tally: Tally, source: ServerState, target: ServerState, chosen: Collection[str]) -> None:
    for name in sorted({*chosen}.difference(source.databases, source.closed)):
        tally.not_proven(Named(name, "database", ""), "chosen, but the source server has no such")
    for name in source.others:
        tally.leave_out(Named(name, "database", ""), NOT_CHOSEN)
    known = [{*state.databases, *state.closed} for state in (source, target)]
    unread = known[0] & known[1] & {*source.closed, *target.closed}
    for name in sorted(unread):
        where = " and ".join(said for state, said in ((source, SOURCE), (target, TARGET)) if name in state.closed)
        tally.not_proven(Named(name, "database", ""), f"it lets nobody connect in the {where}: {_OPEN_IT}")
    one, other = ({Named(name, "database", ""): "a database" for name in names - unread} for names in known)
    compare_facts(tally, one, other, counted_as="databases")


def _compare_catalogs(
    tally: Tally,
    source: ServerState,
    target: ServerState,
    both: Collection[str],
    refused: Mapping[Named, str],
    *,
    is_choice: bool,
) -> None:
    one, other = (_of_both(state.facts, both, refused) for state in (source, target))
    majors = source.server.major, target.server.major
    if majors[0] != majors[1]:
        one, other = (_as_older(facts, min(majors), tally) for facts in (one, other))
    reasons = {} if target.server.is_superuser else reasons_without_superuser(one, other, target.server)
    if is_choice:
        reasons = {named: OWN_ROLE for named in other if named not in one and named.kind in _OF_ROLES} | reasons
    for is_role, counted_as in ((True, "roles"), (False, "facts")):
        parts = [
            {named: facts[named] for named in facts if (named.kind == "role") == is_role} for facts in (one, other)
        ]
        compare_facts(
            tally, *parts, reasons=reasons, counted_as=counted_as, is_sql=lambda named: named.kind in _SQL_KINDS
        )


def _name_the_rest(tally: Tally, source: ServerState, target: ServerState) -> None:
    for named, value in (target.derived | source.derived).items():
        is_version = named.kind == "collation version"
        versions = [state.derived.get(named, "no such database") for state in (source, target)]
        reason = "version {} in the source, {} in the target".format(*versions) if is_version else value
        tally.leave_out(named, reason, state="derived")
    for named, reason in (target.left_out | source.left_out).items():
        tally.leave_out(named, reason)
    tally.leave_out(Named("", "passwords of roles", ""), PASSWORDS_OF_SERVER)


def _of_both(facts: Facts, both: Collection[str], refused: Mapping[Named, str]) -> Facts:
    """Take what belongs to the server or to databases of both: of one that is missing that alone is said."""
    return {
        named: value
        for named, value in facts.items()
        if (named.name if named.kind == catalog_queries.OF_DATABASE else named.database) in {"", *both}
        and named not in refused
    }


def _as_older(facts: Facts, major: int, tally: Tally) -> Facts:
    """Leave out what the older of two servers cannot have."""
    found = dict(facts)
    if major < _HAS_NOT_NULL:
        found = {named: value for named, value in found.items() if named.kind != _NOT_NULL}
        tally.note("constraints that say NOT NULL are compared as columns: one server is older than PostgreSQL 18")
    if major < _HAS_MAINTAIN:
        found = {
            named: _RIGHTS.sub(_without_maintain, value) if named.kind in _KINDS_WITH_MAINTAIN else value
            for named, value in found.items()
        }
        tally.note("the right MAINTAIN is not compared: one server is older than PostgreSQL 17")
    return found


def _without_maintain(rights: re.Match[str]) -> str:
    return rights[0].replace("m*", "").replace("m", "")


def _known(facts: Facts, refused: Mapping[Named, str], both: Collection[str]) -> Facts:
    return {named: value for named, value in facts.items() if named not in refused and named.database in both}
