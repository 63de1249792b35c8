# previewd/python: the interpreter, venv, pip and uv. Built by infra/base-images.sh, which prepares the context.
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
COPY uv /usr/local/bin/uv
# `python` is what Dockerfiles in the wild call; the marker against pip outside of a venv has no one to protect here.
RUN sh /usr/local/lib/previewd/prepare.sh \
    && { command -v python >/dev/null || ln -s "$(command -v python3.11 || command -v python3)" /usr/local/bin/python; } \
    && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \
    && python -m venv --help >/dev/null && python -m pip --version && uv --version
WORKDIR /app
CMD ["python"]
