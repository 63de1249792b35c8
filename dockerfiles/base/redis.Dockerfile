# previewd/redis: a Redis server in memory alone, for one preview. Works as any user on a read-only root. Built by
# infra/base-images.sh, which prepares the context.
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
COPY serve-redis /usr/local/bin/serve-redis
RUN sh /usr/local/lib/previewd/prepare.sh && chmod 755 /usr/local/bin/serve-redis && redis-server --version
USER 10001
WORKDIR /tmp
ENTRYPOINT []
CMD ["serve-redis"]
