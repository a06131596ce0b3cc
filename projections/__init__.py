"""What follows from recorded events for views, queue and watchers, as pure functions to intents."""
