"""Every change that a comparison must find. They are made one after the other, in this order, on one server."""

from tests.rebuild.changes.more import MORE_CHANGES
from tests.rebuild.changes.server import SERVER_CHANGES
from tests.rebuild.changes.shop import SHOP_CHANGES

CHANGES = {**MORE_CHANGES, **SHOP_CHANGES, **SERVER_CHANGES}
