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
    return entry.at + timedelta(days=days)
