"""Extensions: one that both servers have, and one that the target lacks."""

from tests.rebuild.corpus.model import ONLY_18, Check, Database, Source

WITH_VECTOR, WITH_MISSING = "with_vector", "with_missing"
MISSING = "corpus_only_at_home"
"""An extension of SQL alone that only the source's server offers."""

_SQL = """
CREATE SCHEMA ext;
CREATE EXTENSION vector SCHEMA ext;
CREATE TABLE public.item (id int PRIMARY KEY, embedding ext.vector(3));
INSERT INTO public.item SELECT n, ARRAY[n, n / 2, n % 7]::ext.vector FROM generate_series(1, 100) AS n;
CREATE INDEX item_hnsw ON public.item USING hnsw (embedding ext.vector_l2_ops);
"""

EXTENSIONS = Source(
    name="extensions",
    databases=(Database(name=WITH_VECTOR, as_superuser=_SQL + "ALTER TABLE public.item OWNER TO flexadmin;"),),
    checks=(
        Check(
            what="an extension in a schema of its own",
            database=WITH_VECTOR,
            sql="SELECT extname, nspname FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace WHERE extname = 'vector'",
            expected="vector|ext",
        ),
        Check(
            what="rows of an extension's type and their index",
            database=WITH_VECTOR,
            sql="SELECT count(*), max(embedding::text), (SELECT indisvalid FROM pg_index WHERE indexrelid = 'item_hnsw'::regclass) FROM item",
            expected="100|[99,49,1]|t",
        ),
    ),
)

MISSING_EXTENSION = Source(
    name="missing_extension",
    majors=ONLY_18,
    databases=(
        Database(
            name=WITH_MISSING,
            as_superuser=f"""CREATE EXTENSION {MISSING};
                CREATE TABLE uses_it (v at_home); INSERT INTO uses_it VALUES ('x'); CREATE TABLE others AS SELECT 1 AS n;""",
        ),
    ),
)
"""The kit must refuse it before anything is written; it is no part of the groups."""
