"""Schemathesis against the vault's own operations: what it generates of the document, valid and not, in process."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import schemathesis
from schemathesis import BaseSchema, Case, Config
from schemathesis.specs.openapi.checks import positive_data_acceptance

from flexvault.api.openapi.document import write_document
from flexvault.api.roles import Role
from flexvault.api.table.own import OWN
from tests.api.doors import INSTANCE, ORIGIN, Door
from tests.api.wsgi import Environ, StartResponse, wsgi_app

type Generated = Case[Any]
type Test = Callable[[Generated], None]

EXAMPLES = 10
GENERATION = {
    "deterministic": True,
    "max-examples": EXAMPLES,
    "database": "none",
    # What the API does not know in a query or among headers it ignores, as Azure does.
    "allow-extra-parameters": False,
    # The test shows the tokens.
    "with-security-parameters": False,
}
PEOPLE = {Role.READER: "reader", Role.OPERATOR: "operator", Role.CONTRIBUTOR: "contributor", Role.APPROVER: "approver"}
MORE_THAN_A_SCHEMA_SAYS = {
    "POST /vault/simulatePolicy",
    "POST /vault/retentionPreview",
    "POST /vault/verify",
    "GET /vault/approvals",
    "GET /vault/doctor",
    "GET /vault/journal",
    "GET /vault/backupInstances/{instance}/holds",
    "GET /vault/backupInstances/{instance}/recoveryPoints/{point}/contents",
    "GET /vault/backupInstances/{instance}/recoveryPoints/{point}/rebuildKit",
    "PUT /vault/backupInstances/{instance}/holds/{hold}",
}
"""Policies, spans of time, places to go on from, names of instances and databases, printable names: what has the right types may be refused with 400."""


ANY_POINT = "0" * 32
"""Stands for the one recovery point, whose id is not known before."""


class Front:
    """The app that is tested: each operation meets a vault of its own, with a server that was backed up."""

    def __init__(self) -> None:
        self.doors: list[Door] = []

    @property
    def door(self) -> Door:
        return self.doors[-1]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        point = self.door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"]
        environ["REQUEST_URI"] = environ["REQUEST_URI"].replace(ANY_POINT, point)
        return wsgi_app(self.door.api)(environ, start_response)

    def schema(self, **parameters: str) -> BaseSchema:
        """Load the document, with fixed values of some parameters."""
        config: dict[str, Any] = {
            "generation": GENERATION,
            "parameters": {f"path.{name}": value for name, value in parameters.items()},
        }
        document = write_document(OWN, origin=ORIGIN)
        schema = schemathesis.openapi.from_dict(document, config=Config.from_dict(config))
        schema.app = self
        return schema

    def check(self, case: Generated) -> None:
        """Send what was generated as the person with the least role, and run every check on the answer."""
        needed = case.operation.definition.raw["x-required-role"]
        excluded = [positive_data_acceptance] if case.operation.label in MORE_THAN_A_SCHEMA_SAYS else []
        # An operation that is open to everybody gets a token, too: another method of its path is 401 without one.
        token = self.door.token(PEOPLE[Role(needed or Role.READER)])
        headers = {"Authorization": f"Bearer {token}"}
        case.call_and_validate(headers=headers, excluded_checks=excluded)


def each_operation(schema: BaseSchema) -> Callable[[Test], Test]:
    """Have a test run once for each operation, with many cases."""
    return cast("Callable[[Test], Test]", schema.parametrize())


FRONT = Front()
ANYWHERE = FRONT.schema()
PROTECTED = FRONT.schema(instance="pg-orders").include(path_regex="backupInstances")
SEALED = FRONT.schema(instance="pg-orders", point=ANY_POINT).include(path_regex="recoveryPoints")


@pytest.fixture(autouse=True)
def door() -> Iterator[Door]:
    made = Door()
    made.protect_and_back_up()
    FRONT.doors.append(made)
    yield made
    FRONT.doors.remove(made)


@each_operation(ANYWHERE)
def test_whatever_is_sent_anywhere_is_answered_as_documented(case: Generated) -> None:
    FRONT.check(case)


@each_operation(PROTECTED)
def test_whatever_is_sent_to_a_protected_server_is_answered_as_documented(case: Generated) -> None:
    FRONT.check(case)


@each_operation(SEALED)
def test_whatever_is_asked_of_a_recovery_point_is_answered_as_documented(case: Generated) -> None:
    FRONT.check(case)
