"""The vault's isolation through the door: every reader sees it, with reasons and remedies."""

from tests.api.doors import Door


def test_a_reader_sees_what_is_not_isolated_and_what_to_do():
    door = Door()
    door.protect()
    sent = door.send("GET", "/vault/isolation", person="reader", query="")
    assert sent.status == 200
    body = sent.json
    assert (body["isIsolated"], body["role"]) == (False, "all")
    assert [identity["name"] for identity in body["identities"]] == ["control", "writer", "retention"]
    assert body["identities"][0]["objectId"] == "oid-control"
    wrong = {finding["code"]: finding for finding in body["findings"] if not finding["isOk"]}
    assert set(wrong) == {"RolesSplit", "SourceSubscriptions", "SourceTenants", "Immutability"}
    assert all(finding["message"] and finding["remedy"] for finding in wrong.values())
    assert all(finding["remedy"] is None for finding in body["findings"] if finding["isOk"])
