#!/bin/bash
# Starts the server given as arguments, the pages' own server where there is one, and, once they listen, nginx in
# front of them; ends when any of them does.
PORT=$SERVER_PORT "$@" &
server=$!
pages=
nginx=
trap 'kill -TERM "$server" $pages $nginx 2>/dev/null' TERM INT
if [ -e /etc/previewd/pages.sh ]; then
    bash /etc/previewd/pages.sh &
    pages=$!
fi
# Pages that answer before their server does would only show errors.
listens() {
    until (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; do
        kill -0 "$1" 2>/dev/null || { wait "$1"; exit $?; }
        sleep 0.05
    done
}
listens "$server" "$SERVER_PORT"
[ -z "$pages" ] || listens "$pages" "$PAGES_PORT"
/opt/gateway/loader --library-path /opt/gateway/lib /opt/gateway/nginx -e stderr -c /etc/previewd/nginx.conf &
nginx=$!
wait -n
status=$?
kill -TERM "$server" $pages "$nginx" 2>/dev/null
wait
exit "$status"
