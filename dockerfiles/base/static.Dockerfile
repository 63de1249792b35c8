# previewd/static: nginx that needs no root and writes below /tmp only. Built by infra/base-images.sh.
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
COPY serve-static /usr/local/bin/serve-static
RUN sh /usr/local/lib/previewd/prepare.sh && chmod 755 /usr/local/bin/serve-static && nginx -v
WORKDIR /app
ENTRYPOINT []
CMD ["serve-static", "/app"]
