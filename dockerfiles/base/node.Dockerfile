# previewd/node: node and npm. Built by infra/base-images.sh, which prepares the context.
# runtime/ is empty, or holds the node and npm of the host (bin/, lib/node_modules/npm).
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
COPY runtime/ /usr/local/
# `node` is a user that Dockerfiles written for the official image give files to; previews run as another.
RUN sh /usr/local/lib/previewd/prepare.sh && node --version && npm --version \
    && { id node >/dev/null 2>&1 || useradd --uid 1000 --user-group --create-home --shell /bin/sh node; }
WORKDIR /app
CMD ["node"]
