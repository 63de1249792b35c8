# previewd/go: the compiler, for the stage that builds; programs run on previewd/static. Built by infra/base-images.sh.
ARG FROM
FROM ${FROM}
USER root
COPY prepare.sh extra-ca.crt /usr/local/lib/previewd/
# gcc is there for programs that need cgo; nothing is sent to anybody, and no other toolchain is fetched.
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GOTOOLCHAIN=local
RUN sh /usr/local/lib/previewd/prepare.sh && go version
WORKDIR /app
CMD ["go", "version"]
