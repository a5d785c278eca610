"""Wrong input for every operation of the table: an ARM error or a success, never a 500, never a half-written row."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flexvault.api.bodies import Shape
from flexvault.api.call import ApiOperation
from flexvault.api.table import OPERATIONS
from tests.api.doors import INSTANCE, POLICY_ID, VAULT_ID, Door, instance_body, policy_body, restore_body
from tests.api.test_door import path_of
from tests.api.wrong_input import (
    WITH_BODY,
    WRONG_VALUES,
    Trial,
    find_shape,
    made_of,
    members_of,
    merged,
    picture,
    replaced,
    require_arms,
    sample_of,
    send,
    trial_of,
)

GUARDED = [operation for operation in OPERATIONS if operation.role is not None]
MEBIBYTE = 1024 * 1024
MANY = 12


def each(operations: list[ApiOperation]) -> list[Any]:
    return [pytest.param(one, id=f"{one.method} {one.name.rpartition('Protection/')[2]}") for one in operations]


BROKEN: dict[str, bytes] = {
    "cut off": b'{"properties": {',
    "single quotes": b"{'a': 1}",
    "no value": b'{"a": }',
    "a list": b"[]",
    "a text": b'"text"',
    "a number": b"5",
    "null": b"null",
    "true": b"true",
    "a member twice": b'{"properties": 1, "properties": 2}',
    "NaN": b'{"properties": NaN}',
    "beyond all numbers": b'{"properties": 1e999}',
    "5,000 digits": b'{"properties": ' + b"9" * 5000 + b"}",
    "half a character": b'{"properties": "\\ud800"}',
    "half a character in a name": b'{"\\udfff": 1}',
    "no UTF-8": b'{"properties": "\xff"}',
    "UTF-16": '{"properties": {}}'.encode("utf-16"),
    "nested": b'{"properties": ' + b"[" * 60 + b"]" * 60 + b"}",
    "nested beyond reading": b'{"properties":' + b"[" * 300_000,
    "control characters": b'{"properties": "\x01"}',
    "trailing": b'{"properties": {}} {}',
}


@pytest.mark.parametrize("operation", each(WITH_BODY))
def test_a_body_that_is_no_json_object(operation: ApiOperation) -> None:
    trial = Trial()
    for body in BROKEN.values():
        trial.send(operation, body)
    trial.send(operation, b"")
    trial.send(operation, b" \r\n")


@pytest.mark.parametrize("operation", each(WITH_BODY))
def test_a_body_of_just_under_and_just_over_a_mebibyte(operation: ApiOperation) -> None:
    trial, sample = Trial(), sample_of(operation)
    text = json.dumps(sample).encode()
    assert trial.send(operation, text + b" " * (MEBIBYTE - len(text) + 1)).status == 413
    huge = {**sample, "x": "y" * (MEBIBYTE - len(text) - 20)}
    trial.send(operation, huge)
    trial.send(operation, json.dumps({"properties": "z" * (MEBIBYTE - 30)}).encode())


@pytest.mark.parametrize("operation", each(WITH_BODY))
def test_a_byte_order_mark_changes_nothing(operation: ApiOperation) -> None:
    text = json.dumps(sample_of(operation)).encode()
    plain, marked = Trial().send(operation, text), Trial().send(operation, b"\xef\xbb\xbf" + text)
    assert plain.status == marked.status
    if plain.status >= 400:
        assert plain.error["code"] == marked.error["code"]


@pytest.mark.parametrize("operation", each(WITH_BODY))
def test_every_member_of_another_type(operation: ApiOperation, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = find_shape(operation, monkeypatch)
    sample = merged(sample_of(operation, shape), shape)
    trial = Trial()
    # What a policy may hold is tried where it is written; a large body takes turns with the values.
    paths = [path for path in members_of(sample) if path[:1] != ("policy",) or len(path) == 1]
    turns = 1 if len(paths) < MANY else 4
    for number, path in enumerate(paths):
        for value in WRONG_VALUES[number % turns :: turns]:
            trial.send(operation, replaced(sample, path, value))
    trial.send(operation, upper(sample))


def upper(value: Any) -> Any:
    """The same with every member's name in upper case, which means the same."""
    if isinstance(value, dict):
        return {name.upper(): upper(part) for name, part in value.items()}
    return [upper(part) for part in value] if isinstance(value, list) else value


