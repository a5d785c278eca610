"""Timers: each does one short thing; a timer that fires twice, late or never changes nothing but the moment."""

import logging
from typing import Any

import azure.functions as func

from flexvault.bootstrap import get_vault, orchestrations_of
from flexvault.messages import RECONCILE
from flexvault.services.apply_retention import begin_retention
from flexvault.services.scheduling import tick

logger = logging.getLogger(__name__)


def schedule_tick(timer: func.TimerRequest, client: Any) -> None:
    """Claim due slots and start what is to be started."""
    claimed = tick(get_vault(), orchestrations_of(client))
    if claimed or timer.past_due:
        logger.info("schedule tick: %d job(s) claimed, past due: %s", len(claimed), timer.past_due)


def reconcile_tick(timer: func.TimerRequest, client: Any) -> None:  # noqa: ARG001 - the host always sends it
    """Start a reconciliation; an id per moment of the day: a stuck one stops only itself, and the hub does not grow."""
    now = get_vault().ports.clock.storage_now()
    orchestrations_of(client).start(RECONCILE, f"reconcile-{now:%H%M%S}", {})


def retention_tick(timer: func.TimerRequest, client: Any) -> None:  # noqa: ARG001 - the host always sends it
    """Plan and apply retention."""
    begin_retention(get_vault(), orchestrations_of(client))
