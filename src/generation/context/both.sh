#!/bin/bash
# Starts the server given as arguments and, once it listens, nginx in front of it; ends when either does.
PORT=$SERVER_PORT "$@" &
server=$!
nginx=
trap 'kill -TERM "$server" $nginx 2>/dev/null' TERM INT
# Pages that answer before their server does would only show errors.
until (exec 3<>"/dev/tcp/127.0.0.1/$SERVER_PORT") 2>/dev/null; do
    kill -0 "$server" 2>/dev/null || { wait "$server"; exit $?; }
    sleep 0.05
done
/opt/gateway/loader --library-path /opt/gateway/lib /opt/gateway/nginx -e stderr -c /etc/previewd/nginx.conf &
nginx=$!
wait -n
status=$?
kill -TERM "$server" "$nginx" 2>/dev/null
wait
exit "$status"
