# previewd/php: PHP as a FastCGI server, its usual extensions, and Composer. Built by infra/base-images.sh, only when asked.
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
RUN sh /usr/local/lib/previewd/prepare.sh \
    && { command -v php-fpm >/dev/null || ln -s /usr/sbin/php-fpm[0-9]* /usr/local/bin/php-fpm; } \
    && php --version && php-fpm --version && composer --version --no-ansi
WORKDIR /app
CMD ["php", "--version"]
