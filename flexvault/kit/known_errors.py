"""Errors with which a target may refuse an object, and why a rebuild goes on behind them. Every other error stops it.

Sources: the messages of PostgreSQL 15 to 18 for an administrator who is no superuser (their source code: commands/*.c),
and the limits of Azure Database for PostgreSQL.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownError:
    """A refusal that is not the end.

    Attributes:
        kinds: Of objects, as pg_dump calls them.
        pattern: Part of the server's message.
        reason: What it means and what to do next.
    """

    kinds: frozenset[str]
    pattern: str
    reason: str


def _known(kinds: str, pattern: str, reason: str) -> KnownError:
    return KnownError(kinds=frozenset(kinds.split("|")), pattern=pattern, reason=reason)


KNOWN_ERRORS: Final = (
    _known(
        "EVENT TRIGGER",
        r"permission denied to create event trigger|[Mm]ust be superuser to create an event trigger",
        "only a superuser creates event triggers",
    ),
    _known(
        "PUBLICATION|PUBLICATION TABLES IN SCHEMA|PUBLICATION TABLE",
        r"must be superuser to create FOR ALL TABLES publication|must be superuser to (create|add) .*(?i:schema)|"
        r"must be superuser to create FOR TABLES IN SCHEMA publication|FOR ALL (TABLES|SEQUENCES)",
        "only a superuser publishes all tables or schemas: publish the tables by name",
    ),
    _known(
        "SUBSCRIPTION",
        r"must be superuser to create subscriptions|permission denied to create subscription|password is required",
        "the target lets only members of pg_create_subscription subscribe: create it by hand",
    ),
    _known(
        "FUNCTION|PROCEDURE|AGGREGATE",
        r"permission denied for language|only superuser can define a leakproof function|could not access file",
        "only a superuser makes functions in C, internal or leakproof ones: use an extension that has it",
    ),
    _known(
        "TYPE|SHELL TYPE|OPERATOR CLASS|OPERATOR FAMILY|ACCESS METHOD|TRANSFORM|PROCEDURAL LANGUAGE|"
        "FOREIGN DATA WRAPPER|TEXT SEARCH PARSER|TEXT SEARCH TEMPLATE",
        r"must be superuser|permission denied (for language|to create (access method|foreign-data wrapper))",
        "only a superuser creates this: use an extension that has it",
    ),
    _known("CAST", r"must be owner of type|must be superuser", "a cast needs the ownership of one of its types"),
    _known(
        "COMMENT",
        r"must be owner of (extension|type|language|event trigger|publication)|must be superuser",
        "only the owner of the object writes a comment on it",
    ),
    _known(
        "ACL|DEFAULT ACL",
        r"permission denied (for|to)|must be (member|owner)|no privileges were granted",
        "the administrator may not grant this",
    ),
    _known(
        "INDEX|CONSTRAINT|MATERIALIZED VIEW DATA",
        r"(function|relation|type|operator|schema) .* does not exist",
        "from PostgreSQL 17 on a function in an index or a materialized view gets only pg_catalog as search_path: give "
        "it its own (ALTER FUNCTION ... SET search_path), then create the index or REFRESH the view",
    ),
    _known(
        "MATERIALIZED VIEW DATA",
        r"permission denied",
        "its owner may not read what it is made of, such as one that was a superuser: grant it, then REFRESH the view",
    ),
    _known(
        "DATABASE SETTING",
        r"permission denied to set parameter|unrecognized configuration parameter|cannot be changed|"
        r"invalid value for parameter",
        "the target does not take this setting: set it as a server parameter, or leave it",
    ),
    _known(
        "ROLE SETTING",
        r"permission denied to set parameter|unrecognized configuration parameter|invalid value for parameter",
        "the target does not take this setting",
    ),
)


def reason_of(kind: str, message: str) -> str:
    """Answer why the target refuses an object; empty when the error is not known."""
    for known in KNOWN_ERRORS:
        if kind in known.kinds and re.search(known.pattern, message):
            return known.reason
    return ""
