"""The rebuild kit's program. It is packed with the domain into `rebuild.pyz`: the standard library alone runs it."""
