// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/traced_packet.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "plugin/error.h"
#include "plugin/pcap.h"
#include "plugin/pins.h"

namespace xdplb::test {

namespace {

// Keys and values as they are in memory.
std::string entries_of(const std::string& path) {
  const Fd map(::bpf_obj_get(path.c_str()));
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (!map || ::bpf_obj_get_info_by_fd(map.get(), &info, &size) != 0)
    throw SystemError(errno, "looking at " + path);
  const bool per_cpu = info.type == BPF_MAP_TYPE_PERCPU_ARRAY;
  const auto cpus = static_cast<std::size_t>(::libbpf_num_possible_cpus());
  std::string key(info.key_size, '\0');
  std::string value(info.value_size * (per_cpu ? cpus : 1), '\0');
  std::map<std::string, std::string> entries;
  for (const void* last = nullptr; ::bpf_map_get_next_key(map.get(), last, key.data()) == 0;
       last = key.data()) {
    if (::bpf_map_lookup_elem(map.get(), key.data(), value.data()) != 0)
      throw SystemError(errno, "reading " + path);
    if (value.find_first_not_of('\0') != std::string::npos) entries[key] = value;
  }
  std::string all;
  for (const auto& [name, content] : entries) all += name + content;
  return all;
}

}  // namespace

nlohmann::json trace(const Loader& loader, const std::string& arguments, int status) {
  const auto outcome = loader.run("trace --json --object " XDP_LB_OBJECT " " + arguments);
  BOOST_TEST(outcome.status == status, arguments << ": " << outcome.err);
  BOOST_TEST(outcome.err.empty(), outcome.err);
  return nlohmann::json::parse(outcome.out);
}

nlohmann::json trace_one(const Loader& loader, const std::string& arguments, int status) {
  return trace(loader, arguments, status).at("packets").at(0);
}

std::string write_capture(const std::vector<Bytes>& frames) {
  static int made = 0;
  std::vector<CapturedFrame> captured;
  for (const auto& frame : frames)
    captured.push_back({(captured.size() + 1) * 1'000'000'000 + 7,
                        static_cast<std::uint32_t>(frame.size()), frame});
  const auto bytes = to_pcap(captured);
  auto name = "/run/capture" + std::to_string(made++) + ".pcap";
  std::ofstream(name).write(reinterpret_cast<const char*>(bytes.data()),
                            static_cast<std::streamsize>(bytes.size()));
  return name;
}

std::vector<Bytes> read_capture(const std::string& name) {
  std::ifstream file(name);
  const Bytes bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<Bytes> frames;
  for (const auto& frame : parse_pcap(bytes, name)) frames.push_back(frame.bytes);
  return frames;
}

Bytes from_hex(const std::string& text) {
  Bytes bytes;
  for (std::size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

PacketSpec spec_to(const std::string& address, std::uint16_t dport) {
  PacketSpec spec;
  spec.from = ip("198.51.100.7");
  spec.to = ip(address);
  spec.dport = dport;
  return spec;
}

void send_frames(const Host& host, const std::string& ifname, const std::vector<Bytes>& frames) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(host.ifindex(ifname));
  const Inside here(host);
  const Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  for (const auto& frame : frames)
    if (::sendto(socket.get(), frame.data(), frame.size(), 0,
                 reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0)
      throw SystemError(errno, "sending a frame");
}

Dump dump_maps() {
  Dump dump;
  for (const auto& shape : map_shapes()) {
    const std::string name(shape.name);
    dump[name] = entries_of(pin_of(pin_path, name));
  }
  return dump;
}

}  // namespace xdplb::test
