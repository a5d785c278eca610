"""One change of a server, and what a comparison must then find."""

from dataclasses import dataclass, field

from tests.rebuild.seed import SHOP


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is changed on the target, and what each comparison must then find, no more and no less.

    A finding that a later change of the same object only alters is no new one, so names repeat.
    """

    sql: str
    database: str = SHOP
    point: frozenset[str] = field(default_factory=frozenset)
    living: frozenset[str] = field(default_factory=frozenset)


def both(sql: str, *found: str, database: str = SHOP, place: str = "database shop: ") -> Change:
    named = frozenset(f"{place}{name}" for name in found)
    return Change(sql=sql, database=database, point=named, living=named)


def each(sql: str, point: tuple[str, ...], living: tuple[str, ...], *, database: str = SHOP) -> Change:
    in_shop = [frozenset(f"database shop: {name}" for name in names) for names in (point, living)]
    return Change(sql=sql, database=database, point=in_shop[0], living=in_shop[1])


def of_server(sql: str, point: tuple[str, ...], living: tuple[str, ...], *, database: str = "postgres") -> Change:
    return Change(sql=sql, database=database, point=frozenset(point), living=frozenset(living))
