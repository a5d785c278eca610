"""Which part of the vault an app is: one app for all, or two that hold different identities."""

from enum import StrEnum

from flexvault.domain.job import Operation


class AppRole(StrEnum):
    """The values of `FLEXVAULT_ROLE`."""

    ALL = "all"
    """One app does everything and holds every identity."""
    FRONT = "front"
    """The HTTP door and all jobs but retention; it holds no identity that may delete."""
    JANITOR = "janitor"
    """Retention alone, woken by timers only; it holds the retention identity and no other of the vault's."""

    def runs(self, operation: Operation) -> bool:
        """Say whether an app of this role starts and takes over jobs of an operation."""
        return self is AppRole.ALL or (operation is Operation.RETENTION) is (self is AppRole.JANITOR)
