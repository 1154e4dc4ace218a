"""See why a network learns, or why it does not: traces, pictures, reports, diagnoses."""
