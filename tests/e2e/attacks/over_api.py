"""What a person tries through the API with a stolen token, and nobody else's help."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e import bodies
from tests.e2e.attacks.outcomes import OVER_THE_API, Outcome, outcome_of
from tests.e2e.attacks.points import SealedPoint
from tests.e2e.user import User

POLICY, SHORTER, HOLD = "daily", "shorter", "case-7"
OUTSIDE = "https://loot.blob.core.windows.net/files"


@dataclass(frozen=True, kw_only=True)
class Victim:
    """What the attempts are about."""

    point: SealedPoint
    server_id: str
    approval_id: str
    """An approval that the contributor asked for."""

    @property
    def hold(self) -> str:
        """Path of a hold on the point's instance."""
        return hold_path(self.point.instance)


def hold_path(instance: str) -> str:
    """Answer the path of the hold that the attempts are about."""
    return f"/vault{instance}/holds/{HOLD}"


def attempt_over_api(attempt: str, thief: User, person: str, victim: Victim) -> Outcome:
    """Try one thing and answer what came of it."""
    answer = _CALLS[attempt](thief, person, victim)
    if answer.is_success:
        return Outcome.DONE
    return outcome_of(answer.status_code, answer.json()["error"]["code"])


def _delete(thief: User, _person: str, victim: Victim) -> httpx.Response:
    return thief.send("DELETE", victim.point.instance)


def _shorten(thief: User, _person: str, _victim: Victim) -> httpx.Response:
    return thief.send("PUT", f"/backupPolicies/{POLICY}", bodies.policy(keep_for="P7D"))


def _put_under_shorter(thief: User, _person: str, victim: Victim) -> httpx.Response:
    return thief.put_instance(victim.server_id, SHORTER)


def _release_hold(thief: User, _person: str, victim: Victim) -> httpx.Response:
    return thief.send("DELETE", victim.hold)


def _turn_guard_off(thief: User, _person: str, _victim: Victim) -> httpx.Response:
    return thief.send("PUT", "/vault/poisoningGuard", {"state": "Off"})


def _leave_locked(thief: User, _person: str, _victim: Victim) -> httpx.Response:
    return set_immutability(thief, "Disabled")


def _approve(thief: User, person: str, victim: Victim) -> httpx.Response:
    """The approver, who may approve what others ask for, can ask for nothing: that is its attempt."""
    if person == "approver":
        return thief.send("DELETE", victim.point.instance)
    return thief.send("POST", f"/vault/approvals/{victim.approval_id}/approve", {})


def _restore_outside(thief: User, person: str, victim: Victim) -> httpx.Response:
    return _restore(thief, victim, bodies.restore(victim.point.name, OUTSIDE, "", person))


def _restore_into_vault(thief: User, person: str, victim: Victim) -> httpx.Response:
    account = thief.vault.endpoints["storage"]["vault"]
    url = f"{account['blobEndpoint']}/points"
    return _restore(thief, victim, bodies.restore(victim.point.name, url, account["resourceId"], person))


def _restore_inside(thief: User, person: str, victim: Victim) -> httpx.Response:
    return _restore(thief, victim, thief.restore_order({"name": victim.point.name}, f"taken-by-{person}"))


def _restore(thief: User, victim: Victim, order: Mapping[str, Any]) -> httpx.Response:
    return thief.send("POST", f"{victim.point.instance}/restore", order)


def set_immutability(person: User, state: str) -> httpx.Response:
    """Ask for another state of the vault's immutability."""
    body = {"properties": {"securitySettings": {"immutabilitySettings": {"state": state}}}}
    return person.send("PATCH", "", body)


_CALLS: Mapping[str, Callable[[User, str, Victim], httpx.Response]] = dict(
    zip(
        OVER_THE_API,
        (
            _delete,
            _shorten,
            _put_under_shorter,
            _release_hold,
            _turn_guard_off,
            _leave_locked,
            _approve,
            _restore_outside,
            _restore_into_vault,
            _restore_inside,
        ),
        strict=True,
    )
)
