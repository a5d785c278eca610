"""The ports over dictionaries; not packaged for Azure."""
