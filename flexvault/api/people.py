"""People as the API shows them."""

from collections.abc import Mapping


def show_person(actor: Mapping[str, str]) -> dict[str, str | None]:
    """Show who did something, and from where, as the journal has it."""
    return {
        "oid": actor.get("oid"),
        "name": actor.get("name"),
        "from": actor.get("from"),
        "correlationId": actor.get("correlation_id"),
    }
