"""Verify a vault from its storage alone: streams, roots, manifests, files, and on demand every block.

Nothing but reads of the vault account is needed: no table, no ARM. So what it says holds also when the app, its
tables and the source servers are lost or in an attacker's hands.
"""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

from flexvault.domain import blob_names
from flexvault.domain.errors import InvalidInputError
from flexvault.ports import VaultReader
from flexvault.services.verify_page import Order, Page, Position, Report
from flexvault.services.verify_points import PointReader
from flexvault.services.verify_streams import RootReader, StreamReader, unknown

PARALLEL_READS = 8
"""Below the ten connections that the SDK keeps for one account; more threads would shake hands again and again."""


def verify_vault(reader: VaultReader, order: Order, is_spent: Callable[[], bool] = lambda: False) -> Report:
    """Verify a vault, or go on where an earlier call ended.

    A call does at least one thing before it looks at the time, so that repeated calls always come to an end; what it
    never cuts in two is one stream's chain (all of its entries) and one root.

    Args:
        reader: The vault account.
        order: What to verify, and from where on.
        is_spent: Says that the rest is for another call.

    Raises:
        InvalidInputError: `continue_from` is none, or nothing is there of the only instance: that is not intact.
        TransientError, NotAuthorizedError, NotFoundError: The vault account, or one of its containers, cannot be
            read: a refusal is no finding.
    """
    begin = Position.parse(order.continue_from)
    page = Page(order, is_spent)
    with ThreadPoolExecutor(max_workers=PARALLEL_READS) as pool:
        roots = RootReader(reader, pool, page)  # before the streams: whatever a root names is there already
        following = None if begin.day else _verify_streams(reader, pool, page, begin)
        if following is None:
            is_at_roots_only = begin.day is None and page.is_full and bool(roots.days)
            day = roots.days[0] if is_at_roots_only else roots.check_all(begin.day)
            following = Position(day=day) if day else None
    return Report(page=page, continue_from=following.to_text() if following else "")


def _verify_streams(reader: VaultReader, pool: Executor, page: Page, begin: Position) -> Position | None:
    streams = [stream for stream in _list_streams(reader, page) if stream >= begin.stream]
    for number, stream in enumerate(streams, start=1):
        inside = begin if begin.point and stream == begin.stream else Position()
        place = _verify_stream(reader, pool, page, stream, inside)
        following = streams[number] if number < len(streams) else ""
        if place is None and following and page.is_full:
            place = Position(stream=following)
        if place is not None:
            return place
    return None


def _list_streams(reader: VaultReader, page: Page) -> list[str]:
    """Answer every stream that entries, manifests, the newest root or the tables know."""
    folders = {*reader.list_folders(blob_names.JOURNAL), *reader.list_folders(blob_names.MANIFESTS)}
    strange = sorted(name for name in folders if not blob_names.is_stream(name) and name != blob_names.ROOTS)
    for name in strange:
        page.add_first(unknown(f"{blob_names.JOURNAL} or {blob_names.MANIFESTS}/{name}/"))
    rooted = page.newest.root.streams if page.newest and page.newest.root else ()
    known = {name for name in (*folders, *rooted, *page.order.heads) if blob_names.is_stream(name)}
    only = page.order.instance
    if only and only not in known:
        text = (
            f"neither journal, manifests, roots nor tables hold anything of the backup instance with the key '{only}'"
        )
        hint = "correct the key, or leave it out to verify the whole vault"
        raise InvalidInputError(text, code="UserErrorGenericResourceNotFound", target="instance", hint=hint)
    return sorted(known & {only} if only else known)


def _verify_stream(reader: VaultReader, pool: Executor, page: Page, stream: str, begin: Position) -> Position | None:
    read = StreamReader(reader, pool, page, stream)
    points = PointReader(reader, pool, page, read)
    points.list_stored()
    read.read()
    page.hashes[stream] = read.chain.hashes
    place = points.check_all(begin)
    if not begin.point:
        read.report()  # at its end: the points may have made it read on
    return place
