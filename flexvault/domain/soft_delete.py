"""How long a deletion of data stays soft, as its journal entry says: no row and no present setting makes it shorter."""

from datetime import datetime, timedelta

from flexvault.domain.journal import Entry

SHORTEST_DAYS, LONGEST_DAYS = 14, 180
"""Source: https://learn.microsoft.com/azure/backup/secure-by-default"""
DAYS = "soft_delete_days"
"""Member of a `DataDeletionRequested`: the period in force at that moment; 0 where soft delete was off."""


def read_purge_at(entry: Entry) -> datetime | None:
    """Answer until when a `DataDeletionRequested` is soft; nothing where soft delete was off, or of an older version.

    Raises:
        ValueError: It names a period that no vault has: nobody can say when its data may go.
    """
    days = entry.body.get(DAYS, 0)
    if days == 0:
        return None
    if not isinstance(days, int) or not SHORTEST_DAYS <= days <= LONGEST_DAYS:
        message = f"a soft delete period of {days} days is none that a vault has"
        raise ValueError(message)
    return _after(entry.at, days)


def read_purge_always(entry: Entry, latest: datetime) -> datetime | None:
    """Answer the same in a vault whose soft delete is always on: there no entry makes the period shorter, nor its date.

    Args:
        entry: A `DataDeletionRequested`, which somebody may have forged.
        latest: The latest moment of an entry before it: the vault's stream has one each night.
    """
    floor = _after(latest, SHORTEST_DAYS) - ENTRIES_MAY_DIFFER
    return max(read_purge_at(entry) or floor, floor)


ENTRIES_MAY_DIFFER = timedelta(days=1)
"""So much may an entry's moment lie before the one of the entry before it, and is believed still."""


def tell_dates(purge_at: datetime, gone_at: datetime | None = None) -> str:
    """Say until when a soft-deleted instance can be undeleted and, where that is known, from when on its data are gone.

    The two may differ: storage keeps what is immutable for longer. Every message about one says it in these words.
    """
    gone = f"; its data are gone at {gone_at.isoformat()} at the earliest" if gone_at else ""
    return f"it can be undeleted until {purge_at.isoformat()}{gone}"


def tell_way_back(name: str) -> str:
    """Say how a soft-deleted instance is used again."""
    return f"undelete it with POST deletedBackupInstances/{name}/undelete, then resumeProtection"


def _after(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        message = f"{days} days after {moment.isoformat()} is no date"
        raise ValueError(message) from None
