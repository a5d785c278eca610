"""The doctor: facts of a server, and what they mean for its backups. Pure: whoever asks gathers the facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flexvault.domain import server_checks
from flexvault.domain.azure_codes import DURATION_LIMIT
from flexvault.domain.findings import Finding, FindingCheck
from flexvault.domain.sas_life import LONGEST, RESERVE, GrantLife, describe_duration
from flexvault.domain.server import AzureBackupInstance, Server

MISSING_RIGHTS = "UserErrorMissingRequiredPermissions"
OUTGROWS_WITHIN = timedelta(days=90)
SHORTEST_TREND = timedelta(days=7)
FEWEST_SIZES = 3
_GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What the control identity may do on a server."""

    missing: Sequence[str]
    can_grant: bool
    """It may assign itself the roles that it lacks; asked only where something is missing."""
    commands: str
    """What a person runs to grant them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """One recovery point of the server's present chain."""

    at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What the vault knows of a server that it protects."""

    instance: str
    backups: Sequence[BackedUp]
    """Of the present chain, newest first."""
    grant: GrantLife
    rpo: timedelta
    counts_from: datetime | None
    """Since when slots count: nothing is late before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """All that the doctor looks at."""

    server: Server
    vault_location: str
    azure_backup: Sequence[AzureBackupInstance] | Finding
    """Azure Backup's instances of the server, or why they could not be asked for."""
    is_recreated: bool = False


def examine_server(facts: ServerFacts, now: datetime) -> list[Finding]:
    """Judge what ARM says of a server: the same whether it is to be protected or is."""
    server = facts.server
    asked = facts.azure_backup
    return [
        *server_checks.check_readiness(server),
        *server_checks.check_kind(server),
        *server_checks.check_size(server),
        *server_checks.check_region(server, facts.vault_location),
        *server_checks.check_chain(server, facts.is_recreated),
        *([asked] if isinstance(asked, Finding) else server_checks.check_azure_backup(server, asked)),
        *server_checks.check_version(server, now),
        *server_checks.check_network(server),
    ]


def examine_rights(server_id: str, rights: Rights, *, is_protected: bool) -> list[Finding]:
    """Judge what the control identity may do: what it may give itself is no error while nothing is configured."""
    if not rights.missing:
        return []
    if rights.can_grant and not is_protected:
        text = f"the control identity may not back up '{server_id}' yet; it may assign itself the roles that it lacks"
        remedy = "nothing: the vault does it when protection is configured"
        return [Finding.information("RolesNotYetGranted", server_id, text, remedy)]
    return [missing_rights(server_id, rights.missing, rights.commands)]


def missing_rights(server_id: str, missing: Sequence[str], commands: str) -> Finding:
    """Say what the control identity lacks on a server."""
    text = f"the control identity may not back up '{server_id}': it lacks {', '.join(missing)}"
    return Finding.error(MISSING_RIGHTS, server_id, text, commands)


def not_readable(server_id: str, why: str, remedy: str) -> Finding:
    """Say that ARM did not show the server at all, so that nothing else is known of it."""
    text = f"ARM does not show the server: {why}"
    return Finding.error("ServerNotReadable", server_id, text, remedy, FindingCheck.NOT_CHECKABLE)


def rows_unreadable(server_id: str, instance: str, kind: str) -> Finding:
    """Say that the vault's own rows of an instance cannot be read, so that its backups were not judged."""
    text = f"the rows of backup instance '{instance}' cannot be read ({kind}): its backups were not looked at"
    remedy = f"flexvault vault verify --instance {instance}"
    return Finding.warning("RowsUnreadable", server_id, text, remedy, FindingCheck.NOT_CHECKABLE)


def examine_protection(server: Server, protection: Protection, now: datetime) -> list[Finding]:
    """Judge the backups that there are: their age, how long they take, how they grow."""
    found = [*_check_age(server, protection, now), *check_life(server, protection.grant)]
    if protection.backups:
        found += [*_check_growth(server, protection), _tell_size(server, protection.backups)]
    return found


