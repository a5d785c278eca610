"""What must be true in the vault account before anything is deleted: no table row is a reason by itself.

Rows are shared with the app behind the HTTP door, and the writer's right reaches the journal. Only the retention
identity may write plans: so a deletion needs a stored plan that did not trip and that names it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flexvault.domain import blob_names, names
from flexvault.domain.errors import ConflictError, IntegrityError
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.retention import Decision
from flexvault.ports import Ports
from flexvault.services.breaker import breaker_of
from flexvault.services.standings import Standings

type Expired = frozenset[tuple[str, str, str]]
"""Instance, point id and manifest hash of what a plan lets go."""


def require_executable(ports: Ports, plan: Mapping[str, Any], standings: Standings, path: str) -> None:
    """Refuse a plan that tripped the breaker, and any plan while the breaker is tripped by the journal.

    A job's row names the plan that it executes: whoever may write rows could name any.

    Raises:
        IntegrityError: code PlanNotExecutable.
    """
    standings.catch_up(blob_names.VAULT_STREAM)
    if plan["trips"]:
        text = f"the retention plan '{path}' tripped the breaker: it is never executed"
    elif breaker_of(ports, standings.breaker_seq).is_tripped:
        text = f"the breaker is tripped: the retention plan '{path}' is not executed"
    else:
        return
    hint = "find out who wrote to the job's row, then look at GET /api/vault/breaker"
    raise IntegrityError(text, code="PlanNotExecutable", target=path, hint=hint)


class PlanProofs:
    """Finds in `plans` what lets a point go; reads each plan once."""

    def __init__(self, ports: Ports, current: Mapping[str, Any], current_hash: str) -> None:
        """Begin with the plan that is being executed.

        Args:
            ports: What may be reached.
            current: That plan.
            current_hash: SHA-256 of its bytes, compared already.
        """
        self._ports = ports
        self._found: dict[str, Expired | None] = {current_hash: _expired(current)}

    def require_planned(self, instance: str, point_id: str, tombstone: Mapping[str, Any]) -> None:
        """Refuse to go on with a deletion that no stored plan ordered: a tombstone alone may be forged.

        Raises:
            ConflictError: code DeletionNotPlanned.
        """
        plan_hash = str(tombstone.get("plan_hash", ""))
        if plan_hash not in self._found:
            self._found[plan_hash] = self._read(plan_hash)
        expired = self._found[plan_hash]
        if expired is None or (instance, point_id, str(tombstone.get("manifest_hash", ""))) not in expired:
            text = f"recovery point {point_id} has a tombstone of a plan that is not stored or does not name it"
            hint = "treat the journal as tampered with: find out who wrote to the vault account"
            raise ConflictError(text, code="DeletionNotPlanned", target=point_id, hint=hint)

    def _read(self, plan_hash: str) -> Expired | None:
        for path in self._list_paths(plan_hash):
            data = self._ports.vault_reader.read(blob_names.PLANS, path)
            if names.sha256_hex(data) != plan_hash:
                continue
            try:
                return _expired(json.loads(data))
            except (ValueError, *MALFORMED):
                return None
        return None

    def _list_paths(self, plan_hash: str) -> Iterator[str]:
        """Answer paths that end in this hash: one, of the ten years of plans that are listed for it."""
        end = blob_names.plan_path_end(plan_hash)
        plans = self._ports.vault_reader.list_blobs(blob_names.PLANS, "")
        return (blob.name for blob in plans if plan_hash and blob.name.endswith(end))


def _expired(plan: Mapping[str, Any]) -> Expired | None:
    """Answer what a plan lets go; nothing for one that tripped: it was never executed."""
    if plan["trips"]:
        return None
    return frozenset(
        (str(verdict["instance"]), str(verdict["pointId"]), str(verdict["manifestHash"]))
        for verdict in plan["verdicts"]
        if verdict["decision"] == Decision.EXPIRE
    )
