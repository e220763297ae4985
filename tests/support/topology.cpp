// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/topology.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <sys/mount.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "plugin/error.h"

namespace xdplb::test {

namespace {

constexpr auto bpffs = "/sys/fs/bpf";

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

bool is_v6(const std::string& address) { return address.find(':') != std::string::npos; }

// Of both families: the host's number on a net, 10.NET.0.NUMBER and fd00:NET::NUMBER.
std::vector<std::string> addresses(int net, int number, const std::string& ifname) {
  const auto n = std::to_string(net);
  const auto i = std::to_string(number);
  return {"addr add 10." + n + ".0." + i + "/24 dev " + ifname,
          "addr add fd00:" + n + "::" + i + "/64 dev " + ifname + " nodad"};
}

std::vector<std::string> default_routes(int net) {
  const auto n = std::to_string(net);
  return {"route add default via 10." + n + ".0.1", "route add default via fd00:" + n + "::1"};
}

void append(std::vector<std::string>& lines, const std::vector<std::string>& more) {
  lines.insert(lines.end(), more.begin(), more.end());
}

}  // namespace

const Words& vips() {
  static const Words all{"192.0.2.10", "192.0.2.11", "2001:db8:ffff::10", "2001:db8:ffff::11"};
  return all;
}

void attach_pass(const Host& host, const std::string& ifname) {
  const std::array<bpf_insn, 2> pass{
      {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_XDP_HAS_FRAGS);
  const Fd program(
      ::bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass.data(), pass.size(), &options));
  if (!program) throw SystemError(errno, "loading an XDP program");
  const auto index = static_cast<int>(host.ifindex(ifname));
  const Inside here(host);
  const int error = ::bpf_xdp_attach(index, program.get(), XDP_FLAGS_DRV_MODE, nullptr);
  if (error != 0) throw SystemError(-error, "attaching an XDP program to " + ifname);
}

Site::Site(const Options& options) : folder_("/run/site") {
  if (::mount("bpf", bpffs, "bpf", 0, "mode=0700") != 0)
    throw SystemError(errno, "mounting a bpffs");
  std::filesystem::create_directory(folder_);
  connect(options.mtu);
  tune();
  give_addresses();
  if (!options.native) return;
  attach_pass(router, "lb0");
  attach_pass(router, "lb1");
}

Site::~Site() {
  ::umount2(bpffs, MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

// Bridges and cables, all down.
void Site::connect(unsigned mtu) const {
  const auto size = " mtu " + std::to_string(mtu);
  std::vector<std::string> lines;
  for (const auto* bridge : {"lan0", "lan1"})
    lines.push_back("link add name " + std::string(bridge) +
                    " type bridge stp_state 0 forward_delay 0 mcast_snooping 0");
  const auto cable = [&](const std::string& port, const std::string& host,
                         const std::string& ifname, const std::string& bridge) {
    lines.push_back("link add name " + port + size + " type veth peer name " + ifname + " netns " +
                    host + size);
    if (!bridge.empty()) lines.push_back("link set " + port + " master " + bridge);
    lines.push_back("link set " + port + " up");
  };
  cable("wan", "client", "eth0", "");
  cable("lb0", "balancer", "eth0", "lan0");
  cable("lb1", "balancer", "eth1", "lan1");
  for (std::size_t i = 0; i < webs.size(); ++i)
    cable(webs[i].name(), webs[i].name(), "eth0", i < 3 ? "lan0" : "lan1");
  append(lines, {"link set lan0 up", "link set lan1 up"});
  router.ip(joined(lines));
}

void Site::give_addresses() const {
  std::vector<std::string> lines{"link set eth0 up"};
  for (int number = 2; number <= 5; ++number) append(lines, addresses(1, number, "eth0"));
  append(lines, default_routes(1));
  client.ip(joined(lines));

  lines = addresses(1, 1, "wan");
  append(lines, addresses(2, 1, "lan0"));
  append(lines, addresses(4, 1, "lan1"));
  append(lines,
         {"route add 192.0.2.0/24 via 10.2.0.11", "route add 2001:db8:ffff::/64 via fd00:2::11"});
  router.ip(joined(lines));

  lines = {"link set eth0 up", "link set eth1 up"};
  append(lines, addresses(2, 11, "eth0"));
  append(lines, addresses(4, 11, "eth1"));
  append(lines, default_routes(2));
  balancer.ip(joined(lines));

  for (int i = 0; i < 4; ++i) {
    const int net = i < 3 ? 2 : 4;
    lines = {"link set eth0 up"};
    append(lines, addresses(net, 21 + i, "eth0"));
    append(lines, default_routes(net));
    for (const auto& vip : vips())
      lines.push_back("addr add " + vip + (is_v6(vip) ? "/128 dev lo nodad" : "/32 dev lo"));
    webs[static_cast<std::size_t>(i)].ip(joined(lines));
  }
}

void Site::tune() const {
  for (const auto* host : {&router, &balancer}) {
    host->sysctl("ipv4/ip_forward", "1");
    host->sysctl("ipv6/conf/all/forwarding", "1");
  }
  for (const auto& web : webs) {
    web.sysctl("ipv4/conf/all/arp_ignore", "1");  // the VIPs are the balancer's on the net
    web.sysctl("ipv4/conf/all/arp_announce", "2");
    web.sysctl("ipv4/conf/eth0/arp_notify", "1");  // a new MAC is announced, as a cluster does
    web.sysctl("ipv6/conf/eth0/ndisc_notify", "1");
  }
  // What reaches the balancer has its checksum, its VLAN tag and its size, as on a real cable.
  for (const auto* port : {"lb0", "lb1"})
    router.require({"ethtool", "-K", port, "tx", "off", "txvlan", "off"});
}

void Site::write_nginx_conf(std::size_t web) const {
  const auto& name = webs[web].name();
  const auto home = folder_ + "/" + name;
  std::filesystem::create_directories(home + "/file");
  std::ostringstream temporary;
  for (const auto* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    temporary << "  " << kind << "_temp_path " << home << "/" << kind << ";\n";
  std::ofstream(home + "/conf") << "user root; worker_processes 1; daemon off; pid " << home
                                << "/pid;\nworker_rlimit_nofile 16384;\n"
                                   "events { worker_connections 16384; }\nhttp {\n"
                                << "  access_log off; error_log " << home << "/log;\n"
                                << temporary.str()
                                << "  client_max_body_size 100m;\n"
                                   "  keepalive_requests 1000000; keepalive_timeout 1h;\n"
                                   "  server {\n"
                                   "    listen 80 backlog=4096 so_keepalive=10:1:3;\n"
                                   "    listen [::]:80 backlog=4096 so_keepalive=10:1:3;\n"
                                   "    listen 8080; listen [::]:8080;\n"
                                << "    root " << home << ";\n    location = /keep { return 200 \""
                                << name << " $remote_addr $remote_port\"; }\n"
                                << "    location = /ask { return 200 \"" << name
                                << " $remote_addr $remote_port $args\"; }\n"
                                << "    location = / { keepalive_timeout 0; return 200 \"" << name
                                << " $remote_addr $remote_port\"; }\n"
                                << "    location /file/ { dav_methods PUT; }\n  }\n}\n";
}

void Site::serve_http() {
  for (std::size_t i = 0; i < webs.size(); ++i) {
    write_nginx_conf(i);
    const auto home = folder_ + "/" + webs[i].name();
    webs[i].start({"nginx", "-e", home + "/log", "-c", home + "/conf"});
  }
  for (const auto& web : webs) {
    const Inside here(web);
    const auto ready = [] {
      try {
        const auto any = endpoint("192.0.2.10", 0);
        return http_get(any, endpoint("192.0.2.10", 80)).status == 200;
      } catch (const SystemError&) {
        return false;
      }
    };
    if (!wait_until(ready, 10))
      throw std::runtime_error("nginx on " + web.name() + " doesn't answer");
  }
}

std::string Site::file(std::size_t web, const std::string& name) const {
  std::ifstream in(folder_ + "/" + webs[web].name() + "/file/" + name, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

void Site::remove_file(std::size_t web, const std::string& name) const {
  std::filesystem::remove(folder_ + "/" + webs[web].name() + "/file/" + name);
}

HttpReply Site::get(const Endpoint& from, const Endpoint& to, const std::string& path) const {
  const Inside here(client);
  return http_get(from, to, path);
}

}  // namespace xdplb::test
