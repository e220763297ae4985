# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by each lint, which is called with ROOT [BUILD]: the tree to look at, and where it was
# built. A lint prints a line a fault and exits with 1 if there is any; 77 if a tool is missing.
set -euo pipefail

[ $# -gt 0 ] || {
  echo "usage: ${0##*/} ROOT [BUILD]" >&2
  exit 2
}
root=$(realpath "$1")
export build
build=$(realpath -m "${2:-$root/build}")
cd "$root"
faults=0

fault() {
  printf '%s\n' "$*"
  faults=$((faults + 1))
}

# The end of each lint: what it looked at, and its exit status.
finish() {
  [ "$faults" = 0 ] || exit 1
  echo "${0##*/}: $* without a fault"
}

need_tools() {
  local tool
  for tool in "$@"; do
    type -P "$tool" >/dev/null && continue
    echo "skipped: $tool is missing" >&2
    exit 77
  done
}

need_built() {
  local file
  for file in "$@"; do
    [ -s "$file" ] && continue
    echo "$file is missing: build first" >&2
    exit 1
  done
}

# The files of the tree, also those that aren't committed yet.
all_files() {
  git -c safe.directory='*' ls-files --cached --others --exclude-standard 2>/dev/null ||
    find . \( -name .git -o -path ./build \) -prune -o -type f -printf '%P\n'
}

# files PATTERN...: of these the ones that match, a line each; * is any number of folders too.
files() {
  local file pattern
  while IFS= read -r file; do
    for pattern in "$@"; do
      # shellcheck disable=SC2053 # it is a pattern
      [[ -f $file && $file == $pattern ]] || continue
      printf '%s\n' "$file"
      break
    done
  done < <(all_files | sort -u)
}

# Shell scripts, by their first line.
scripts() {
  local file line
  while IFS= read -r file; do
    IFS= read -r line <"$file" 2>/dev/null || continue
    [[ $line =~ ^#!.*[/\ ](ba)?sh([[:space:]]|$) || $line == '# shellcheck shell='* ]] || continue
    printf '%s\n' "$file"
  done < <(files '*')
}
