# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests of the package: hosts in network namespaces, on a bridge that make_lan makes.
set -euo pipefail

vip=192.0.2.10
work=${work-$(mktemp -d)}

make_lan() {
  ip link add lan type bridge stp_state 0
  ip link set lan up
}

at() { nsenter --net="/run/netns/$1" "${@:2}"; }
fail() {
  echo "$*" >&2
  exit 1
}

# plug HOST ADDRESS: HOST's eth0 on the bridge
plug() {
  ip netns add "$1"
  ip link add "$1" type veth peer name eth0 netns "$1"
  ip link set "$1" master lan up
  ip -n "$1" link set lo up
  ip -n "$1" link set eth0 up
  ip -n "$1" address add "$2/24" dev eth0
}

# serve HOST: nginx with the VIP, which says who it is
serve() {
  at "$1" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
  ip -n "$1" address add $vip/32 dev lo
  cat >"$work/$1" <<END
user root; worker_processes 1; pid $work/$1.pid; error_log $work/$1.log;
events {}
http { access_log off; send_timeout 600; server { listen 80; location / { return 200 "$1\n"; } location /big { root $work; } } }
END
  at "$1" nginx -e "$work/$1.log" -c "$work/$1"
}
