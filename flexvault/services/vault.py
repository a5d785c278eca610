"""What every service works with: the ports and the settings."""

from dataclasses import dataclass

from flexvault.ports import Ports
from flexvault.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """One vault, ready to be used."""

    ports: Ports
    settings: Settings
