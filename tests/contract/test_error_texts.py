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
from flexvault.domain.errors import NotAuthorizedError, NotFoundError, TransientError, VaultError

SECRET = "c2VjcmV0LXNpZ25hdHVyZQ"
TEXT = f"could not read https://landing.example/c0/dump?sv=2026-10-06&sig={SECRET}%3D"

CLASSIFIERS: dict[str, Callable[[AzureError], VaultError]] = {
    "arm": lambda error: arm_errors.classify(error, "server 'x'"),
    "blob": lambda error: blob_errors.classify(error, "blob 'x'"),
    "blob created": lambda error: blob_errors.classify_create(error, "blob 'x'"),
    "blob copied": lambda error: blob_errors.classify_copy(error, "blob 'x'", "blob 'y'"),
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


def _copy_error(status: int, code: str) -> HttpResponseError:
    error = HttpResponseError(TEXT)
    error.status_code = status
    error.error_code = code  # pyright: ignore[reportAttributeAccessIssue] - the storage SDK sets it so
    return error


@pytest.mark.parametrize(
    ("status", "code", "kind", "named"),
    [
        pytest.param(
            403, "CannotVerifyCopySource", NotAuthorizedError, "blob 'y', read as source of", id="source-refused"
        ),
        pytest.param(404, "CannotVerifyCopySource", NotFoundError, "blob 'y', read as source of", id="source-missing"),
        pytest.param(500, "CannotVerifyCopySource", TransientError, "blob 'y', read as source of", id="source-slow"),
        pytest.param(403, "AuthorizationPermissionMismatch", NotAuthorizedError, "blob 'x':", id="target-refused"),
    ],
)
def test_a_copy_names_the_account_that_refused_it(status: int, code: str, kind: type[VaultError], named: str) -> None:
    ours = blob_errors.classify_copy(_copy_error(status, code), "blob 'x'", "blob 'y'", hint="grant the target")

    assert isinstance(ours, kind)
    assert named in str(ours)
    if kind is NotAuthorizedError:
        assert (ours.hint == "grant the target") is (code != "CannotVerifyCopySource")
