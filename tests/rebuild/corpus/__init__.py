"""Source databases with what must be true on a server that is rebuilt from their files."""

from tests.rebuild.corpus.code import CODE_SOURCE
from tests.rebuild.corpus.data import DATA_SOURCE
from tests.rebuild.corpus.extensions import EXTENSIONS
from tests.rebuild.corpus.model import Source
from tests.rebuild.corpus.names import DATABASE_NAMES, NAMES
from tests.rebuild.corpus.owners import OWNERS
from tests.rebuild.corpus.properties import ICU, LOCALES, PROPERTIES
from tests.rebuild.corpus.replication import REPLICATION
from tests.rebuild.corpus.roles import ROLES
from tests.rebuild.corpus.search_paths import CHECKS_THAT_READ, SEARCH_PATHS
from tests.rebuild.corpus.security import SECURITY
from tests.rebuild.corpus.structures import STRUCTURES

SOURCES: tuple[Source, ...] = (
    DATABASE_NAMES,
    NAMES,
    PROPERTIES,
    LOCALES,
    ICU,
    ROLES,
    OWNERS,
    SEARCH_PATHS,
    CHECKS_THAT_READ,
    STRUCTURES,
    SECURITY,
    REPLICATION,
    EXTENSIONS,
    CODE_SOURCE,
    DATA_SOURCE,
)
"""All fit into one cluster."""
