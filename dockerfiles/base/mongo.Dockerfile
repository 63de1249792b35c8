# previewd/mongo: a MongoDB server for data that may be lost. Works as any user on a read-only root. Built by
# infra/base-images.sh from the official image: no distribution has packages of it.
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
COPY serve-mongo /usr/local/bin/serve-mongo
RUN sh /usr/local/lib/previewd/prepare.sh && chmod 755 /usr/local/bin/serve-mongo \
    && install -d -o app -g app -m 700 /var/lib/previewd
USER 10001
WORKDIR /var/lib/previewd
ENTRYPOINT []
CMD ["serve-mongo"]
