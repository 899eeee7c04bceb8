# Stand-ins for the images that docker-compose.yml and deploy/ name, where they can't be pulled: the same
# software from Debian, Maven and Go's modules, with the users, folders and scripts that we count on.
FROM debian:bookworm-slim AS python
# As Debian's images are set, so that layers have no packages and lists in them.
RUN echo 'APT::Keep-Downloaded-Packages "false"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";' \
        > /etc/apt/apt.conf.d/docker-clean \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends python3-venv ca-certificates > /dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/bin/python3 /usr/local/bin/python

FROM debian:bookworm-slim AS servers
RUN apt-get update -qq && mkdir -p /etc/postgresql-common \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
    && apt-get install -y -qq --no-install-recommends \
        busybox openjdk-17-jre-headless postgresql redis-server > /dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s /bin/busybox /usr/local/bin/wget

FROM servers AS redis
RUN install -d -o redis -g redis /data
WORKDIR /data
VOLUME /data

FROM servers AS postgres
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
RUN install -d -o postgres -g postgres -m 1777 $PGDATA
VOLUME /var/lib/postgresql/data
COPY postgres.sh /usr/local/bin/
STOPSIGNAL SIGINT
CMD ["postgres.sh"]

FROM servers AS kafka
COPY --from=jars . /opt/kafka/libs
RUN useradd --uid 1000 appuser \
    && install -d -o appuser /opt/kafka/config /etc/kafka/docker /mnt/shared/config /var/lib/kafka/data \
    && touch /etc/kafka/docker/server.properties /etc/kafka/docker/log4j.properties \
        /etc/kafka/docker/tools-log4j.properties
COPY kafka.sh /usr/local/bin/
USER appuser
VOLUME /var/lib/kafka/data
CMD ["kafka.sh"]

FROM servers AS s3
COPY --from=versitygw versitygw docker-entrypoint.sh /usr/local/bin/
RUN chmod +x /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
