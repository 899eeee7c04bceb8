#!/bin/sh
# Makes what a new installation on compose lacks: secrets, each in the folder of those who need it, and
# the bucket. A secret that is given in the environment is taken; else the one there is kept.
set -eu

random() {
    od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

# keep FILE GIVEN: the new file takes the old one's place at once, since others may be reading it.
keep() {
    [ -n "$2" ] || [ ! -s "$1" ] || return 0
    printf '%s' "${2:-$(random 32)}" > "$1.new"
    mv "$1.new" "$1"
}

cd /secrets
keep web/secret_key "${SECRET_KEY:-}"
keep postgres/password "${POSTGRES_PASSWORD:-}"
keep s3/secret "${S3_SECRET_KEY:-}"
printf 'postgresql+psycopg://nextstream:%s@postgres/nextstream' "$(cat postgres/password)" > platform/database_url
printf '[default]\naws_access_key_id = nextstream\naws_secret_access_key = %s\n' "$(cat s3/secret)" > platform/aws

mkdir -p /s3/videos # a folder of it is a bucket
chown 10001:10001 /s3 /s3/videos
