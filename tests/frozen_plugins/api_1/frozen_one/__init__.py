"""A plugin of plugin API 1, never to be edited: what worked for it must go on working."""
