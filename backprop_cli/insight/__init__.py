"""Why a network learns or does not: traces, pictures, reports, diagnoses."""