def _check_age(server: Server, protection: Protection, now: datetime) -> list[Finding]:
    newest = protection.backups[0].at if protection.backups else None
    since = max((moment for moment in (newest, protection.counts_from) if moment is not None), default=None)
    if since is None or now - since <= protection.rpo:
        return []
    last = f"the newest recovery point of server '{server.name}' is of {newest:%Y-%m-%d %H:%M} UTC" if newest else ""
    none = f"the server '{server.name}' has no recovery point, and slots count since {since:%Y-%m-%d %H:%M} UTC"
    text = (
        f"{last or none}: longer ago than {describe_duration(protection.rpo)}, the longest gap of its schedule and a "
        "quarter"
    )
    remedy = f"see why the last jobs failed (flexvault job list), mend it, then: flexvault backup {protection.instance}"
    return [Finding.warning("LastBackupTooOld", server.id, text, remedy)]


def check_life(server: Server, grant: GrantLife) -> list[Finding]:
    """Look for a backup that is expected to take so long that a SAS has less reserve than usual, or ends before it."""
    if grant.expected is None or not grant.is_cut:
        return []
    expected = describe_duration(grant.expected)
    shorter = "move or remove data, or give the server more vCores and IOPS"
    if not grant.fits:
        text = (
            f"a backup of server '{server.name}' is expected to take {expected}, longer than the "
            f"{describe_duration(LONGEST)} that a SAS can live: scheduled backups are not begun"
        )
        remedy = f"{shorter}; then back up on demand, which is tried whatever is expected"
        return [Finding.error(DURATION_LIMIT, server.id, text, remedy)]
    text = (
        f"a backup of server '{server.name}' is expected to take {expected}: {RESERVE} times that is more than the "
        f"{describe_duration(LONGEST)} that a SAS can live, so there is less reserve than usual"
    )
    return [Finding.warning("SasLifeIsLimited", server.id, text, shorter)]


def _check_growth(server: Server, protection: Protection) -> list[Finding]:
    """Look ahead: with the size the duration grows, and with it the SAS that it needs."""
    backups, grant = protection.backups, protection.grant
    per_day = growth_per_day(backups)
    if per_day <= 0 or grant.expected is None or grant.is_cut or not grant.expected:
        return []
    limit = backups[0].size_bytes * (LONGEST / (RESERVE * grant.expected))
    days = (limit - backups[0].size_bytes) / per_day
    if days > OUTGROWS_WITHIN.days:
        return []
    text = (
        f"the backups of server '{server.name}' grow by {per_day / _GIB:.2f} GiB a day: in about {days:.0f} days one "
        f"will need more than a quarter of the {describe_duration(LONGEST)} that a SAS can live"
    )
    remedy = "move or remove data, or give the server more vCores and IOPS, before that"
    return [Finding.warning("BackupOutgrowsSas", server.id, text, remedy)]


def growth_per_day(backups: Sequence[BackedUp]) -> float:
    """Answer by how many bytes a day backups grow, from the oldest to the newest; 0 where there are too few to say."""
    if len(backups) < FEWEST_SIZES or backups[0].at - backups[-1].at < SHORTEST_TREND:
        return 0.0
    span = backups[0].at - backups[-1].at
    return (backups[0].size_bytes - backups[-1].size_bytes) / (span / timedelta(days=1))


def _tell_size(server: Server, backups: Sequence[BackedUp]) -> Finding:
    newest = backups[0]
    text = (
        f"the newest backup of server '{server.name}' holds {newest.size_bytes} bytes "
        f"({newest.size_bytes / _GIB:.2f} GiB), of {newest.at:%Y-%m-%d %H:%M} UTC"
    )
    per_day = growth_per_day(backups)
    if per_day:
        text += f"; backups change by {per_day / _GIB:+.2f} GiB a day"
    return Finding.information("LastBackupSize", server.id, text, "")
