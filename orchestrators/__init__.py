"""What happens, in which order: plain generators that replay, so no clock, no I/O, no chance."""

from orchestrators.apply_retention import apply_retention
from orchestrators.back_up_server import back_up_server
from orchestrators.configure_protection import configure_protection
from orchestrators.reconcile import reconcile
from orchestrators.restore_recovery_point import restore_recovery_point

ORCHESTRATORS = (back_up_server, restore_recovery_point, configure_protection, apply_retention, reconcile)
