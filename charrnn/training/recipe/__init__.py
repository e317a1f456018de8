"""Every choice that the user left open."""
