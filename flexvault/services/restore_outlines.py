"""Tell what a restore that was checked would do, whenever a client reads the check's verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flexvault.domain.errors import NotFoundError
from flexvault.domain.restore_outline import RestoreOutline, outline_restore
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.verifications import read_newest


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinedRestore:
    """The restore that an outline is of: what an operation's row keeps, for outlines have any size.

    Attributes:
        instance: 32 hex digits.
        databases: Exact names of the chosen ones; none for all.
    """

    instance: str
    point_id: str
    file_prefix: str
    databases: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Write it for a row."""
        return {
            "instance": self.instance,
            "point_id": self.point_id,
            "file_prefix": self.file_prefix,
            "databases": list(self.databases),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "OutlinedRestore":
        """Read it from a row."""
        return cls(
            instance=stored["instance"],
            point_id=stored["point_id"],
            file_prefix=stored["file_prefix"],
            databases=tuple(stored["databases"]),
        )


def read_outline(ports: Ports, restore: OutlinedRestore) -> RestoreOutline:
    """Tell what a restore would do, by the point's manifest and its newest deep verification.

    Raises:
        NotFoundError: The point was deleted meanwhile.
        IntegrityError: What is stored of it is not what was recorded.
    """
    point = catalog.find_point_or_none(ports, restore.instance, restore.point_id)
    if point is None or point.state != "sealed":
        message = f"recovery point {restore.point_id} has been deleted since the restore was checked"
        raise NotFoundError(message, code="UserErrorRecoveryPointNotFound", target=restore.point_id)
    manifest = catalog.read_manifest(ports, point)
    return outline_restore(manifest, restore.file_prefix, restore.databases, verification=read_newest(ports, point))
