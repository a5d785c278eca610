"""A port that this app must not have: its role has no identity for it, so every call is refused here, before Azure."""

from typing import Any

from flexvault.domain.errors import NotAuthorizedError


class RefusingPort:
    """Stands where an adapter would; whatever is called on it is refused.

    Args:
        port: Its name, such as `vault_cleaner`.
        role: The role of this app.
        needs: The identity that is missing, such as `retention`.
    """

    def __init__(self, port: str, *, role: str, needs: str) -> None:
        self._port = port
        self._role = role
        self._needs = needs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotAuthorizedError(
            f"{self._port}.{name}: an app of role '{self._role}' holds no {self._needs} identity",
            code="NotThisAppsWork",
            target=self._port,
            hint="the vault's other app does it: see FLEXVAULT_ROLE in docs/operations.md",
        )
