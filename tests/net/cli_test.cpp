// SPDX-License-Identifier: GPL-2.0-only
// Bad orders: each is refused with its exit status and a sentence, and changes nothing.
#include <elf.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>

#include "bpf/abi.h"
#include "tests/net/cli_fixture.h"

namespace xdplb::test {
namespace {

BOOST_AUTO_TEST_SUITE(cli)

BOOST_AUTO_TEST_CASE(verbs_and_options) {
  Machine machine;
  machine.load_with_services();
  check_refused(machine,
                {{"", 2, "Usage: xdp-lb VERB"},
                 {"service", 2, "Usage: xdp-lb service VERB"},
                 {"dance", 2, "unknown verb 'dance'"},
                 {"service dance", 2, "unknown verb 'service dance'"},
                 {"LOAD eth1", 2, "unknown verb 'LOAD'"},
                 {"status --dance", 2, "unrecognised option '--dance'"},
                 {"status -z", 2, "unrecognised option '-z'"},
                 {"load --pri 5 eth1", 2, "unrecognised option '--pri'"},
                 {"unload --al", 2, "unrecognised option '--al'"},
                 {"backend set 192.0.2.10:80/tcp 10.0.0.2 -w 1 -w 2", 2, "cannot be specified"},
                 {"load", 2, "parameters are missing"},
                 {"unload", 2, "give either interfaces or --all"},
                 {"unload eth0 --all", 2, "give either interfaces or --all"},
                 {"service add", 2, "parameters are missing"},
                 {"service list x", 2, "unexpected parameter 'x'"},
                 {"backend add 192.0.2.10:80/tcp", 2, "parameters are missing"},
                 {"backend del 192.0.2.10:80/tcp 10.0.0.2 10.0.0.3", 2, "parameter '10.0.0.3'"},
                 {"stats --interval 0", 2, "--interval '0'"},
                 {"drops --reason limited,forwarded", 2, "'forwarded' is no reason to drop"},
                 {"drops --reason ,", 2, "'' is no reason"},
                 {"drops -f -n 0", 2, "--count '0'"},
                 {"drops -n 1", 2, "drops -f takes a number"},
                 {"stats --interval x", 2, "--interval 'x'"},
                 {"stats --interval 86401", 2, "--interval '86401'"},
                 {"status eth9", 2, "there is no network interface 'eth9'"},
                 {"check eth9", 2, "there is no network interface 'eth9'"},
                 {"status --pin-path /proc", 2, "/proc is not on a BPF file system"}});
  check_refused(machine, Words{"service", "add", ""}, 2, "service ''");
  check_refused(machine, Words{"load", ""}, 2, "there is no network interface ''");
  check_refused(machine, Words{"status", "--pin-path", ""}, 2, "pin");
}

BOOST_AUTO_TEST_CASE(services) {
  Machine machine;
  machine.load_with_services();
  check_refused(
      machine,
      {{"service add 192.0.2.10", 2, "service '192.0.2.10': no protocol"},
       {"service add 192.0.2.11/tcp", 2, "no address and port"},
       {"service add 192.0.2.300:80/tcp", 2, "'192.0.2.300' is no IP address"},
       {"service add 192.0.2.11:80/icmp", 2, "protocol 'icmp'"},
       {"service add 192.0.2.11:65536/tcp", 2, "port '65536'"},
       {"service add 224.0.0.1:80/tcp", 2, "unicast"},
       {"service add [::ffff:192.0.2.11]:80/tcp", 2, "IPv4 address"},
       {"service add 192.0.2.10:80/tcp", 2, "service 192.0.2.10:80/tcp exists already"},
       {"service add 192.0.2.10:080/tcp --slots 512", 2, "exists already"},
       {"service add [2001:DB8:0:0::10]:53/udp", 2, "exists already"},
       {"service add 192.0.2.11:80/tcp --slots 0", 2, "0 slots: not a power of two"},
       {"service add 192.0.2.11:80/tcp --slots 128", 2, "not a power of two from 256"},
       {"service add 192.0.2.11:80/tcp --slots 257", 2, "257 slots: not a power of two"},
       {"service add 192.0.2.11:80/tcp --slots 2097152", 2, "--slots '2097152'"},
       {"service add 192.0.2.11:80/tcp --slots -256", 2, "'-256'"},
       {"service add 192.0.2.11:80/tcp --slots 16K", 2, "--slots '16K'"},
       {"service add 192.0.2.11:80/tcp --forward ipsec", 2, "forwarding mode 'ipsec'"},
       {"service add 192.0.2.11:80/tcp --gue-port 0", 2, "--gue-port '0'"},
       {"service add 192.0.2.11:80/tcp --fragments some", 2, "fragments 'some'"},
       {"service add 192.0.2.11:80/tcp --affinity 0", 2, "affinity '0'"},
       {"service add 192.0.2.11:80/tcp --affinity 33", 2, "has more bits than its addresses"},
       {"service add 192.0.2.11:80/tcp --ping yes", 2, "ping 'yes'"},
       {"service add 192.0.2.11:80/tcp --state some", 2, "state 'some'"},
       {"service add 192.0.2.11:80/tcp --epoch 0", 2, "epoch '0'"},
       {"service add 192.0.2.11:80/tcp --epoch 14401", 2, "epoch '14401'"},
       {"service add 192.0.2.11:80/tcp --on-down wait", 2, "on-down 'wait'"},
       {"service add 192.0.2.11:80/tcp --last-resort none", 2, "last-resort 'none'"},
       {"service add 192.0.2.11:80/tcp --forward L2", 2, "forwarding mode 'L2'"},
       {"service add 192.0.2.11:80/tcp --balance fair", 2, "balance 'fair'"},
       {"service set 192.0.2.10:80/tcp", 2, "nothing to set"},
       {"service set 192.0.2.10:80/tcp --slots 512", 2, "unrecognised option '--slots'"},
       {"service set 192.0.2.10:80/tcp --balance fair", 2, "balance 'fair'"},
       {"service set 192.0.2.10:80/udp --balance off", 2, "there is no service 192.0.2.10:80/udp"},
       {"service set 192.0.2.10:81/tcp --balance off", 2, "there is no service 192.0.2.10:81/tcp"},
       {"service set 192.0.2.10:0/tcp --balance off", 2, "there is no service 192.0.2.10:0/tcp"},
       {"service del 192.0.2.11:80/tcp", 2, "there is no service 192.0.2.11:80/tcp"},
       {"stats 192.0.2.11:80/tcp", 2, "there is no service 192.0.2.11:80/tcp"},
       {"stats 192.0.2.11", 2, "service '192.0.2.11': no protocol"}});
}

BOOST_AUTO_TEST_CASE(backends) {
  Machine machine;
  machine.load_with_services();
  const std::string add = "backend add 192.0.2.10:80/tcp ";
  const std::string set = "backend set 192.0.2.10:80/tcp ";
  check_refused(
      machine,
      {{add + "10.0.0", 2, "'10.0.0' is no IP address"},
       {add + "10.0.0.4:0", 2, "port '0'"},
       {add + "[fd00::4", 2, "'[fd00::4'"},
       {add + "0.0.0.0", 2, "unicast"},
       {add + "10.0.0.2", 2, "has backend 10.0.0.2 already"},
       {add + "10.0.0.2:80 -w 7", 2, "has backend 10.0.0.2 already"},
       {add + "10.0.0.3", 2, "has backend 10.0.0.3 already"},
       {add + "10.0.0.4:8080", 2, "mode l2 doesn't change the packet's port"},
       {add + "192.0.2.10", 2, "has the VIP as its address"},
       {add + "10.0.0.4 -w -1", 2, "weight '-1'"},
       {add + "10.0.0.4 -w 65536", 2, "weight '65536'"},
       {add + "10.0.0.4 -w 1.5", 2, "weight '1.5'"},
       {add + "10.0.0.4 -w heavy", 2, "weight 'heavy'"},
       {add + "10.0.0.4 --next-hop 02:00:5e:00:53:01", 2, "names no interface"},
       {add + "10.0.0.4 --next-hop 02:00:5e:00:53:01%eth9", 2, "no network interface 'eth9'"},
       {add + "10.0.0.4 --next-hop 01:00:5e:00:53:01%eth0", 2, "MAC address of one station"},
       {add + "10.0.0.4 --next-hop 02:00:5e:00:53%eth0", 2, "'02:00:5e:00:53' is no MAC"},
       {"backend add 192.0.2.11:80/tcp 10.0.0.4", 2, "there is no service 192.0.2.11:80/tcp"},
       {set + "10.0.0.2", 2, "nothing to set"},
       {set + "10.0.0.4 -w 1", 2, "has no backend 10.0.0.4"},
       {set + "10.0.0.2:81 -w 1", 2, "has no backend 10.0.0.2:81"},
       {set + "fd00::2 -w 1", 2, "has no backend fd00::2"},
       {set + "10.0.0.2 -w 65536", 2, "weight '65536'"},
       {set + "10.0.0.2 --next-hop kernal", 2, "next hop 'kernal'"},
       {"backend set 192.0.2.11:80/tcp 10.0.0.2 -w 1", 2, "there is no service"},
       {"backend del 192.0.2.10:80/tcp 10.0.0.4", 2, "has no backend 10.0.0.4"},
       {"backend del 192.0.2.11:80/tcp 10.0.0.2", 2, "there is no service 192.0.2.11:80/tcp"},
       {"backend drain 192.0.2.10:80/tcp 10.0.0.4", 2, "has no backend 10.0.0.4"},
       {"backend drain 192.0.2.10:80/tcp 10.0.0.2 5", 2, "unexpected parameter '5'"},
       {"backend drain 192.0.2.10:80/tcp 10.0.0.2 --wait soon", 2, "unexpected parameter 'soon'"},
       {"backend up 192.0.2.10:80/tcp 10.0.0.4", 2, "has no backend 10.0.0.4"},
       {"backend down 192.0.2.11:80/tcp 10.0.0.2", 2, "there is no service 192.0.2.11:80/tcp"},
       {"backend list 192.0.2.11:80/tcp", 2, "there is no service 192.0.2.11:80/tcp"}});
}

BOOST_AUTO_TEST_CASE(options_of_load) {
  Machine machine;
  machine.load_with_services();
  std::ofstream("/run/other-key") << "00112233445566778899aabbccddeeff\n";
  std::ofstream("/run/no-key") << "00112233445566778899aabbccddee\n";
  std::ofstream("/run/text") << "no object\n";
  std::filesystem::create_directory("/run/folder");
  check_refused(
      machine,
      {{"load eth0", 2, "loaded on eth0 already"},
       {"load eth1 eth0", 2, "loaded on eth0 already"},
       {"load eth1 eth1", 2, "interface eth1 is given twice"},
       {"load eth9", 2, "there is no network interface 'eth9'"},
       {"load eth1 eth9", 2, "there is no network interface 'eth9'"},
       {"load a-name-of-23-characters", 2, "no network interface 'a-name-of-23-characters'"},
       {"load eth1 --mode hw", 2, "mode 'hw' is neither native nor skb"},
       {"load eth1 --prio -1", 2, "priority '-1'"},
       {"load eth1 --prio 4294967296", 2, "priority '4294967296'"},
       {"load eth1 --actions PASS", 2, "'PASS' is no XDP action"},
       {"load eth1 --actions XDP_PASS,", 2, "'' is no XDP action"},
       {"load eth1 --arena 3M", 2, "arena size '3M'"},
       {"load eth1 --arena 32K", 2, "arena size '32K'"},
       {"load eth1 --arena 2G", 2, "arena size '2G'"},
       {"load eth1 --arena M", 2, "arena size 'M'"},
       {"load eth1 --arena 128M", 2, "has 67108864 bytes"},
       {"load eth1 --flows 1000", 2, "flows '1000' is not a number"},
       {"load eth1 --flows 100000", 2, "have room for 65536 flows"},
       {"load eth1 --exceptions 3000", 2, "exceptions '3000' is not a power of two"},
       {"load eth1 --exceptions 2048", 2, "have room for 1048576 flows of changed slots"},
       {"service add 192.0.2.77:80/tcp --pool 10.0.0.2-10.0.0.1", 2, "it is empty"},
       {"service add 192.0.2.77:80/tcp --forward fullnat", 2, "has no source addresses"},
       {"service add 192.0.2.77:80/tcp --forward nat --second-chance on", 2, "mode nat can't give"},
       {"service add 192.0.2.77:80/tcp --second-chance on --forward fullnat --pool 10.0.0.9", 2,
        "second chances, which mode fullnat can't give"},
       {"load eth1 --key-file /run/none", 2, "/run/none"},
       {"load eth1 --key-file /run/no-key", 2, "/run/no-key holds no cluster key"},
       {"load eth1 --key-file /run/other-key", 2, "another cluster key"},
       {"load eth1 --object /run/none", 2, "there is no BPF object /run/none"},
       {"load eth1 --object /run/folder", 2, "there is no BPF object /run/folder"},
       {"load eth1 --object /run/text", 2, "/run/text is not the BPF object"},
       {"load eth1 --object /bin/true", 2, "/bin/true is not the BPF object"},
       {"load eth1 --pin-path /run", 2, "/run is not on a BPF file system"},
       {"load eth1 --pin-path nowhere", 2, "nowhere is not on a BPF file system"},
       {"unload eth1", 3, "not loaded on eth1"},
       {"unload eth0 eth1", 3, "not loaded on eth1"},
       {"unload eth9", 2, "there is no network interface 'eth9'"}});
}

// An object like ours, with something changed in its file.
std::string changed_object(const std::string& name,
                           const std::function<void(std::string&)>& change) {
  std::ifstream in(XDP_LB_OBJECT, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  change(bytes);
  std::ofstream(name, std::ios::binary) << bytes;
  return name;
}

// Where in the file a section begins.
std::size_t offset_of(const std::string& bytes, const std::string& section) {
  const auto at = [&]<typename T>(std::size_t offset, T) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(value));
    return value;
  };
  const auto head = at(0, Elf64_Ehdr{});
  const auto header = [&](unsigned number) {
    return at(head.e_shoff + std::size_t{number} * sizeof(Elf64_Shdr), Elf64_Shdr{});
  };
  const auto names = header(head.e_shstrndx).sh_offset;
  for (unsigned number = 0; number < head.e_shnum; ++number)
    if (bytes.c_str() + names + header(number).sh_name == section) return header(number).sh_offset;
  throw std::runtime_error("there is no section " + section);
}

BOOST_AUTO_TEST_CASE(other_objects) {
  const auto cut = changed_object("/run/cut.o", [](std::string& bytes) { bytes.resize(2000); });
  const auto other_abi = changed_object(
      "/run/abi.o", [](std::string& bytes) { bytes[offset_of(bytes, ".rodata") + 1] = 1; });
  Machine machine;
  const auto of_libxdp = split(machine.host.require({"sh", "-c", "ls /usr/lib*/*/bpf/xdp-dis*.o"}));
  const std::vector<BadLine> lines{
      {"load eth1 --object " + cut, 2, cut + " is not the BPF object"},
      {"load eth1 --object " + of_libxdp.at(0), 2, "it has no program xdp_lb"},
      {"load eth1 --object " + other_abi, 2, "its map ABI is " + std::to_string(XDP_LB_ABI + 256)}};
  check_refused(machine, lines);
  machine.load_with_services();
  check_refused(machine, lines);
  check_refused(machine, {{"upgrade --object " + cut, 2, cut + " is not the BPF object"},
                          {"upgrade --object " + other_abi, 2,
                           "its map ABI is " + std::to_string(XDP_LB_ABI + 256)}});
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
