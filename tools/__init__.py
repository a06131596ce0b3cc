"""Looking at what streams said: capturing a recording, and replaying it through a projection."""
