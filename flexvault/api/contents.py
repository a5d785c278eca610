"""Operations on what is in a recovery point: its contents, and the kit that rebuilds a server from its files."""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call
from flexvault.api.instances import find_named
from flexvault.api.pages import answer_page, read_page
from flexvault.api.points import require_point_id
from flexvault.api.times import wire_time
from flexvault.domain.errors import IntegrityError, InvalidInputError, NotFoundError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.point_contents import OBJECT_KINDS
from flexvault.domain.restored_files import MOST_DATABASES
from flexvault.services import catalog
from flexvault.services.kit_download import KitOrder, pack_kit
from flexvault.services.read_contents import ContentsFilter, PlacedObject, list_point_contents

ZIP = "application/zip"


def list_contents(call: Call) -> Answer:
    """List the databases of a recovery point and the objects in them, by name."""
    page = read_page(call, _PLACE)
    wanted = ContentsFilter(
        database=call.query.get("database", ""),
        schema=call.query.get("schema", ""),
        kind=_read_kind(call.query.get("kind", "")),
    )
    archive, _, position = page.after.partition("-")
    after = (int(archive), int(position)) if page.after else (-1, -1)
    point = _find_point(call)
    with _stored():
        found = list_point_contents(call.vault.ports, point, wanted, after=after)
        return answer_page(call, page, found, _place, _show)


def get_rebuild_kit(call: Call) -> Answer:
    """Answer the rebuild kit of a recovery point, for files that begin with `filePrefix`, as a zip archive."""
    point = _find_point(call)
    prefix = call.query.get("fileprefix", "")
    order = KitOrder(file_prefix=prefix, databases=_read_databases(call.query.get("databases", "")))
    with _stored():
        data = pack_kit(call.vault.ports, point, order)
    return Answer(data=data, media_type=ZIP, file_name=f"{prefix}_rebuild.zip")


def _find_point(call: Call) -> RecoveryPoint:
    instance = find_named(call)
    point_id = require_point_id(instance, call.params["point"])
    return catalog.get_sealed_point(call.vault.ports, instance, point_id)


@contextmanager
def _stored() -> Generator[None]:
    """Answer 409 when a blob of the point is missing: 404 would say that of the point, which the vault has.

    Raises:
        IntegrityError: In place of NotFoundError.
    """
    try:
        yield
    except NotFoundError as error:
        hint = "flexvault vault verify names everything that is missing; look at another recovery point"
        raise IntegrityError(error.message, code=error.code, target=error.target, hint=hint) from None


def _read_kind(text: str) -> str:
    """Answer a kind as objects have it, from any case; empty for all."""
    if not text:
        return ""
    for known in OBJECT_KINDS:
        if known.lower() == text.lower():
            return known
    raise InvalidInputError(
        f"'{text[:100]}' is no kind of an object in a database",
        target="kind",
        hint=f"send one of {', '.join(OBJECT_KINDS)}, or leave it out",
    )


def _read_databases(text: str) -> tuple[str, ...]:
    """Read a JSON list of names: a name may hold any character, a comma, too."""
    if not text:
        return ()
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        value = text  # which is no list of names, either
    reader = Reader({"databases": value})
    names = reader.names("databases", MOST_DATABASES)
    reader.finish("query")
    return names


def _place(placed: PlacedObject) -> str:
    return f"{placed.archive:06d}-{placed.position:010d}"


_PLACE = re.compile(r"[0-9]{6}-[0-9]{10}")


def _show(placed: PlacedObject) -> dict[str, Any]:
    found = placed.found
    return {
        "database": found.database,
        "kind": found.kind,
        "schema": found.schema or None,
        "name": found.name or None,
        "owner": found.owner or None,
        "count": found.count,
        "rows": found.rows,
        "sizeInBytes": found.size_bytes,
        "digest": found.digest or None,
        "fileSizeInBytes": found.file_size_bytes,
        "notCounted": found.not_counted or None,
        "source": found.source.value,
        "verifiedAt": None if found.verified_at is None else wire_time(found.verified_at),
    }
