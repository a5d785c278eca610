// Loaded before Azurite, which saves on the first SIGTERM and dies of a second. Children of a killed process that had
// threads are told of its death more than once; with a listener of its own the second signal does nothing.
process.on("SIGTERM", () => {});
