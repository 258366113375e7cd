"""Pure measurement and marking of generated media: knows arrays, tables and files, never models."""
