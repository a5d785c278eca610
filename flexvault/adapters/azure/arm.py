"""Clients of Azure Resource Manager, one per subscription, as the control identity."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from flexvault.adapters.azure.arm_errors import classify
from flexvault.adapters.azure.identity import principal_id
from flexvault.adapters.azure.pipeline import TIMEOUTS, UnhurriedRetryPolicy
from flexvault.domain.errors import InvalidInputError, PermanentError, VaultError

if TYPE_CHECKING:
    from azure.mgmt.authorization import AuthorizationManagementClient
    from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

PUBLIC_SCOPE = "https://management.azure.com/.default"
_SERVER_PATH = ("", "subscriptions", "*", "resourcegroups", "*", "providers", "microsoft.dbforpostgresql")
_SERVER_PARTS = 9
_MOST_PAGES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerId:
    """The parts of a flexible server's ARM id, in the caller's spelling."""

    subscription_id: str
    resource_group: str
    name: str

    @classmethod
    def parse(cls, server_id: str) -> "ServerId":
        """Take an id apart.

        Raises:
            InvalidInputError: It is no id of a flexible server.
        """
        parts = server_id.rstrip("/").split("/")
        lower = [part.lower() for part in parts]
        fits = len(parts) == _SERVER_PARTS and all(
            wanted in ("*", found) for wanted, found in zip(_SERVER_PATH, lower, strict=False)
        )
        if not fits or lower[7] != "flexibleservers" or not all(parts[1:]):
            message = f"'{server_id}' is no resource id of a flexible server"
            raise InvalidInputError(message, target=server_id)
        return cls(subscription_id=parts[2], resource_group=parts[4], name=parts[8])


class Arm:
    """The control identity's way into ARM; thread-safe.

    Args:
        endpoint: `https://management.azure.com`, or another cloud's.
        credential: The control identity.
        scope: What the token is asked for.
        control_principal_id: Object id of the identity; "" reads it from its token.
        elsewhere: Credentials of subscriptions in other tenants, by the subscription's id in lower case.
    """

    def __init__(
        self,
        endpoint: str,
        credential: TokenCredential,
        *,
        scope: str = PUBLIC_SCOPE,
        control_principal_id: str = "",
        elsewhere: Mapping[str, TokenCredential] | None = None,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._credential = credential
        self._scope = scope
        self._elsewhere = dict(elsewhere or {})
        self._principal_ids = {"": control_principal_id} if control_principal_id else {}
        self._lock = threading.Lock()
        self._postgres: dict[str, PostgreSQLManagementClient] = {}
        self._authorization: dict[str, AuthorizationManagementClient] = {}

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in (*self._postgres.values(), *self._authorization.values()):
                client.close()
            self._postgres.clear()
            self._authorization.clear()

    def postgres(self, subscription_id: str) -> "PostgreSQLManagementClient":
        """Answer the client of flexible servers.

        `logging_enable` stays off for good: it would log request bodies, and one of them holds SAS URLs.
        """
        with self._lock:
            if subscription_id not in self._postgres:
                # Here, not above: the first answer of a starting app would wait for it.
                from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient  # noqa: PLC0415

                credential = self._credential_of(subscription_id)
                client = PostgreSQLManagementClient(credential, subscription_id, **self._options())
                self._postgres[subscription_id] = client
            return self._postgres[subscription_id]

    def authorization(self, subscription_id: str) -> "AuthorizationManagementClient":
        """Answer the client of roles and permissions."""
        with self._lock:
            if subscription_id not in self._authorization:
                from azure.mgmt.authorization import AuthorizationManagementClient  # noqa: PLC0415 - as above

                credential = self._credential_of(subscription_id)
                client = AuthorizationManagementClient(
                    credential=credential, subscription_id=subscription_id, **self._options()
                )
                self._authorization[subscription_id] = client
            return self._authorization[subscription_id]

    def get(self, resource_id: str, api_version: str) -> dict[str, Any]:
        """Read any resource as JSON.

        Raises:
            VaultError: As `arm_errors.classify` says.
        """
        subscription_id = resource_id.split("/")[2]
        request = HttpRequest("GET", f"{self._endpoint}{resource_id}", params={"api-version": api_version})
        try:
            response = self.postgres(subscription_id).send_request(request)
            response.raise_for_status()
            return response.json()
        except AzureError as error:
            raise classify(error, f"resource '{resource_id}'", target=resource_id) from None

    def list_all(self, resource_id: str, api_version: str, *, hint: str = "") -> list[dict[str, Any]]:
        """Read a list of any resources as JSON, page by page.

        Args:
            resource_id: Path of the list.
            api_version: Of its provider.
            hint: What a person can do when ARM refuses the identity.

        Raises:
            VaultError: As `arm_errors.classify` says.
            PermanentError: A page leads to another host, or there is no end of pages.
        """
        found: list[dict[str, Any]] = []
        client = self.postgres(resource_id.split("/")[2])
        request = HttpRequest("GET", f"{self._endpoint}{resource_id}", params={"api-version": api_version})
        for _ in range(_MOST_PAGES):
            try:
                response = client.send_request(request)
                response.raise_for_status()
                page: dict[str, Any] = response.json()
            except AzureError as error:
                raise classify(error, f"list '{resource_id}'", hint=hint, target=resource_id) from None
            found += page.get("value") or []
            following = str(page.get("nextLink") or "")
            if not following:
                return found
            if not following.lower().startswith(f"{self._endpoint.lower()}/"):
                break  # the token goes nowhere else
            request = HttpRequest("GET", following)
        raise PermanentError(f"ARM's pages of '{resource_id}' do not end, or lead elsewhere", target=resource_id)

    def control_principal_id(self, resource_id: str = "") -> str:
        """Answer the object id by which the tenant of a resource knows the control identity; its own without one."""
        subscription = resource_id.split("/")[2].lower() if resource_id else ""
        known_as = subscription if subscription in self._elsewhere else ""
        if known_as not in self._principal_ids:
            self._principal_ids[known_as] = principal_id(self._credential_of(known_as), self._scope)
        return self._principal_ids[known_as]

    def find_principal_id(self, resource_id: str = "") -> str:
        """Answer the object id for a hint; a hint must not fail, so without a token it says what is missing."""
        try:
            return self.control_principal_id(resource_id)
        except VaultError:
            return "<object id of the control identity>"

    def _credential_of(self, subscription_id: str) -> TokenCredential:
        return self._elsewhere.get(subscription_id.lower(), self._credential)

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self._endpoint,
            "credential_scopes": [self._scope],
            "retry_policy": UnhurriedRetryPolicy(),
            **TIMEOUTS,
        }
