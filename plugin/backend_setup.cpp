// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/backend_setup.h"

#include <utility>

namespace xdplb {

namespace {

const std::string network_folder = "/etc/systemd/network/";
const std::string table = "100";  // of routes of replies

class Writer {
 public:
  explicit Writer(const SetupFacts& facts)
      : facts_(facts), vip_(facts.service.vip.to_string()), vip_v4_(facts.service.vip.is_v4()) {}

  Setup write() {
    if (facts_.local) return local();
    switch (facts_.forward) {
      case Forward::nat:
        return nat();
      case Forward::fullnat:
        setup_.summary = "nothing, but a route to the pool that leads to the balancer";
        return setup_;
      case Forward::l2:
        setup_.summary = "the VIP, for which the balancer alone answers ARP";
        break;
      default:
        setup_.summary = "the VIP, and a device that takes the outer header off";
        take_out();
        advise_mss();
    }
    if (vip_v4_) hide_vip();
    add_vip();
    return setup_;
  }

 private:
  void run(const std::string& command) { setup_.commands.push_back(command); }
  void keep(const std::string& path, std::vector<std::string> lines) {
    setup_.files.push_back({path, std::move(lines)});
  }
  void advise(const std::string& line) { setup_.advice.push_back(line); }

  Setup local() {
    setup_.summary = "the VIP: it is the balancer itself";
    add_vip();
    return setup_;
  }

  void add_vip() {
    const auto prefix = vip_ + (vip_v4_ ? "/32" : "/128");
    run("ip address replace " + prefix + " dev " + holder_ + (vip_v4_ ? "" : " nodad"));
    if (holder_ == "lo") keep(network_folder + "lo.network", {"[Match]", "Name=lo"});
    keep(network_folder + holder_ + ".network.d/" + vip_ + ".conf",
         {"[Network]", "Address=" + prefix});
  }

  // Neither answers ARP for it nor asks with it, since it is on another interface.
  void hide_vip() {
    const std::string ignore = "net.ipv4.conf.all.arp_ignore";
    const std::string announce = "net.ipv4.conf.all.arp_announce";
    run("sysctl -w " + ignore + "=1 " + announce + "=2");
    keep("/etc/sysctl.d/50-xdp-lb-arp.conf", {ignore + " = 1", announce + " = 2"});
  }

  void take_out() {
    const bool outer_v4 = facts_.backend.address.is_v4();
    if (facts_.forward == Forward::gue) listen(outer_v4);
    if (facts_.forward == Forward::gre)
      outer_v4 ? raise("gre0", "ip_gre") : raise("ip6gre0", "ip6_gre");
    else if (outer_v4)
      vip_v4_ ? raise("tunl0", "ipip") : raise("sit0", "sit");
    else
      raise("ip6tnl0", "ip6_tunnel");
  }

  // The device that is there as soon as its module is, and takes what no other one does.
  void raise(const std::string& device, const std::string& module) {
    run("modprobe " + module);
    keep("/etc/modules-load.d/xdp-lb-" + device + ".conf", {module});
    if (device == "ip6tnl0" && vip_v4_) {
      const std::string any = "ip -6 tunnel change ip6tnl0 mode any";
      run(any);
      keep_command("xdp-lb-ip6tnl0", any);
    }
    run("ip link set " + device + " up");
    keep(network_folder + device + ".network",
         {"[Match]", "Name=" + device, "[Link]", "RequiredForOnline=no"});
    if (!vip_v4_) return;
    // The route to the client leads elsewhere: that is let pass of a device with an address,
    // whatever conf.all says, since the larger one counts.
    holder_ = device;
    const auto filter = "net.ipv4.conf." + device + ".rp_filter";
    run("sysctl -w " + filter + "=2");
    keep("/etc/sysctl.d/50-xdp-lb-" + device + ".conf", {filter + " = 2"});
  }

