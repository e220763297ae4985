#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# harness_test.sh [KERNEL...]: does the guest keep its promises, and does a real dispatcher work in
# it? Without arguments on 6.1 and 6.12.
set -euo pipefail

guest=$(dirname "$(realpath "$0")")/guest
kernels=("$@")
[ $# -gt 0 ] || kernels=(6.1 6.12)
first=${kernels[0]}
work=$(mktemp -d)
dir=$work/share
trap 'rm -rf "$work"' EXIT
status=0 failed=0

# check NAME COMMAND...: COMMAND must succeed
check() {
  local name=$1
  shift
  if "$@"; then
    echo "ok - $name"
  else
    echo "not ok - $name"
    failed=1
  fi
}

# run ARGUMENT...: `guest run`. Leaves $status, $work/stderr, and $work/stdout, where each line
# begins with the second at which it came.
run() {
  local line
  status=0
  "$guest" run "$@" 2>"$work/stderr" | while IFS= read -r line; do
    echo "$SECONDS:$line"
  done >"$work/stdout" || status=${PIPESTATUS[0]}
}

# shellcheck disable=SC2317 # it is reached through check
finds() { grep -q -- "$1" "$work/$2"; }

# second head|tail: when the first or the last line came
second() { "$1" -n 1 "$work/stdout" | cut -d : -f 1; }

test_command() {
  # shellcheck disable=SC2016 # nothing is to be expanded
  local words=("it's" 'two  words	$HOME "\n"' '')
  cat >"$dir/script" <<'END'
printf '%s\n' "$@"
cat input >&2
sleep 4
echo late >/dev/stderr
mkdir out/sub
echo result >out/sub/file
sleep 1000 &
exit 7
END
  echo "from the host" >"$dir/input"
  mkdir "$dir/out"
  touch "$dir/out/old"
  run "$first" "$dir" bash script "${words[@]}"
  check "a failure's exit status" [ "$status" = 7 ]
  check "output, byte by byte" diff <(printf '%s\n' "${words[@]}" "from the host" late) \
    <(cut -d : -f 2- "$work/stdout")
  check "output streams" [ $(($(second tail) - $(second head))) -ge 3 ]
  check "results come back" [ "$(cat "$dir/out/sub/file")" = result ]
  check "old results do not stay" [ ! -e "$dir/out/old" ]
  rm -r "$dir/out"
}

test_failures() {
  run "$first" --timeout 2 "$dir" bash -c 'echo partial >out/file; sleep 100'
  check "timeout" [ "$status" = 124 ]
  check "results of a command that was stopped" [ "$(cat "$dir/out/file")" = partial ]
  run "$first" "$dir" bash -c 'echo c >/proc/sysrq-trigger; sleep 100'
  check "panic" [ "$status" = 125 ]
  check "the console of a guest that died" finds "Kernel panic" stderr
  run "$first" --timeout never "$dir" true
  check "wrong usage" [ "$status" = 125 ]
}

# test_dispatcher KERNEL: two components in one chain, which not every machine's own kernel allows
test_dispatcher() {
  cat >"$dir/pass.c" <<'END'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int test_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
END
  cat >"$dir/script" <<'END'
set -ex
uname -r
stat -f -c %T /sys/fs/bpf
ip link add veth0 type veth peer name veth1
ip link set veth0 up
xdp-filter load -m skb veth0
time xdp-loader load -m skb veth0 pass.o
xdp-loader status veth0
END
  clang -O2 -g -target bpf -idirafter "/usr/include/$(uname -m)-linux-gnu" \
    -c "$dir/pass.c" -o "$dir/pass.o"
  run "$1" "$dir" bash script
  check "$1: a command's success" [ "$status" = 0 ]
  check "$1: the kernel asked for" finds ":${1/newest/[7-9]}[.0-9]" stdout
  check "$1: bpffs" finds ':bpf_fs$' stdout
  check "$1: dispatcher" finds ':veth0 .*xdp_dispatcher' stdout
  check "$1: its first component" finds ':.*=>  *10 .*xdpfilt_' stdout
  check "$1: its second component" finds ':.*=>  *50 .*test_pass' stdout
  [ "$failed" = 0 ] || cat "$work/stdout" "$work/stderr"
}

type -P clang >/dev/null || {
  echo "skipped: clang is missing" >&2
  exit 77
}
"$guest" prepare "${kernels[@]}" || exit $?
mkdir "$dir"
test_command
test_failures
for kernel in "${kernels[@]}"; do test_dispatcher "$kernel"; done
exit "$failed"
