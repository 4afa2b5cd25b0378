#!/bin/sh
# An orchestrator in shell: every step is a background job of this script. It needs `jq`.

field() { printf '%s' "$line" | jq -r "$1"; }
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
    trap 'kill "$child"' TERM
    wait "$child"
    code=$?
    trap - TERM
    # A signal ends the first wait before the command has ended.
    if kill -0 "$child" 2>/dev/null; then
        wait "$child"
        code=$?
    fi
    if [ "$code" -eq 0 ]; then state=completed; else state=failed; fi
    status "$attempt" "{\"state\":\"$state\",\"exit_code\":$code}"
}

while IFS= read -r line; do
    id=$(field .id)
    case $(field .method) in
    hello) answer '{"protocol":1,"capabilities":["status"]}' ;;
    describe)
        answer '{
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
        }' | jq -c . ;;
    validate) answer '{"problems":[]}' ;;
    open)
        nice=$(field '.params.config.nice // 0')
        answer '{}'
        ;;
    launch)
        eval "set -- $(field '.params.command | @sh')"
        eval "$(field '.params.environment | to_entries[] | "export \(.key)=\(.value | @sh)"')"
        run "$(field .params.attempt.id)" nice -n "$nice" "$@" &
        answer "{\"job\":\"$!\"}"
        ;;
    cancel)
        kill "$(field .params.job)" 2>/dev/null
        answer '{}'
        ;;
    *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}\n' "$id" ;;
    esac
done
