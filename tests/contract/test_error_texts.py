"""No text of an SDK, and so no signature in it, ever becomes part of our errors."""

import traceback
from collections.abc import Callable

import pytest
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    IncompleteReadError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)

from flexvault.adapters.azure import arm_errors, blob_errors, table_errors
from flexvault.domain.errors import VaultError

SECRET = "c2VjcmV0LXNpZ25hdHVyZQ"
TEXT = f"could not read https://landing.example/c0/dump?sv=2026-10-06&sig={SECRET}%3D"

CLASSIFIERS: dict[str, Callable[[AzureError], VaultError]] = {
    "arm": lambda error: arm_errors.classify(error, "server 'x'"),
    "blob": lambda error: blob_errors.classify(error, "blob 'x'"),
    "blob created": lambda error: blob_errors.classify_create(error, "blob 'x'"),
    "table": lambda error: table_errors.classify(error, "https://app.example", "jobs", "x"),
}
KINDS = (
    AzureError,
    HttpResponseError,
    IncompleteReadError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("service", CLASSIFIERS)
def test_a_planted_signature_never_reaches_our_error(service: str, kind: type[AzureError]) -> None:
    def raise_ours() -> None:
        try:
            raise kind(TEXT)
        except AzureError as error:
            raise CLASSIFIERS[service](error) from None

    with pytest.raises(VaultError) as raised:
        raise_ours()

    ours = raised.value
    stored = "".join(traceback.format_exception(ours))
    assert SECRET not in stored
    assert SECRET not in repr((ours.args, ours.code, ours.hint, ours.target, ours.inner_code))