  void listen(bool outer_v4) {
    const auto port = std::to_string(facts_.gue_port);
    const auto add = std::string(outer_v4 ? "ip fou" : "ip -6 fou") + " add port " + port + " gue";
    const std::string module = outer_v4 ? "fou" : "fou6";
    run("modprobe " + module);
    run(add);
    keep("/etc/modules-load.d/xdp-lb-" + module + ".conf", {module});
    if (!outer_v4) return keep_command("xdp-lb-gue6-" + port, add);  // networkd knows IPv4 alone
    keep(network_folder + "gue" + port + ".netdev",
         {"[NetDev]", "Name=gue" + port, "Kind=fou", "[FooOverUDP]",
          "Encapsulation=GenericUDPEncapsulation", "Port=" + port});
  }

  // What systemd-networkd has no words for. To be enabled.
  void keep_command(const std::string& unit, const std::string& command) {
    keep(
        "/etc/systemd/system/" + unit + ".service",
        {"[Unit]", "After=systemd-modules-load.service", "[Service]", "Type=oneshot",
         "RemainAfterExit=yes", "ExecStart=" + command, "[Install]", "WantedBy=multi-user.target"});
  }

  void advise_mss() {
    constexpr unsigned usual_mtu = 1500;
    const auto outer = outer_bytes(facts_.forward, facts_.backend.address.is_v4());
    if (facts_.service.protocol != Protocol::tcp || facts_.mtu == 0 ||
        facts_.mtu >= usual_mtu + outer)
      return;
    setup_.mss = facts_.mtu - outer - (vip_v4_ ? 40 : 60);
    const auto mss = std::to_string(*setup_.mss);
    advise("Clients' full-size packets don't fit: the way's MTU is " + std::to_string(facts_.mtu) +
           ", and the outer header takes " + std::to_string(outer) + ".");
    advise("They are told so; with an MSS of " + mss + " they need not be. On the route to them:");
    advise(std::string(vip_v4_ ? "ip route" : "ip -6 route") +
           " change default via ROUTER dev IFNAME advmss " + mss);
    advise("or for the VIP alone:");
    advise("nft 'table inet xdp_lb { chain output { type filter hook output priority mangle; " +
           std::string(vip_v4_ ? "ip" : "ip6") + " saddr " + vip_ +
           " tcp flags & syn == syn tcp option maxseg size set " + mss + "; }; }'");
  }

  Setup nat() {
    setup_.summary = "a route by which its replies go through the balancer";
    const auto address = facts_.backend.address.to_string();
    const auto port =
        std::to_string(facts_.backend.port != 0 ? facts_.backend.port : facts_.service.port);
    const std::string protocol(to_string(facts_.service.protocol));
    if (facts_.gateway || !facts_.balancer) {
      advise("The balancer isn't in its network: the routers in between must send to the balancer");
      advise("what comes from " + address + ", port " + port + "/" + protocol + ".");
      return setup_;
    }
    const std::string ip = vip_v4_ ? "ip" : "ip -6";
    const auto balancer = facts_.balancer->to_string();
    run(ip + " route replace default via " + balancer + " table " + table);
    run(ip + " rule add from " + address + " ipproto " + protocol + " sport " + port + " table " +
        table);
    keep(network_folder + "NAME.network.d/" + vip_ + "-" + port + "-" + protocol + ".conf",
         {"[Route]", "Gateway=" + balancer, "Table=" + table, "[RoutingPolicyRule]",
          "From=" + address, "IPProtocol=" + protocol, "SourcePort=" + port, "Table=" + table});
    advise(
        "NAME.network is the file of its interface to the balancer. Where all that it sends may");
    advise("go through the balancer, a default route does as well:");
    advise(ip + " route replace default via " + balancer);
    return setup_;
  }

  const SetupFacts& facts_;
  std::string vip_;
  bool vip_v4_;
  std::string holder_ = "lo";  // of the VIP
  Setup setup_;
};

}  // namespace

Setup backend_setup(const SetupFacts& facts) { return Writer(facts).write(); }

}  // namespace xdplb
