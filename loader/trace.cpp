// SPDX-License-Identifier: GPL-2.0-only
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iostream>
#include <system_error>

#include "loader/cli.h"
#include "loader/trace_output.h"
#include "plugin/error.h"
#include "plugin/probe.h"

namespace xdplb {

namespace {

constexpr std::size_t least_frame = 14;
constexpr std::size_t most_frame = 65536 + 22;  // an IP packet behind two VLAN tags

// What is given on the command line, read before anything is done.
struct Input {
  std::optional<Probe> probe{};
  std::vector<CapturedFrame> frames{};
};

Probe read_probe(const Command& command) {
  const auto& parameters = command.parameters();
  Probe probe{parse_client(parameters[0]), ServiceId::parse(parameters[1])};
  if (probe.from.address.is_v4() != probe.to.vip.is_v4())
    throw Error(
        "trace: " + parameters[0] + " and " + parameters[1] + " are not of one address family",
        "give both in IPv4, or both in IPv6");
  if (const auto flags = command.get("flags")) {
    if (probe.to.protocol != Protocol::tcp)
      throw Error("trace: --flags is for tcp", "leave it out with udp");
    probe.flags = parse_tcp_flags(*flags);
  }
  return probe;
}

std::vector<CapturedFrame> read_frames(const std::string& name) {
  const auto bytes = read_file(name, "give the path of a pcap file");
  auto frames = parse_pcap(Frame(bytes.begin(), bytes.end()), name);
  for (auto& frame : frames) {
    if (frame.size < least_frame || frame.size > most_frame)
      throw Error(name + " has a packet of " + std::to_string(frame.size) + " bytes",
                  "an Ethernet frame with an IP packet has 14 to 65558");
    frame.bytes.resize(frame.size);  // what wasn't captured is zero
  }
  return frames;
}

Input read_input(const Command& command) {
  const auto count = command.parameters().size();
  const auto file = command.get("pcap");
  if (file ? count != 0 : count != 2)
    throw Error("trace: give a client and what it sends to, or --pcap and neither",
                "as xdp-lb trace 198.51.100.7:40000 192.0.2.10:80/tcp");
  if (!file) return {read_probe(command), {}};
  if (command.has("flags"))
    throw Error("trace: --flags is not for --pcap", "packets of a file have their own");
  return {std::nullopt, read_frames(*file)};
}

CapturedFrame captured(const Frame& bytes) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()),
      static_cast<std::uint32_t>(bytes.size()), bytes};
}

void write_frames(const std::string& name, const std::vector<CapturedFrame>& frames) {
  const auto bytes = to_pcap(frames);
  errno = 0;
  std::ofstream file(name, std::ios::binary);
  if (!file)
    throw Error("can't write " + name + ": " + std::generic_category().message(errno),
                "give another file with --pcap-out");
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush())
    throw SystemError(errno, "writing " + name, "give another file with --pcap-out");
}

// Prints each packet as it is traced, but for JSON, which is one document.
class Report {
 public:
  Report(const Command& command, Tracer& tracer)
      : command_(command), tracer_(tracer), bytes_(!command.get("pcap-out")) {
    if (!command.json()) print_notes(tracer.notes(), false);
  }

  void add(const CapturedFrame& frame) {
    const auto traced = tracer_.trace(frame.bytes);
    count_++;
    if (command_.json())
      packets_.push_back(to_json(tracer_, traced, count_));
    else
      print_trace(tracer_, traced, count_, bytes_);
    if (traced.is_lost())
      lost_ = true;
    else
      out_.push_back(
          {frame.nanoseconds, static_cast<std::uint32_t>(traced.out.size()), traced.out});
  }

  int finish() const {
    if (const auto name = command_.get("pcap-out")) write_frames(*name, out_);
    if (command_.json())
      print_json({{"interface", tracer_.interface().name},
                  {"program", tracer_.program()},
                  {"notes", tracer_.notes()},
                  {"packets", packets_}});
    return lost_ ? 3 : 0;
  }

 private:
  const Command& command_;
  Tracer& tracer_;
  bool bytes_;
  std::size_t count_ = 0;
  bool lost_ = false;
  Json packets_ = Json::array();
  std::vector<CapturedFrame> out_;
};

}  // namespace

int run_trace(const Arguments& arguments) {
  Command command("trace", "Shows what the component would do with a packet, and why.",
                  "[SRC:PORT] [DST:PORT/PROTO]");
  command.option("interface,i", "IFNAME", "where it comes in, if the component is on several")
      .option("flags", "FLAGS", "of TCP, with commas; syn by default")
      .option("pcap", "FILE", "trace the packets of a pcap file, one after the other")
      .option("pcap-out", "FILE", "write what leaves to a pcap file")
      .option("object,o", "OBJECT", "the BPF object file, if not the installed one")
      .list("FLAGS", items_of(tcp_flags))
      .epilogue("Nothing is sent, and no map is changed. Exit status 3: a packet was dropped.");
  if (!command.parse(arguments)) return 0;
  auto input = read_input(command);
  Tracer tracer({command.pin_path(), command.get("object"), command.get("interface")});
  if (input.probe) {
    input.probe->mac = tracer.interface().mac;
    input.frames.push_back(captured(build_frame(*input.probe)));
  }
  Report report(command, tracer);
  for (const auto& frame : input.frames) report.add(frame);
  return report.finish();
}

}  // namespace xdplb
