#!/bin/sh
# Writes the settings from the environment and formats the folder by Kafka's own class for its image.
set -euf # the star below is Java's
export CLUSTER_ID="${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}"
java="java ${KAFKA_HEAP_OPTS:-} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp /opt/kafka/libs/*"
said=$($java kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
    --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1) \
    || echo "$said" | grep -i "already formatted" || { echo "$said"; exit 1; }
exec $java kafka.Kafka /opt/kafka/config/server.properties
