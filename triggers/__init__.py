"""What wakes the vault, timers and HTTP, and which app is woken by what."""

from collections.abc import Callable, Mapping
from typing import Any

from flexvault.domain.app_role import AppRole
from triggers.http import serve
from triggers.timers import reconcile_tick, retention_tick, schedule_tick

_SCHEDULE, _RECONCILE = (schedule_tick, "%SCHEDULE_TICK%"), (reconcile_tick, "%RECONCILE_TICK%")
_RETENTION = (retention_tick, "%RETENTION_TICK%")

TIMERS: Mapping[AppRole, tuple[tuple[Callable[..., None], str], ...]] = {
    AppRole.ALL: (_SCHEDULE, _RECONCILE, _RETENTION),
    AppRole.FRONT: (_SCHEDULE, _RECONCILE),
    AppRole.JANITOR: (_RECONCILE, _RETENTION),
}
"""Each with the app setting that says when."""
DOORS: Mapping[AppRole, tuple[Callable[..., Any], ...]] = {
    AppRole.ALL: (serve,),
    AppRole.FRONT: (serve,),
    AppRole.JANITOR: (),
}
