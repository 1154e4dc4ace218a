"""Lessons: claims of textbooks and papers, trained from configs that ship, measured, compared with what is printed.

A lesson is a file NAME.lesson.yaml beside its configs. `lesson.py` reads it, `measure.py` takes its figures from the
finished runs, `run.py` trains and compares.
"""
