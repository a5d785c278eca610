"""The operation table: the whole API in one place.

Paths, codes and shapes are Azure Backup's (`Microsoft.DataProtection` 2026-06-01); what it lacks lies under `/vault`.
Its operations that have no meaning for flexible servers are rows, too, and answer why. Anything else is 404.
HEAD and OPTIONS belong to no operation: they are answered with 405.
"""

from flexvault.api.call import ApiOperation
from flexvault.api.provider_operations import operations_lister
from flexvault.api.resource_ids import PROVIDER
from flexvault.api.table.azure import AZURE as _AZURE
from flexvault.api.table.own import OWN
from flexvault.api.table.rows import READER, row
from flexvault.api.table.unsupported import UNSUPPORTED

_LIST = row(
    "GET",
    f"/providers/{PROVIDER}/operations",
    "operations/read",
    READER,
    operations_lister(lambda: (*OWN, *AZURE)),
    200,
)
AZURE: tuple[ApiOperation, ...] = (*_AZURE, _LIST)
OPERATIONS: tuple[ApiOperation, ...] = (*OWN, *AZURE, *UNSUPPORTED)
__all__ = ["AZURE", "OPERATIONS", "OWN", "UNSUPPORTED"]
