"""What no rebuild restores, and why: the one place of it, for plan, outline, comparison and the kit's page."""

from collections.abc import Mapping
from typing import Final

from flexvault.domain.dump_contents import Entry
from flexvault.domain.role_script import RESERVED_ROLES

SUBSCRIPTION: Final = "it would connect to the publisher again; its definition in the dump holds a password"
SECURITY_LABEL: Final = "it needs the provider that wrote it"
SCHEDULED_JOBS: Final = "scheduled jobs would start to run: schedule them again when you want that"
SERVICE_DATABASE: Final = "every server has its own: its file is for reading, a rebuild never writes to it"
PASSWORDS: Final = "but with --with-passwords, where a superuser dumped the roles file; else set new ones"
STATISTICS: Final = "they are not in the dump; the rebuild kit runs ANALYZE on each database instead"
NEVER_RESTORED: Final[Mapping[str, str]] = {
    "SUBSCRIPTION": SUBSCRIPTION,
    "SUBSCRIPTION TABLE": "it belongs to a subscription",
    "SECURITY LABEL": SECURITY_LABEL,
}
"""By pg_dump's word for an entry; it holds for every target."""
OF_THE_POINT: Final = (
    f"passwords of roles, {PASSWORDS}",
    f"security labels: {SECURITY_LABEL}; Entra roles are made again by an Entra administrator",
    f"statistics: {STATISTICS}",
    "server parameters and firewall rules: they are not in the dump",
)
"""What no rebuild brings back, whatever is in the recovery point."""
_JOBS: Final = frozenset({"job", "job_run_details"})


def is_job_data(entry: Entry) -> bool:
    """Say whether an entry holds the jobs of pg_cron."""
    return entry.desc == "TABLE DATA" and entry.namespace == "cron" and entry.tag in _JOBS


def why_not_without_superuser(entry: Entry) -> str:
    """Say why an administrator without superuser, as a flexible server has, does not restore it; empty if he does."""
    if entry.desc == "ACL" and entry.namespace == "pg_catalog":
        return "only a superuser changes rights on system objects"
    if entry.owner in RESERVED_ROLES and (entry.desc, entry.tag) == ("SCHEMA", "public"):
        return "every database has it, owned by the service"
    if entry.owner in RESERVED_ROLES and entry.desc == "DEFAULT ACL":
        return f"default privileges of the service's own role {entry.owner}"
    return ""
