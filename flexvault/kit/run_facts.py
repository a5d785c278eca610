"""What a report is about: which recovery point, which server, when. Without it a table is no evidence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from flexvault.domain.sql_text import one_line, readable
from flexvault.kit.client import Client
from flexvault.kit.facts import KitFacts
from flexvault.kit.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run of the kit on one server.

    Attributes:
        host: Of the target, as libpq was told it.
        port: Likewise.
        started_at: With zone.
        completed_at: With zone.
    """

    facts: KitFacts
    target: Target
    host: str
    port: str
    started_at: datetime
    completed_at: datetime

    @classmethod
    def of(cls, client: Client, facts: KitFacts, target: Target, started_at: datetime, completed_at: datetime) -> Self:
        """Take host and port from libpq's variables."""
        given = client.environment
        host = given.get("PGHOST") or given.get("PGHOSTADDR") or given.get("PGSERVICE") or "the local socket"
        return cls(
            facts=facts,
            target=target,
            host=host,
            port=given.get("PGPORT") or "5432",
            started_at=started_at,
            completed_at=completed_at,
        )

    def to_json(self) -> dict[str, Any]:
        """Write it for the report."""
        return {
            "kitId": self.facts.kit_id,
            "server": self.facts.server_name,
            "serverId": self.facts.server_id,
            "recoveryPointId": self.facts.recovery_point_id,
            "recoveryPointTime": self.facts.recovery_point_time,
            "target": {
                "host": readable(self.host),
                "port": self.port,
                "serverVersion": self.target.version,
                "administrator": readable(self.target.administrator),
            },
            "startedAt": self.started_at.isoformat(timespec="seconds"),
            "completedAt": self.completed_at.isoformat(timespec="seconds"),
        }

    def lines(self) -> list[str]:
        """Write it for people."""
        facts, target = self.facts, self.target
        point = f"recovery point {facts.recovery_point_id}, kit {facts.kit_id}"
        who = f"PostgreSQL {target.version}, by {one_line(target.administrator)}"
        times = [at.isoformat(timespec="seconds") for at in (self.started_at, self.completed_at)]
        return [
            *facts.warnings,
            f"rebuild of {one_line(facts.server_name)} as of {facts.recovery_point_time}, {point}",
            f"onto {one_line(self.host)}, port {self.port}, {who}",
            f"started {times[0]}, completed {times[1]}",
        ]
