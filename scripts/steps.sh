# The steps of a long run, some of them in parallel, and their results. Sourced after lib.sh.
# shellcheck shell=bash

begin_steps() {
    steps=$(mktemp -d)
    steps_begin=$SECONDS
    trap 'rm -rf "$steps"' EXIT
    # A reader may miss lines that scroll by: each failure is shown again at the end.
    : >"$steps/failed" >"$steps/counts"
}

# step COMMAND...: runs it, and goes on even if it fails. Its output is shown as it comes, and kept.
step() {
    local start=$SECONDS status=0 output name=$*
    output=$(mktemp "$steps/output.XXXXXX")
    say "" "== $name"
    # With pipefail a pipe's status is that of the last part that failed.
    "$@" 2>&1 | tee "$output" || status=$?
    # The tests that the command counts; if it counts none, the step itself counts as one.
    if ! grep -E '^[0-9]+ passed, [0-9]+ failed' "$output" >>"$steps/counts"; then
        say "$((status == 0)) passed, $((status != 0)) failed" >>"$steps/counts"
    elif [ $status != 0 ] && ! grep -qE '^[0-9]+ passed, [1-9][0-9]* failed' "$output"; then
        say "0 passed, 1 failed" >>"$steps/counts"
    fi
    if [ $status = 0 ]; then
        say "== took $((SECONDS - start)) s: $name"
    else
        say "== FAILED after $((SECONDS - start)) s: $name"
        say "$name	$output" >>"$steps/failed"
    fi
}

# beside FUNCTION: runs it in parallel with what follows; it may be one step or several. join shows its output.
beside() {
    beside_output=$steps/beside
    if [[ $(type -t "$1") = function ]] && declare -f "$1" | grep -q '^ *step '; then
        "$@" >"$beside_output" 2>&1 &
    else
        step "$@" >"$beside_output" 2>&1 &
    fi
    beside_pid=$!
}

join() {
    local status=0
    wait "$beside_pid" || status=$?
    cat "$beside_output"
    [ $status = 0 ] || say "$beside_pid ended with $status	/dev/null" >>"$steps/failed"
}

# The steps that failed, with their failed tests and the end of the output; the last line has only the counts.
end_steps() {
    local name output failed
    while IFS=$'\t' read -r name output; do
        say "" "== failed: $name"
        # What tests/run or c-tests/run shows of each failure, or else the end.
        sed -n '/^---- FAILED/,$p; /^failures:/,$p' "$output" | grep . || tail -n 40 "$output"
    done <"$steps/failed"
    failed=$(wc -l <"$steps/failed")
    say "" "$failed steps failed, $((SECONDS - steps_begin)) s"
    awk '{passed += $1; failed += $3; skipped += $5}
        END {printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped}' "$steps/counts"
    [ "$failed" = 0 ]
}
