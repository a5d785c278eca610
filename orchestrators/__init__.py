"""What happens, in which order: generators that replay, so no clock, no I/O, no chance; and which app runs which."""

from collections.abc import Callable, Mapping
from typing import Any

from flexvault.domain.app_role import AppRole
from orchestrators.apply_retention import apply_retention
from orchestrators.back_up_server import back_up_server
from orchestrators.configure_protection import configure_protection
from orchestrators.reconcile import reconcile
from orchestrators.restore_recovery_point import restore_recovery_point
from orchestrators.verify_recovery_point import verify_recovery_point

_OF_THE_FRONT = (back_up_server, restore_recovery_point, configure_protection, verify_recovery_point)
ORCHESTRATORS: Mapping[AppRole, tuple[Callable[..., Any], ...]] = {
    AppRole.ALL: (*_OF_THE_FRONT, apply_retention, reconcile),
    AppRole.FRONT: (*_OF_THE_FRONT, reconcile),
    AppRole.JANITOR: (apply_retention, reconcile),
}
