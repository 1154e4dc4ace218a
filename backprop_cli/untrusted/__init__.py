"""What others may have written: opened without waiting, bounded, checked against a schema, run only with consent."""
