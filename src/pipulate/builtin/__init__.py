"""The apps in the box. Each is one file that uses only what any plugin may use."""
