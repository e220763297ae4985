#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# install.sh GROUP...: installs the Debian packages of these groups that are missing: build, demo,
# test, lint, package, vm. Says in one line what it installs. Without root it says what is missing,
# and exits with 77. Names that end with '?' are of some releases only: installed where apt has them.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
build='cmake ninja-build g++ pkgconf clang llvm libbpf-dev libxdp-dev libmnl-dev
  libboost-program-options-dev nlohmann-json3-dev libtomlplusplus-dev scdoc linux-libc-dev libelf-dev zlib1g-dev'
demo="$build iproute2 ethtool nginx-light curl xdp-tools procps util-linux mount"
test="$demo libboost-test-dev libclang-rt-dev bpftool jq strace keepalived ipvsadm bird2 frr systemd zsh fish"
lint="$build git clang-format clang-tidy shellcheck mandoc man-db"
package="$build build-essential git dpkg-dev debhelper lintian rpm rpm2cpio cpio rpmlint systemd systemd-dev?
  mmdebstrap iproute2 locales busybox-static autopkgtest"
patience=600 # seconds to wait for another apt

packages_of() {
  case $1 in
    build) echo "$build" ;;
    demo) echo "$demo" ;;
    test) echo "$test" ;;
    lint) echo "$lint" ;;
    package) echo "$package" ;;
    vm) sed 's/#.*//' "$here/../vm/packages.txt" ;;
    *)
      echo "install.sh: there is no group '$1'" >&2
      exit 2
      ;;
  esac
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

apt_has() { apt-cache show "$1" >/dev/null 2>&1; }

# apt ARGUMENT...: apt-get, quietly. Waits where another one is at work; what it says is shown only
# when it fails.
apt() {
  local said start=$SECONDS
  until said=$(DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confold "$@" 2>&1 </dev/null); do
    if [[ $said != *'Could not get lock'* && $said != *'Unable to lock'* ]] ||
      ((SECONDS - start > patience)); then
      printf '%s\n' "$said" >&2
      return 1
    fi
    sleep 3
  done
}

# While it installs, packages start no services: policy-rc.d is asked by all that would. One of ours
# that a killed run left is none to be kept.
policy=/usr/sbin/policy-rc.d
kept_policy=$policy.kept
ours="# of ${0##*/}, for a while"
allow_services() {
  rm -f "$policy"
  [ ! -e "$kept_policy" ] || mv "$kept_policy" "$policy"
}
forbid_services() {
  trap allow_services EXIT
  [ ! -e "$policy" ] || grep -qF "$ours" "$policy" || mv "$policy" "$kept_policy"
  printf '#!/bin/sh\n%s\nexit 101\n' "$ours" >"$policy"
  chmod 755 "$policy"
}

find_missing() {
  local group list name
  missing=()
  for group in "$@"; do
    list=$(packages_of "$group")
    for name in $list; do
      [[ $name != *\? ]] || apt_has "${name%\?}" || continue
      name=${name%\?}
      [[ " ${missing[*]} " == *" $name "* ]] || is_installed "$name" || missing+=("$name")
    done
  done
}

find_missing "$@"
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "install.sh: only root can install what is missing: ${missing[*]}" >&2
  exit 77
fi

exec 9<"$here"
flock 9
# Some other source of packages may be out of order: what counts is that the packages are found.
apt update || echo "install.sh: apt-get update failed, trying with what is known" >&2
find_missing "$@"
[ ${#missing[@]} -gt 0 ] || exit 0
echo "Installing ${missing[*]}"
forbid_services
apt --no-install-recommends install "${missing[@]}"
# Nor do those that tests start themselves start with the machine.
for service in nginx bird frr; do # of nginx-light, bird2, frr
  [[ " ${missing[*]}" != *" $service"* ]] || update-rc.d "$service" disable >/dev/null 2>&1 || true
done
