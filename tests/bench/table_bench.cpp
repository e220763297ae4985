// SPDX-License-Identifier: GPL-2.0-only

// How long a table takes to build, in processor time of one thread: medians over rounds in which
// the kinds of tables take turns, so that a machine that slows down slows down all of them.
//
//   table_bench [--quick] [--json FILE] [--naive-pairs N]
//
// Beside each time stands that of the naive reference (tests/support/naive_table.h) and of a plain
// pass over memory: allocate, write once and read once the bytes that any builder of this shape
// has to touch, which are the times of the ranks, the best values of each slot, and the table. The
// naive reference runs fewer times, and not at all on more than N pairs of slot and backend
// (default 2^23, 300 MB; 1000 backends are 2^26 and take 3 GB).

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/table.h"
#include "tests/support/naive_table.h"

namespace {

using namespace xdplb;

constexpr unsigned table_bits = 16;
constexpr std::size_t slots = std::size_t{1} << table_bits;

struct Options {
  bool quick = false;
  std::string json;
  std::size_t naive_pairs = std::size_t{1} << 23;
};

struct Kind {
  const char* name;
  Balance balance;
  bool second;
  bool mixed_weights;
};

constexpr std::array kinds = {
    Kind{"first, no caps", Balance::off, false, false},
    Kind{"first and second, no caps", Balance::off, true, false},
    Kind{"first, slack 5 %", Balance::slack, false, false},
    Kind{"first and second, slack 5 %", Balance::slack, true, false},
    Kind{"first, exact", Balance::exact, false, false},
    Kind{"first and second, exact", Balance::exact, true, false},
    Kind{"first and second, slack 5 %, weights 1..100", Balance::slack, true, true},
};

struct Series {
  const Kind* kind;
  TableSpec spec;
  bool caps_binding = false;
  std::vector<double> build{}, naive{}, pass{};
};

TableSpec make_spec(const Kind& kind, std::size_t backends) {
  TableSpec spec{1, table_bits};
  spec.balance = kind.balance;
  spec.second = kind.second;
  for (std::size_t i = 0; i < backends; ++i) {
    TableBackend b{{}, 0, 1};
    b.addr = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0};
    b.addr[14] = static_cast<std::uint8_t>(i >> 8);
    b.addr[15] = static_cast<std::uint8_t>(i);
    if (kind.mixed_weights) b.weight = 1 + static_cast<std::uint32_t>(i * 37 % 100);
    spec.backends.push_back(b);
  }
  return spec;
}

// Processor time of this thread: a build never waits, and other load must not count.
double processor_ms() {
  timespec now{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) throw std::runtime_error("no clock");
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

template <class Work>
double milliseconds(Work work) {
  const double start = processor_ms();
  work();
  return processor_ms() - start;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double least(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

std::uint64_t plain_pass(const TableSpec& spec) {
  const std::size_t choices = spec.second ? 2 : 1;
  std::vector<std::uint32_t> times(slots + 1);
  std::iota(times.begin(), times.end(), 0u);
  std::vector<std::uint64_t> best(choices * slots);
  for (std::size_t i = 0; i < best.size(); ++i) best[i] = times[i % slots];
  std::vector<std::uint16_t> table(choices * slots);
  for (std::size_t i = 0; i < best.size(); ++i) table[i] = static_cast<std::uint16_t>(best[i]);
  return std::accumulate(table.begin(), table.end(), std::uint64_t{0});
}

// One round of every series. The naive reference takes part in the first `naive` rounds.
void run_round(std::vector<Series>& all, const Options& options, bool naive) {
  for (Series& s : all) {
    std::uint64_t sum = 0;
    s.pass.push_back(milliseconds([&] { sum = plain_pass(s.spec); }));
    if (sum == 0) throw std::logic_error("the plain pass read nothing");
    Table built;
    s.build.push_back(milliseconds([&] { built = build_table(s.spec); }));
    s.caps_binding = built.caps_binding;
    if (!naive || s.spec.backends.size() * slots > options.naive_pairs) continue;
    Table reference;
    s.naive.push_back(milliseconds([&] { reference = test::naive_table(s.spec); }));
    if (built != reference) throw std::runtime_error("the builder and the reference differ");
  }
}

void print(const std::vector<Series>& all) {
  std::printf("%-46s%9s%9s%9s%10s%8s%9s\n", "65536 slots, medians in CPU ms", "backends", "build",
              "(least)", "naive", "pass", "binding");
  for (const Series& s : all) {
    std::printf("%-46s%9zu%9.3f%9.3f", s.kind->name, s.spec.backends.size(), median(s.build),
                least(s.build));
    if (s.naive.empty()) {
      std::printf("%10s", "not run");
    } else {
      std::printf("%10.1f", median(s.naive));
    }
    std::printf("%8.3f%9s\n", median(s.pass), s.caps_binding ? "yes" : "no");
  }
}

void write_json(const std::vector<Series>& all, const std::string& file) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Series& s : all) {
    nlohmann::json row = {{"kind", s.kind->name},
                          {"slots", slots},
                          {"backends", s.spec.backends.size()},
                          {"rounds", s.build.size()},
                          {"build_ms", median(s.build)},
                          {"build_min_ms", least(s.build)},
                          {"plain_pass_ms", median(s.pass)},
                          {"caps_binding", s.caps_binding},
                          {"naive_rounds", s.naive.size()},
                          {"naive_ms", nullptr}};
    if (!s.naive.empty()) row["naive_ms"] = median(s.naive);
    rows.push_back(row);
  }
  std::ofstream out(file);
  out << rows.dump(2) << '\n';
  out.close();
  if (!out) throw std::runtime_error("cannot write " + file);
}

std::optional<Options> parse(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool has_value = i + 1 < arguments.size();
    if (arguments[i] == "--quick") {
      options.quick = true;
    } else if (arguments[i] == "--json" && has_value) {
      options.json = arguments[++i];
    } else if (arguments[i] == "--naive-pairs" && has_value) {
      const std::string& text = arguments[++i];
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data(), end, options.naive_pairs);
      if (error != std::errc{} || stop != end) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

void run(const Options& options) {
  std::vector<Series> all;
  for (const std::size_t backends : {10, 100, 1000}) {
    for (const Kind& kind : kinds) all.push_back({&kind, make_spec(kind, backends)});
  }
  const int rounds = options.quick ? 5 : 31;
  const int naive_rounds = options.quick ? 1 : 3;
  for (int round = 0; round < rounds; ++round) run_round(all, options, round < naive_rounds);
  print(all);
  if (!options.json.empty()) write_json(all, options.json);
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse({argv + 1, argv + argc});
  if (!options) {
    std::cerr << "usage: table_bench [--quick] [--json FILE] [--naive-pairs N]\n";
    return 2;
  }
  try {
    run(*options);
  } catch (const std::exception& error) {
    std::cerr << "table_bench: " << error.what() << '\n';
    return 1;
  }
}
