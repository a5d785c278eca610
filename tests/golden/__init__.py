"""Ten years of six policies, worked out twice: by the engine, and by a brute force that shares no line with it."""
