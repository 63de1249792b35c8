# previewd/node: node and npm. Built by infra/base-images.sh, which prepares the context.
# runtime/ is empty, or holds the node and npm of the host (bin/, lib/node_modules/npm).
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
COPY runtime/ /usr/local/
RUN sh /usr/local/lib/previewd/prepare.sh && node --version && npm --version
WORKDIR /app
CMD ["node"]
