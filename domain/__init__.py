"""The rules of requests, connections and subscriptions, as pure functions and values: no I/O, no clock, no random."""
