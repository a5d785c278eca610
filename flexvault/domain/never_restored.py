"""Which entries of an archive a rebuild leaves out on purpose, and why."""

from collections.abc import Mapping
from typing import Final

from flexvault.domain.dump_contents import Entry
from flexvault.domain.role_script import RESERVED_ROLES

NEVER_RESTORED: Final[Mapping[str, str]] = {
    "SUBSCRIPTION": "would connect to the publisher again; its definition in the dump holds a password",
    "SUBSCRIPTION TABLE": "belongs to a subscription",
    "SECURITY LABEL": "needs the provider that wrote it",
}
"""By pg_dump's word for an entry; it holds for every target."""


def why_not_without_superuser(entry: Entry) -> str:
    """Say why an administrator without superuser, as a flexible server has, does not restore it; empty if he does."""
    if entry.desc == "ACL" and entry.namespace == "pg_catalog":
        return "only a superuser changes rights on system objects"
    if entry.desc == "PUBLICATION" and "FOR ALL TABLES" in entry.definition:
        return "only a superuser publishes all tables; name the tables instead"
    if entry.owner in RESERVED_ROLES and (entry.desc, entry.tag) == ("SCHEMA", "public"):
        return "every database has it, owned by the service"
    if entry.owner in RESERVED_ROLES and entry.desc == "DEFAULT ACL":
        return f"default privileges of the service's own role {entry.owner}"
    return ""
