# The daemon's own image. It runs previews beside itself, through the engine whose socket is mounted:
#
#   docker build -f dockerfiles/previewd.Dockerfile -t previewd .
#   infra/base-images.sh
#   docker run -d --name previewd --network host --pid host \
#       -v /var/run/docker.sock:/var/run/docker.sock --group-add "$(stat -c %g /var/run/docker.sock)" \
#       -v /sys/fs/cgroup:/sys/fs/cgroup:ro --cgroupns host \
#       --user 0 --cap-add NET_ADMIN --cap-add DAC_READ_SEARCH -v /var/lib/docker:/var/lib/docker:ro \
#       -v previewd-data:/var/lib/previewd previewd
#
# --network host: previews publish no port, so the daemon dials their addresses on their own bridge networks, which only
#   the host can reach; and the ports that it listens on for them (3001-3100) are the host's.
# --pid host, /sys/fs/cgroup, --cgroupns host: it reads what a preview uses, and where it listens, from the kernel's files
#   of the preview's process. Without them previews work, and the engine's slower statistics stand in.
# --user 0, NET_ADMIN, DAC_READ_SEARCH, /var/lib/docker: the rules that keep previews from the host and from each other, and a
#   look at how much they write. Without them the daemon says at its start, in `doctor` and at /readiness what is not kept.
# The mounted socket is as good as root on the host; so is whoever controls this container.
#
# BUILD_IMAGE needs a Rust toolchain with a C compiler, RUN_IMAGE the same or a newer C library.
ARG BUILD_IMAGE=rust:1-slim-bookworm
ARG RUN_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin previewd \
    && install -D target/release/previewd /out/previewd

FROM ${RUN_IMAGE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends iptables && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10000 --home-dir /var/lib/previewd --no-create-home previewd \
    && install -d -m 700 -o previewd -g previewd /var/lib/previewd
COPY --from=build /out/previewd /usr/local/bin/previewd
USER previewd
ENV PREVIEW_DATA_DIR=/var/lib/previewd
VOLUME /var/lib/previewd
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["previewd"]
CMD ["serve"]
