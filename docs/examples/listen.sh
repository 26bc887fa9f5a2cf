#!/usr/bin/env bash
# Prints the events of an event stream and keeps its place; `ess listen` reconnects by itself.
#
# usage: listen.sh LOCATION POSITION_FILE [COUNT]
set -euo pipefail
location=$1
position=$2
count=(${3:+--count "$3"})
last=0
if [[ -s $position ]]; then last=$(< "$position"); fi

ess listen "$location" -o "$last" "${count[@]}" --json | while IFS= read -r line; do
    [[ $line =~ ^\{\"ordinal\":([0-9]+), ]]
    printf '%s\n' "$line"
    # In one step, after the event was dealt with: a crash brings it again, never loses it.
    printf '%s' "${BASH_REMATCH[1]}" > "$position.new"
    mv "$position.new" "$position"
done
