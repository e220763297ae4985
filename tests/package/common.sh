# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests of packages, which are called as the lints are: ROOT BUILD.
. "$(dirname "$(realpath "$0")")/../lint/common.sh"

# With .bookworm and .trixie, where the packages are that the tests of deb and deb13 have built.
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

# fresh_debian SUITE DIR [PACKAGES]: a root file system with apt, as mmdebstrap makes it
fresh_debian() {
  apt-config dump Acquire >"$2.acquire"
  mmdebstrap --quiet --variant=apt ${3:+"--include=$3"} --aptopt="$2.acquire" "$1" "$2"
}

# open_debian DIR: what programs there need; the mounts go with their namespace
open_debian() {
  mount --bind "$1" "$1"
  mount -t proc proc "$1/proc"
  mount -t sysfs sysfs "$1/sys"
  mount -t bpf bpf "$1/sys/fs/bpf"
  mount --rbind /dev "$1/dev"
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod 755 "$1/usr/sbin/policy-rc.d"
}

# in_debian DIR COMMAND...: there, with all it says on the standard output
in_debian() { chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 "${@:2}" 2>&1; }

# depends_of PACKAGE: names, with commas; of alternatives the first
depends_of() { dpkg-deb -f "$1" Depends | sed -E 's/ *(\([^)]*\)|\|[^,]*)//g; s/, /,/g'; }

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
