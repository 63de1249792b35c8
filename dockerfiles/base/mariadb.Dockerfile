# previewd/mariadb: a MariaDB server for data that may be lost, its system tables made already, so that a server is
# there in a second. Works as any user on a read-only root. Built by infra/base-images.sh, which prepares the context.
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
COPY serve-mariadb /usr/local/bin/serve-mariadb
RUN sh /usr/local/lib/previewd/prepare.sh && chmod 755 /usr/local/bin/serve-mariadb \
    && rm -rf /var/lib/mysql /etc/mysql && install -d /etc/mysql \
    && install -d -o app -g app -m 700 /var/lib/previewd
# The engine copies this folder into a server's volume. The small logs are what makes that fast.
USER 10001
RUN mariadb-install-db --no-defaults --datadir=/var/lib/previewd/data --auth-root-authentication-method=normal \
        --skip-test-db --innodb-log-file-size=8M --innodb-data-file-path=ibdata1:4M:autoextend >/dev/null
WORKDIR /var/lib/previewd
ENTRYPOINT []
CMD ["serve-mariadb"]
