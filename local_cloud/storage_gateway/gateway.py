"""What the calls of one gateway work with."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from weakref import WeakValueDictionary

from local_cloud.storage_gateway.access import Access
from local_cloud.storage_gateway.azurite import Azurite
from local_cloud.storage_gateway.bearer import BearerTokens
from local_cloud.storage_gateway.call import BlobKey
from local_cloud.storage_gateway.callers import Callers
from local_cloud.storage_gateway.clock import GatewayClock, utc_now
from local_cloud.storage_gateway.config import BaseNameDelete, GatewayConfig
from local_cloud.storage_gateway.copy_source import CopySources
from local_cloud.storage_gateway.gate import Gate
from local_cloud.storage_gateway.ledger import Ledger
from local_cloud.storage_gateway.shared_access import SharedAccess


@dataclass(kw_only=True)
class Gateway:
    """The parts, and the settings that may change while it runs."""

    config: GatewayConfig
    port: int
    clock: GatewayClock
    ledger: Ledger
    azurite: Azurite
    tokens: BearerTokens
    shared_access: SharedAccess
    access: Access
    sources: CopySources
    base_name_delete: BaseNameDelete
    copies: Gate = field(default_factory=Gate)
    reads: Gate = field(default_factory=Gate)
    """Of blobs of vault accounts."""
    callers: Callers = field(default_factory=Callers)
    known_containers: set[BlobKey] = field(default_factory=set[BlobKey])
    """Containers of vault accounts that were seen to exist."""
    _locks: WeakValueDictionary[BlobKey, asyncio.Lock] = field(
        default_factory=WeakValueDictionary[BlobKey, asyncio.Lock]
    )

    @classmethod
    def build(cls, config: GatewayConfig, port: int, now: Callable[[], datetime] = utc_now) -> Self:
        """Take up what the state folder keeps."""
        config.state_dir.mkdir(parents=True, exist_ok=True)
        clock = GatewayClock(now)
        ledger = Ledger(config.state_dir / "versions.db")
        tokens = BearerTokens(config)
        shared_access = SharedAccess(config.state_dir)
        return cls(
            config=config,
            port=port,
            clock=clock,
            ledger=ledger,
            azurite=Azurite(config),
            tokens=tokens,
            shared_access=shared_access,
            access=Access(config, tokens, shared_access, clock),
            sources=CopySources(config, port, ledger, shared_access, clock),
            base_name_delete=config.base_name_delete,
        )

    def lock(self, key: BlobKey) -> asyncio.Lock:
        """Answer the lock of a blob: what one list of blocks makes of hidden bytes, a second must not change."""
        return self._locks.setdefault(key, asyncio.Lock())

    async def close(self) -> None:
        """Close connections and database."""
        await self.azurite.close()
        self.ledger.close()
