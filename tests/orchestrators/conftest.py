"""Settings of these tests alone."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # The SDK's own hint, once per process, in whichever test comes first.
    config.addinivalue_line("filterwarnings", "ignore:azure.functions df_loads was called without:DeprecationWarning")
