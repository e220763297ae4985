// SPDX-License-Identifier: GPL-2.0-only
// What it costs to apply a large configuration from nothing, and then with one backend changed:
// real commands on maps of their own.
//
//   scale_bench [--quick] [--json FILE]
//
// Beside them stands a bare loop in a process of its own: it writes as many entries, records of
// services and backends one by one with bpf(), slots as words into a mapped array, and decides
// nothing. Times are processor time of the process; the rounds take turns.
#include <bpf/bpf.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "plugin/error.h"
#include "plugin/map.h"
#include "plugin/table.h"
#include "tests/support/bpf_fixture.h"

namespace {

using namespace xdplb;
using namespace xdplb::test;

struct Size {
  unsigned services, backends, slots;  // backends and slots of each service
  [[nodiscard]] std::size_t records() const { return std::size_t{services} * (1 + backends); }
  [[nodiscard]] std::size_t all_slots() const { return std::size_t{services} * slots; }
};

struct Cost {
  double seconds;
  double mebibytes;  // at the most
};

// Of a child that runs this; throws where it fails.
Cost cost_of(const std::string& what, const std::function<void()>& run) {
  std::fflush(nullptr);
  const auto child = ::fork();
  if (child == 0) {
    try {
      run();
    } catch (const std::exception& error) {
      std::cerr << what << ": " << error.what() << "\n";
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  rusage usage{};
  if (::wait4(child, &status, 0, &usage) != child || status != 0)
    throw std::runtime_error(what + " failed");
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime),
          static_cast<double>(usage.ru_maxrss) / 1024};
}

Cost command(std::vector<std::string> words) {
  return cost_of(words[0], [&] {
    std::vector<char*> arguments{const_cast<char*>(XDP_LB_LOADER)};
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (std::freopen("/dev/null", "w", stdout) != nullptr) ::execv(XDP_LB_LOADER, arguments.data());
    throw SystemError(errno, "running " XDP_LB_LOADER);
  });
}

// Static next hops: the kernel's neighbours are not what is measured.
void write_file(const std::string& name, const Size& size, unsigned weight_of_first) {
  std::ofstream file(name);
  file << "arena = \"256M\"\n[[interface]]\nname = \"scale0\"\n";
  for (unsigned i = 0; i < size.services; i++) {
    file << "[[service]]\naddress = \"10.1." << i / 256 << "." << i % 256
         << ":80/tcp\"\nslots = " << size.slots << "\nbackend = [\n";
    for (unsigned j = 0; j < size.backends; j++) {
      const auto number = i * size.backends + j;
      file << "{ address = \"10." << 2 + number / 65536 << "." << number / 256 % 256 << "."
           << number % 256 << "\", next-hop = \"02:00:00:00:00:01%scale0\", weight = "
           << (number == 0 ? weight_of_first : 10) << " },\n";
    }
    file << "]\n";
  }
  if (!file.flush()) throw std::runtime_error("can't write " + name);
}

Fd make_array(std::uint32_t value_size, std::size_t entries, std::uint32_t flags) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
  Fd map(::bpf_map_create(BPF_MAP_TYPE_ARRAY, "bare", sizeof(std::uint32_t), value_size,
                          static_cast<std::uint32_t>(entries), &options));
  if (!map) throw SystemError(errno, "making a map");
  return map;
}

template <typename Record>
void write_records(std::size_t count) {
  const auto map = make_array(sizeof(Record), count, 0);
  Record record{};
  for (std::uint32_t key = 0; key < count; key++)
    if (::bpf_map_update_elem(map.get(), &key, &record, BPF_ANY) != 0)
      throw SystemError(errno, "writing a map");
}

void bare_loop(const Size& size) {
  write_records<lb_service>(size.services);
  write_records<lb_backend>(std::size_t{size.services} * size.backends);
  const auto slots = make_array(sizeof(lb_slot), size.all_slots(), BPF_F_MMAPABLE);
  // an array's values are 8 bytes apart
  Mapping view(slots, size.all_slots() * 8, true, "the slots");
  auto words = view.as<std::uint64_t>();
  for (std::size_t i = 0; i < size.all_slots(); i++)
    __atomic_store_n(&words[i], i + 1, __ATOMIC_RELAXED);
}

struct Series {
  std::vector<Cost> bare{}, whole{}, one{}, none{};
};

Cost median(std::vector<Cost> all) {
  std::ranges::sort(all, {}, &Cost::seconds);
  return all[all.size() / 2];
}

Series measure(const Size& size, int rounds) {
  write_file("whole.toml", size, 10);
  write_file("one.toml", size, 20);
  Series series;
  for (int round = 0; round < rounds; round++) {
    series.bare.push_back(cost_of("the bare loop", [&] { bare_loop(size); }));
    series.whole.push_back(command({"apply", "whole.toml", "--single-ok", "-o", XDP_LB_OBJECT}));
    series.one.push_back(command({"apply", "one.toml"}));
    series.none.push_back(command({"apply", "one.toml"}));
    command({"unload", "--all"});
  }
  return series;
}

nlohmann::json report(const Size& size, const Series& series) {
  nlohmann::json rows = nlohmann::json::array();
  const auto bare = median(series.bare);
  std::printf("%u services, %u backends and %u slots each: %zu records, %zu slots\n", size.services,
              size.backends, size.slots, size.records(), size.all_slots());
  std::printf("%-28s%12s%10s%12s\n", "", "CPU s", "ratio", "peak MiB");
  const auto row = [&](const char* name, const std::vector<Cost>& all) {
    const auto cost = median(all);
    const auto ratio = cost.seconds / bare.seconds;
    std::printf("%-28s%12.3f%10.2f%12.1f\n", name, cost.seconds, ratio, cost.mebibytes);
    rows.push_back({{"what", name},
                    {"services", size.services},
                    {"backends", size.services * size.backends},
                    {"slots", size.all_slots()},
                    {"rounds", all.size()},
                    {"seconds", cost.seconds},
                    {"ratio", ratio},
                    {"peak_mib", cost.mebibytes}});
  };
  row("bare loop", series.bare);
  row("apply, from nothing", series.whole);
  row("apply, one backend changed", series.one);
  row("apply, nothing changed", series.none);
  return rows;
}

void run(bool quick, const std::string& json) {
  enter_sandbox();
  ip_tool("link add scale0 type veth peer name scale1");
  ip_tool("link set scale0 up");
  std::printf(
      "1000 services have 65 backends each, and 100 each are of 655 services: there are %zu "
      "backends at most, of all services together\n",
      max_table_backends);
  const std::vector<Size> sizes = quick ? std::vector<Size>{{100, 65, 16384}}
                                        : std::vector<Size>{{1000, 65, 16384}, {655, 100, 16384}};
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& size : sizes)
    for (auto& row : report(size, measure(size, 3))) rows.push_back(std::move(row));
  if (json.empty()) return;
  std::ofstream out(json);
  out << rows.dump(2) << '\n';
  if (!out.flush()) throw std::runtime_error("cannot write " + json);
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  std::string json;
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    if (argument == "--quick") {
      quick = true;
    } else if (argument == "--json" && i + 1 < argc) {
      json = argv[++i];
    } else {
      std::cerr << "usage: scale_bench [--quick] [--json FILE]\n";
      return 2;
    }
  }
  try {
    run(quick, json);
  } catch (const Skip& skip) {
    std::cerr << "Skipped: " << skip.what() << '\n';
    return 77;
  } catch (const std::exception& error) {
    std::cerr << "scale_bench: " << error.what() << '\n';
    return 1;
  }
}
