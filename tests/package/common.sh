# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests of packages, which are called as the lints are: ROOT BUILD.
. "$(dirname "$(realpath "$0")")/../lint/common.sh"

# Where the packages are that the test of deb has built.
export debs=$build/tests/package/debs

need_full() {
  [ "${XDPLB_TEST_FULL-}" != 1 ] || return 0
  echo "skipped: packages are built with XDPLB_TEST_FULL=1" >&2
  exit 77
}

need_root() {
  [ "$(id -u)" != 0 ] || return 0
  echo "skipped: only root can do that" >&2
  exit 77
}

# compare WHAT IS SHOULD: texts, line by line
compare() {
  local said
  said=$(diff <(printf '%s\n' "$3") <(printf '%s\n' "$2")) || fault "$1:"$'\n'"$said"
}

# check_object FILE: type information for the kernel, nothing for debuggers
check_object() {
  local sections
  sections=$(llvm-readelf --sections --wide "$1")
  grep -q ' \.BTF ' <<<"$sections" || fault "$1: no type information"
  ! grep -q ' \.debug_' <<<"$sections" || fault "$1: debugging information"
}
