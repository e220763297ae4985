#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run_chain_test.sh KERNEL ROOT FULL TEST BINARY FILE...: runs the chain tests in the guest. TEST is
# what Boost.Test's --run_test takes, FULL the same with XDPLB_TEST_FULL=1; the files are the loader,
# named xdp-lb, the BPF objects, the manual page xdp-lb.7.scd and the example bird.conf, which tests
# go by.
set -euo pipefail

guest=$(dirname "$(realpath "$0")")/guest
kernel=$1 root=$2 full=$3 test=$4 binary=$5
shift 5
timeout=840
if [ "${XDPLB_TEST_FULL:-0}" != 0 ]; then
  test=$full timeout=7200
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$binary" "$dir/chain_test"
cp "$@" "$dir/"
"$guest" run "$kernel" --root "$root" --timeout "$timeout" "$dir" \
  env XDPLB_GUEST=1 XDPLB_TEST_FULL="${XDPLB_TEST_FULL:-0}" \
  /vm/chain_test --color_output=no --report_level=short --log_level=test_suite --run_test="$test"
