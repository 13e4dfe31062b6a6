# Sourced by scripts that work in a folder of their own, $scratch, which is deleted at the end. What a command writes to
# $log is shown where the script fails. `say WHAT` prints the seconds since the last one.
scratch=$(mktemp -d)
log=$scratch/log
finish() {
  local status=$?
  if [ $status -ne 0 ] && [ -s "$log" ]; then tail -n 60 "$log" >&2; fi
  rm -rf "$scratch"
}
trap finish EXIT

since=$SECONDS
say() { printf '%s: %d s\n' "$1" $((SECONDS - since)) && since=$SECONDS; }
