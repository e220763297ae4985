// SPDX-License-Identifier: GPL-2.0-only
// What administrators write: any text is either refused with Error, or names something whose own
// text names the same thing.
#include "plugin/address.h"

#include <cstddef>
#include <cstdint>

#include "plugin/error.h"
#include "plugin/pool.h"
#include "tests/fuzz/require.h"

namespace xdplb {

namespace {

bool operator==(const StaticHop& a, const StaticHop& b) {
  return a.mac == b.mac && a.ifname == b.ifname;
}

template <typename Action>
void refused_or(Action action) {
  try {
    action();
  } catch (const Error& error) {
    REQUIRE(!std::string_view(error.what()).empty() && !error.hint().empty());
  }
}

template <typename T>
void round_trip(std::string_view text) {
  refused_or([&] {
    const auto parsed = T::parse(text);
    REQUIRE(T::parse(parsed.to_string()) == parsed);
  });
}

}  // namespace

}  // namespace xdplb

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace xdplb;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  round_trip<Address>(text);
  round_trip<ServiceId>(text);
  round_trip<BackendId>(text);
  round_trip<StaticHop>(text);
  round_trip<Pool>(text);
  refused_or([&] { REQUIRE(parse_mac(to_string(parse_mac(text))) == parse_mac(text)); });
  refused_or([&] {
    const auto client = parse_client(text);
    // Port 0 isn't written: then it is a backend's text.
    if (client.port != 0) REQUIRE(parse_client(client.to_string()) == client);
  });
  return 0;
}
