"""Who compares: what a server lets its administrator restore decides what may differ."""

from dataclasses import dataclass
from typing import Final

from flexvault.kit.client import Client
from flexvault.kit.row_streams import json_rows

_QUERY: Final = """
SELECT json_build_array(current_user::text, r.rolsuper, current_setting('server_version_num')::int / 10000)
FROM pg_roles AS r WHERE r.rolname = current_user"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The role of a connection.

    Attributes:
        major: Version of the server.
    """

    name: str
    has_superuser: bool
    major: int


def login_of(client: Client) -> Login:
    """Ask the server.

    Raises:
        ClientError: It cannot be reached.
    """
    [[name, has_superuser, major]] = json_rows(client, _QUERY)
    return Login(name=name, has_superuser=has_superuser, major=major)
