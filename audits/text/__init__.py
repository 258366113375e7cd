"""Generated text, audited as strings and scores; a file a question, and `words`, a filter that loads no library."""
