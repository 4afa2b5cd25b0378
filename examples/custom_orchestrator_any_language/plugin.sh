#!/bin/sh
# An orchestrator in shell: every step is a background job of this script.

# Finds values in a line of JSON: prints what is at the place `want`, and below it, as words for the
# shell. The items of a list share its place; below an object each word is `NAME='value'`.
json='
function token() {
    sub(/^[ \t]+/, "", rest)
    match(rest, /^"([^"\\]|\\.)*"|^[^][{},:" \t]+|^[][{},:]/)
    taken = substr(rest, 1, RLENGTH)
    rest = substr(rest, RLENGTH + 1)
    return taken
}
function digit(character) { return index("123456789abcdef", character) }
function text(raw,    plain, kind) {
    if (raw !~ /^"/) return raw
    raw = substr(raw, 2, length(raw) - 2)
    while (match(raw, /\\(u....|.)/)) {
        kind = substr(raw, RSTART + 1, 1)
        plain = plain substr(raw, 1, RSTART - 1)
        if (kind == "u") # Partita writes control characters so, and nothing else.
            plain = plain sprintf("%c", 16 * digit(substr(raw, RSTART + 4, 1)) + digit(substr(raw, RSTART + 5, 1)))
        else
            plain = plain (kind in escaped ? escaped[kind] : kind)
        raw = substr(raw, RSTART + RLENGTH)
    }
    return plain raw
}
function word(raw) { gsub(/\047/, "\047\\\\\047\047", raw); return "\047" raw "\047 " }
function value(place,    part) {
    part = token()
    if (part == "{") {
        while ((part = token()) != "}")
            if (part != ",") { token(); value(place "." text(part)) }
    } else if (part == "[") {
        while ((part = token()) != "]")
            if (part != ",") { rest = part rest; value(place) }
    } else if (place == want)
        printf "%s", word(text(part))
    else if (index(place, want ".") == 1)
        printf "%s", substr(place, length(want) + 2) "=" word(text(part))
}
BEGIN { escaped["n"] = "\n"; escaped["t"] = "\t"; escaped["r"] = "\r"; escaped["b"] = "\b"; escaped["f"] = "\f" }
{ rest = $0; value("") }'

words() { printf '%s\n' "$line" | LC_ALL=C awk -v want="$1" "$json"; }
field() { eval "printf %s $(words "$1")"; }
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
status() {
    printf '{"jsonrpc":"2.0","method":"status","params":{"attempt":"%s","status":%s}}\n' "$1" "$2"
}

# Runs a command as its own child, so that whoever ends this ends the command, and tells how it ended.
run() {
    attempt=$1
    shift
    "$@" </dev/null >&2 &
    child=$!
    signal=TERM
    trap 'kill -s "$signal" "$child"; signal=KILL' TERM
    wait "$child"
    code=$?
    # A signal ends a wait before the command has ended.
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
        code=$?
    done
    trap - TERM
    if [ "$code" -eq 0 ]; then state=completed; else state=failed; fi
    status "$attempt" "{\"state\":\"$state\",\"exit_code\":$code}"
}

while IFS= read -r line; do
    id=$(field .id)
    case $(field .method) in
    hello) answer '{"protocol":1,"capabilities":["status"]}' ;;
    describe)
        description='{
            "name": "shell",
            "type": "orchestrator",
            "description": "Runs steps as background jobs of a shell.",
            "config_schema": {
                "type": "object",
                "properties": {
                    "nice": { "type": "integer", "minimum": 0, "default": 0, "description": "How much steps stand back." }
                },
                "additionalProperties": false
            },
            "supply": { "max_parallelism": 4, "memory": "any" }
        }'
        answer "$(printf %s "$description" | tr -d '\n')"
        ;;
    validate) answer '{"problems":[]}' ;;
    open)
        nice=$(field .params.config.nice)
        answer '{}'
        ;;
    launch)
        eval "set -- $(words .params.command)"
        eval "export $(words .params.environment)"
        run "$(field .params.attempt.id)" nice -n "${nice:-0}" "$@" &
        answer "{\"job\":\"$!\"}"
        ;;
    cancel)
        kill "$(field .params.job)" 2>/dev/null
        answer '{}'
        ;;
    *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}\n' "$id" ;;
    esac
done
