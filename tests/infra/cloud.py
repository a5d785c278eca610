"""What the templates deploy, for every way in which they are meant to be called."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from tests.infra.bicep import Resource, Value, expand

INFRA = Path(__file__).parents[2] / "infra"
FILES = {str(path.relative_to(INFRA)): path.read_text() for path in INFRA.rglob("*.bicep")}

CONTROL, WRITER, RETENTION = (f"44444444-4444-4444-4444-44444444000{digit}" for digit in "cef")
VAULT_TENANT = "55555555-5555-4555-8555-555555555555"
PRINCIPALS: dict[str, Value] = {
    "controlPrincipalId": CONTROL,
    "writerPrincipalId": WRITER,
    "retentionPrincipalId": RETENTION,
}
ACCOUNT = "Microsoft.Storage/storageAccounts"
SERVICE = f"{ACCOUNT}/blobServices"
CONTAINER = f"{SERVICE}/containers"
ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
DEFINITION = "Microsoft.Authorization/roleDefinitions"
SITE = "Microsoft.Web/sites"
DELEGATION = "Microsoft.ManagedServices/registrationDefinitions"


class Cloud:
    """What the templates deploy, for every way in which they are meant to be called."""

    def __init__(self, files: Mapping[str, str] = FILES) -> None:
        self.files = files

    @cached_property
    def app(self) -> list[Resource]:
        return expand(self.files, "main.bicep", {}).resources

    @cached_property
    def split(self) -> list[Resource]:
        return expand(self.files, "main.bicep", {"splitApps": True}).resources

    @cached_property
    def lighthouse(self) -> list[Resource]:
        return expand(self.files, "lighthouse.bicep", {"vaultTenantId": VAULT_TENANT, "principalId": CONTROL}).resources

    @cached_property
    def first_pass(self) -> list[Resource]:
        return expand(self.files, "vault.bicep", {}).resources

    @cached_property
    def vault(self) -> list[Resource]:
        return expand(self.files, "vault.bicep", PRINCIPALS).resources

    def source(self, mode: str) -> list[Resource]:
        return expand(self.files, "source-roles.bicep", {"grantMode": mode, "controlPrincipalId": CONTROL}).resources

    @property
    def everything(self) -> list[Resource]:
        sources = [*self.source("static"), *self.source("delegated"), *self.lighthouse]
        return [*self.app, *self.split, *self.vault, *sources]

    def all(self, kind: str, *, file: str = "") -> list[Resource]:
        """List the resources of one type that are deployed, of one template or of all."""
        return [r for r in self.everything if r.type == kind and not r.existing and r.file.endswith(file)]


def unlike(resources: Iterable[Resource], path: str, *allowed: Value, least: int = 1) -> list[str]:
    """Name the resources whose value at the path is none of the allowed ones, and say when there are too few of them."""
    found = list(resources)
    few = [] if len(found) >= least else [f"only {len(found)} resources with {path}"]
    return few + [f"{r.file} {r.symbol}: {path} = {r.get(path)!r}" for r in found if r.get(path) not in allowed]
