#!/bin/bash
# Starts the server given as arguments, and nginx in front of it; ends when either does.
PORT=$SERVER_PORT "$@" &
server=$!
/opt/gateway/loader --library-path /opt/gateway/lib /opt/gateway/nginx -e stderr -c /etc/previewd/nginx.conf &
nginx=$!
trap 'kill -TERM "$server" "$nginx" 2>/dev/null' TERM INT
wait -n
status=$?
kill -TERM "$server" "$nginx" 2>/dev/null
wait
exit "$status"