def names_in(shape: Shape) -> set[str]:
    if isinstance(shape, Mapping):
        return {*shape, *(name for inner in shape.values() for name in names_in(inner))}
    return names_in(shape[0]) if isinstance(shape, (list, tuple)) else set()


WORDS = st.sampled_from(
    ["BackupPolicy", "BackupInstance", "P7D", "UTC", INSTANCE, POLICY_ID, "2026-01-01T00:00:00Z", ""]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS


@pytest.mark.parametrize("operation", each(WITH_BODY))
def test_generated_bodies(operation: ApiOperation, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = find_shape(operation, monkeypatch)
    members = st.sampled_from(sorted(names_in(shape) | names_in(made_of(shape)) or {"x"})) | st.text(max_size=4)
    bodies = st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=4),
        max_leaves=12,
    )
    trial = Trial()

    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(body=st.dictionaries(members, bodies, max_size=5))
    def try_them(body: dict[str, Any]) -> None:
        trial.send(operation, json.dumps(body).encode("utf-8", "surrogatepass"))

    try_them()


# Names and ids -------------------------------------------------------------------------------------------------------

TRICKS = (
    "..",
    ".",
    "%2e%2e",
    "%2F",
    "a%2Fb",
    "%5C",
    "a%5Cb",
    "%00",
    "a%0Ab",
    "%7F",
    "%FF",
    "%E2%80%AE",
    "a%23b",
    "a%3Fb",
    "a%25b",
    "%20",
    "a" * 261,
    "a" * 260,
    "%C3%A9" * 200,
    "%F0%9F%90%98",
    "~00",
    "'; DROP TABLE",
    "%3Cscript%3E",
    "-",
    "NUL",
)


@pytest.mark.parametrize("operation", each(GUARDED))
def test_tricks_in_every_name_of_the_path(operation: ApiOperation) -> None:
    trial, plain = trial_of(operation), path_of(operation)
    body = sample_of(operation) if operation in WITH_BODY else None
    parts, template = plain.split("/"), operation.template.split("/")
    fixed = {"{subscription}", "{group}", "{vault}"}
    if len(parts) != len(template):
        return  # a path with a part of any length: its own tests
    for index, part in enumerate(template):
        if not part.startswith("{"):
            continue
        for trick in TRICKS[:: 8 if part in fixed else 1]:
            path = "/".join([*parts[:index], trick, *parts[index + 1 :]])
            answer = trial.send(operation, body, path)
            assert answer.status in {400, 404} or part not in fixed, path


@pytest.mark.parametrize("operation", each([one for one in GUARDED if "{vault}" in one.template]))
@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("backupVaults/flexvault", "backupVaults/other", id="another vault"),
        pytest.param("rg-flexvault", "rg-other", id="another group"),
        pytest.param("11111111-1111", "22222222-1111", id="another subscription"),
    ],
)
def test_ids_of_other_vaults_are_404_and_change_nothing(operation: ApiOperation, old: str, new: str) -> None:
    path = path_of(operation)
    answer = Trial(Door()).send(operation, sample_of(operation), path.replace(old, new))
    assert answer.status == 404


@pytest.mark.parametrize("operation", each(GUARDED))
def test_doubled_slashes_and_a_slash_at_the_end_mean_nothing(operation: ApiOperation) -> None:
    body = sample_of(operation) if operation in WITH_BODY else None
    path = path_of(operation)
    plain = trial_of(operation).send(operation, body)
    for spelled in (f"{path}/", path.replace("/", "//")):
        assert trial_of(operation).send(operation, body, spelled).status == plain.status


