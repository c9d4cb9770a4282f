# Sourced: runs named parts one after the other, remembers their minutes, prints them at the end also when one failed.

part_lines=()
started_at=$SECONDS

part() {
    local name=$1 from=$SECONDS status=0
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    # A subshell outside of any condition, so that -e holds also inside a function.
    set +e
    (set -e; "$@")
    status=$?
    set -e
    part_lines+=("$(minutes $((SECONDS - from)))  $name$([ "$status" -eq 0 ] || printf '  FAILED (%s)' "$status")")
    if [ "$status" -ne 0 ]; then
        summary
        exit "$status"
    fi
}

minutes() {
    printf '%3d:%02d min' $(($1 / 60)) $(($1 % 60))
}

summary() {
    printf '\n'
    printf '%s\n' "${part_lines[@]}"
    printf '%s  total\n' "$(minutes $((SECONDS - started_at)))"
}
