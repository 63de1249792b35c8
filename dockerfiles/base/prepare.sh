#!/bin/sh
# What every base image gets, whatever it is derived from: the user that previews run as, its /app and home,
# and the certificates that this host trusts beyond the usual ones. Runs as root inside the image being built.
set -eu
here=$(dirname "$0")

groupadd --gid 10001 app
useradd --uid 10001 --gid 10001 --home-dir /home/app --create-home --shell /bin/sh app
install -d -o app -g app -m 755 /app

# A file of several certificates is left out of the hashed directory but is part of the bundle, which is what
# OpenSSL, Python, uv and npm are pointed at.
if [ -s "$here/extra-ca.crt" ]; then
    mkdir -p /usr/local/share/ca-certificates /etc/ssl/certs
    cp "$here/extra-ca.crt" /usr/local/share/ca-certificates/previewd.crt
    if command -v update-ca-certificates >/dev/null; then
        update-ca-certificates 2>/dev/null
    else
        cat "$here/extra-ca.crt" >>/etc/ssl/certs/ca-certificates.crt
    fi
fi