QUERIES = (
    "$filter=",
    "$filter='",
    "$filter=a eq",
    "$top=-1",
    "$top=x",
    "$skipToken=!",
    "$skipToken=AAAA",
    "state=x",
    "x=1",
)


@pytest.mark.parametrize("operation", each(GUARDED))
def test_unknown_values_in_the_query(operation: ApiOperation) -> None:
    trial = trial_of(operation)
    body = sample_of(operation) if operation in WITH_BODY else None
    for query in (*QUERIES, "api-version=1&api-version=2", "%00=%00", "a=%FF", "&&&", "=", f"x={'y' * 5000}"):
        trial.send(operation, body, query=f"api-version=2026-06-01&{query}")


@pytest.mark.parametrize("operation", each(GUARDED))
def test_odd_headers(operation: ApiOperation) -> None:
    trial = trial_of(operation)
    body = sample_of(operation) if operation in WITH_BODY else None
    for headers in (
        {"If-Match": '"none"'},
        {"If-None-Match": "*"},
        {"If-Match": ",,,"},
        {"Accept": "text/html;q=0.1"},
        {"x-ms-client-request-id": "\x00ü" * 100, "x-ms-return-client-request-id": "true"},
        {"x-ms-correlation-request-id": "é" * 40},
        {"x-forwarded-for": "999.1.1.1:x, ]["},
        {"Content-Encoding": "br"},
        {"Content-Type": "text/plain"},
    ):
        trial.send(operation, body, headers=headers)


OTHER = VAULT_ID.replace("11111111-1111", "22222222-1111")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            instance_body(policyInfo={"policyId": f"{OTHER}/backupPolicies/daily"}), id="another subscription's"
        ),
        pytest.param(instance_body(policyInfo={"policyId": f"{VAULT_ID}x/backupPolicies/daily"}), id="another vault's"),
        pytest.param(instance_body(policyInfo={"policyId": f"{POLICY_ID}/../x"}), id="a way up"),
        pytest.param(instance_body(objectType="BackupPolicy"), id="a wrong discriminator"),
        pytest.param(instance_body(objectType="Unknown"), id="an unknown discriminator"),
        pytest.param(policy_body(), id="another resource"),
    ],
)
def test_ids_and_discriminators_of_something_else(body: Any) -> None:
    trial = Trial()
    put = next(one for one in OPERATIONS if one.method == "PUT" and one.template.endswith("/{instance}"))
    assert trial.send(put, body, INSTANCE).status == 400
    assert trial.send(put, body, f"{VAULT_ID}/backupInstances/another").status == 400


def test_a_restore_of_another_kind_is_refused() -> None:
    trial = Trial()
    restore = next(one for one in OPERATIONS if one.template.endswith("/restore"))
    for kind in ("AzureBackupRestoreRequest", "AzureBackupRecoveryTimeBasedRestoreRequest", "", None, 5):
        assert trial.send(restore, {**restore_body("0" * 32), "objectType": kind}).status == 400


def test_what_is_looked_at_here_would_be_seen() -> None:
    """The comparison that these tests rest on sees a row, an entry and a job that is begun."""
    trial = Trial()
    put = next(one for one in OPERATIONS if one.method == "PUT" and one.template.endswith("/{policy}"))
    before = picture(trial.door)
    assert send(trial.door, put, policy_body(keep_for="P2M")).status == 200
    after = picture(trial.door)
    assert before["rows"] != after["rows"]
    assert before["journal"] < after["journal"]
    assert picture(trial.door) == after
    with pytest.raises(AssertionError, match="InternalServerError"):
        require_arms(exploding(), "what fails unexpectedly")


def exploding() -> Any:
    door = Door()

    def explode() -> None:
        raise RuntimeError

    door.world.memory.faults.run_next("rows.query", explode)
    return door.send("GET", f"{VAULT_ID}/backupPolicies")
