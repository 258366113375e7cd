"""Files that pictures become: a container (`.glz`), and what codes pixels inside it."""
