"""One module a system, which defines SYSTEM; the module's name is the system's."""
