"""Make the rebuild kit of any recovery point, for files of a restore that is there already or is still to come."""

from dataclasses import dataclass

from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.restored_files import require_databases
from flexvault.domain.zip_files import pack_files
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.kit_facts import kit_facts
from flexvault.services.rebuild_kit import build_kit
from flexvault.services.restore_target import require_prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class KitOrder:
    """Of which restore a kit is wanted.

    Attributes:
        databases: Exact names of the chosen ones; none for all.
    """

    file_prefix: str
    databases: tuple[str, ...] = ()


def pack_kit(ports: Ports, point: RecoveryPoint, order: KitOrder) -> bytes:
    """Answer the kit as a zip archive; it holds names and counts, neither data nor passwords.

    Raises:
        InvalidInputError: The prefix cannot be one, or the point has no such database.
        IntegrityError: What is stored of the point is not what was recorded.
    """
    require_prefix(order.file_prefix, "filePrefix")
    manifest = catalog.read_manifest(ports, point)
    require_databases(point.point_id, manifest.files, order.databases, "databases")
    return pack_files(build_kit(kit_facts(ports, point, manifest, order.file_prefix, order.databases)))
