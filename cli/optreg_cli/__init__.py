"""The command line of optreg: arguments in, rendering and exit codes out."""
