"""From installed distributions to a record for each name; nothing of a plugin is imported."""
