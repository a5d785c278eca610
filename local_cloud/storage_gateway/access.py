"""May this caller make this call: by a bearer token, a signature or an account key."""

from dataclasses import dataclass
from http import HTTPStatus

from local_cloud.storage_gateway.bearer import BearerTokens
from local_cloud.storage_gateway.call import Call
from local_cloud.storage_gateway.clock import GatewayClock
from local_cloud.storage_gateway.config import GatewayConfig
from local_cloud.storage_gateway.operations import Operation
from local_cloud.storage_gateway.problems import StorageError, key_not_permitted, mismatch
from local_cloud.storage_gateway.rights import Kind, may
from local_cloud.storage_gateway.shared_access import SharedAccess, Signature

BEARER = "bearer"
_KEY_SCHEMES = ("sharedkey", "sharedkeylite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, once that is proved. `name` is "" where Azurite itself proves it: an account's key or signature."""

    name: str = ""
    object_id: str = ""
    signature: Signature | None = None

    def may(self, right: str, letters: str, kind: Kind, container: str) -> bool:
        """Tell whether the caller holds a right: a signature passes on only what its signer has.

        Args:
            right: The right's name.
            letters: Any of these permissions of a signature does.
            kind: The account's kind.
            container: Of the account, or "".
        """
        if self.signature and not set(letters) & set(self.signature.permissions):
            return False
        return may(self.name, right, kind, container)


class Access:
    """Finds the caller and decides."""

    def __init__(
        self, config: GatewayConfig, tokens: BearerTokens, shared_access: SharedAccess, clock: GatewayClock
    ) -> None:
        self._config = config
        self._tokens = tokens
        self._shared_access = shared_access
        self._clock = clock

    async def caller_of(self, call: Call) -> Caller:
        """Answer who calls.

        Raises:
            StorageError: nobody is proved (401), or not in this account (403).
        """
        scheme, _, proof = call.header("authorization").partition(" ")
        if scheme.lower() == BEARER:
            object_id = await self._tokens.object_id_of(proof.strip())
            return Caller(name=self._config.name_of(object_id), object_id=object_id)
        is_vault = call.account.kind is Kind.VAULT
        if scheme.lower() in _KEY_SCHEMES:
            if is_vault:  # allowSharedKeyAccess: false in infra/modules/vault-account.bicep
                raise key_not_permitted()
            return Caller()
        if "sig" in call.query:
            return self._by_signature(call, is_vault=is_vault)
        raise self._tokens.refused("Server failed to authenticate the request.", "NoAuthenticationInformation")

    def _by_signature(self, call: Call, *, is_vault: bool) -> Caller:
        if not is_vault:
            self._shared_access.require_not_revoked(call.account.name, call.query)
            return Caller()
        signature = self._shared_access.check(call.key, call.query, self._clock.now())
        if signature.resource != "c" and not call.blob:
            raise mismatch()
        return Caller(name=self._config.name_of(signature.signer), object_id=signature.signer, signature=signature)

    def require(self, caller: Caller, call: Call, operation: Operation, *, exists: bool) -> None:
        """Refuse a call that the caller has no right to.

        Args:
            caller: Who calls.
            call: What is asked.
            operation: The same, by its name.
            exists: Whether the blob has a current version: a new one needs less.

        Raises:
            StorageError: 403 AuthorizationPermissionMismatch; 403 UnauthorizedBlobOverwrite when only the blob's
                existence forbids it (blob-service-error-codes).
        """
        if not caller.name:
            return
        # Get User Delegation Key and the like are judged on the account: a grant on a container is none there.
        kind, container = call.account.kind, call.container
        if caller.may(operation.right, operation.letters, kind, container):
            return
        if operation.right_if_new and caller.may(operation.right_if_new, "ac", kind, container):
            if not exists:
                return
            message = "This request is not authorized to perform blob overwrites."
            raise StorageError(HTTPStatus.FORBIDDEN, "UnauthorizedBlobOverwrite", message)
        raise mismatch()
