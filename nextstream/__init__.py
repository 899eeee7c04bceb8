"""NextStream: everything that is true without Flask or Celery."""
