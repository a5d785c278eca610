"""The operation table: the whole API in one place.

Paths, codes and shapes are Azure Backup's (`Microsoft.DataProtection` 2026-06-01); what it lacks lies under `/vault`.
HEAD and OPTIONS belong to no operation: they are answered with 405.
"""

from flexvault.api.call import ApiOperation
from flexvault.api.table.azure import AZURE
from flexvault.api.table.own import OWN

OPERATIONS: tuple[ApiOperation, ...] = (*OWN, *AZURE)
