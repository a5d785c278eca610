"""What every service works with: the ports and the settings."""

import threading
from collections.abc import Callable
from datetime import date

from flexvault.ports import Ports
from flexvault.settings import Settings


class Vault:
    """One vault, ready to be used; its ports may be built at their first use."""

    def __init__(self, *, settings: Settings, ports: Ports | Callable[[], Ports]) -> None:
        self.settings = settings
        self.rooted_day: date | None = None
        """The last day whose root this process has seen; only to ask storage less often."""
        self._ports = ports
        self._lock = threading.Lock()

    @property
    def ports(self) -> Ports:
        """Answer what the services may reach."""
        if isinstance(self._ports, Ports):
            return self._ports
        with self._lock:
            if not isinstance(self._ports, Ports):
                self._ports = self._ports()
            return self._ports
