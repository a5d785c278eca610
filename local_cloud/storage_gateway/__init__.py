"""The blob endpoint of all storage accounts of the local cloud, in front of Azurite.

Azurite has no roles, no versions and no immutability. This process adds what flexvault depends on: every bearer token
is verified and authorized per principal, and the vault accounts keep versions under write-once-read-many (WORM) rules.

* Landing, restore and app accounts: requests pass through, once they are authorized.
* Vault accounts: the facts of every version are in SQLite, its bytes are a hidden blob of the same container.

What Azure does in each case is documented only, never seen: `docs/azure-unknowns.md`. Pages are named here by their
last part, below https://learn.microsoft.com/rest/api/storageservices/ or
https://learn.microsoft.com/azure/storage/blobs/.
"""
