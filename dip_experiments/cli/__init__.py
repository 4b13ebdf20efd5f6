"""The command `dip`: overrides, subcommands, help, messages, exit codes."""
