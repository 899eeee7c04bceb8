"""The Celery application: tasks that call one service function each."""
