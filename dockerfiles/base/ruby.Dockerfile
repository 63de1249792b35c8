# previewd/ruby: Ruby, Bundler, and what gems written in C are compiled with. Built by infra/base-images.sh, only when asked.
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
RUN sh /usr/local/lib/previewd/prepare.sh && ruby --version && bundle --version
WORKDIR /app
CMD ["ruby", "--version"]
