# previewd/postgres: a PostgreSQL server for data that may be lost, its cluster made already, so that a server is
# there in a second. Works as any user on a read-only root. Built by infra/base-images.sh, which prepares the context.
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
COPY serve-postgres /usr/local/bin/serve-postgres
RUN sh /usr/local/lib/previewd/prepare.sh && chmod 755 /usr/local/bin/serve-postgres \
    && for tool in initdb postgres psql; do \
        command -v $tool >/dev/null || ln -s /usr/lib/postgresql/*/bin/$tool /usr/local/bin/; done \
    && rm -rf /var/lib/postgresql/* /etc/postgresql \
    && install -d -o app -g app -m 700 /var/lib/previewd
# The engine copies this folder into a server's volume. Nobody can log in until serve-postgres has set a password.
USER 10001
RUN initdb --pgdata=/var/lib/previewd/data --username=previewd --auth=reject --encoding=UTF8 --locale=C.UTF-8 \
        --no-sync --no-instructions >/dev/null
WORKDIR /var/lib/previewd
STOPSIGNAL SIGINT
ENTRYPOINT []
CMD ["serve-postgres"]
