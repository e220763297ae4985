#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# health-check.sh SERVICE: takes backends that don't answer HTTP out, and back in, for a timer on each
# node. They must listen on their own address, too, not on the VIP alone. One that drains or is
# leaving is left as it is.
set -eu
port=${1##*:} port=${port%/*}
xdp-lb backend list "$1" | while read -r _ backend _ _ state _; do
  case $state in up | down) ;; *) continue ;; esac
  case $backend in
    *.*:* | *]:*) at=$backend ;; # it has a port of its own
    *:*) at=[$backend]:$port ;;
    *) at=$backend:$port ;;
  esac
  if curl -gfs -m 2 -o /dev/null "http://$at/"; then now=up; else now=down; fi
  [ "$state" = "$now" ] || xdp-lb backend "$now" "$1" "$backend"
done
