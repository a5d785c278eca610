"""An app that cannot be loaded."""

raise RuntimeError("the broken app is broken")
