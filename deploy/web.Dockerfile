# The gateway and its services; docker-compose.yml says which of them a container runs.
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY celeryconfig.py .
COPY nextstream nextstream
COPY tasks tasks
COPY web web
COPY gateway gateway
# Not root: what comes in from outside meets a process that can change nothing here.
RUN useradd --system --uid 10001 --create-home --home-dir /data nextstream
USER nextstream
ENV NEXTSTREAM_DATA_DIR=/data NEXTSTREAM_LOG_FORMAT=json PYTHONUNBUFFERED=1
EXPOSE 8000
# The gateway keeps connections for its next requests: the service must not be the first to close one.
# Threads, since uploads and playback wait for the network; no control socket, since nobody uses it.
CMD ["gunicorn", "web.wsgi:app", "--bind", "0.0.0.0:8000", "--worker-class", "web.worker.Worker", \
     "--workers", "2", "--threads", "320", "--keep-alive", "75", "--no-control-socket"]
