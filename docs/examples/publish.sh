#!/usr/bin/env bash
# Makes an event stream and publishes to it through the internal API, with nothing but curl.
#
# usage: publish.sh ROUTING_KEY EVENT ...
#        ESS_API: the internal API; http://localhost:8081 unless set
set -euo pipefail
api=${ESS_API:-http://localhost:8081}
made=$(curl -fsS "$api/event-stream/" -H 'content-type: application/json' -d "{\"routing_key\":\"$1\"}")
echo "$made"
[[ $made =~ \"id\":([0-9]+) ]]
shift
for event in "$@"; do
    curl -fsS "$api/event-stream/${BASH_REMATCH[1]}/events" -H 'content-type: text/plain' --data-binary "$event"
    echo
done
