// SPDX-License-Identifier: GPL-2.0-only
// What fuzzers start from holds what they require, also where there is no libFuzzer.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/support/packet.h"

using Target = int(const std::uint8_t* bytes, std::size_t size);
extern "C" Target fuzz_address, fuzz_config, fuzz_import, fuzz_packet, fuzz_pcap;

namespace xdplb::test {

BOOST_AUTO_TEST_CASE(corpus) {
  for (const auto& [folder, target] : std::map<std::string, Target*>{{"address", fuzz_address},
                                                                     {"config", fuzz_config},
                                                                     {"import", fuzz_import},
                                                                     {"packet", fuzz_packet},
                                                                     {"pcap", fuzz_pcap}}) {
    unsigned files = 0;
    for (const auto& file : std::filesystem::directory_iterator(XDPLB_CORPUS "/" + folder)) {
      std::ifstream in(file.path(), std::ios::binary);
      const Bytes bytes{std::istreambuf_iterator<char>(in), {}};
      BOOST_TEST_CHECKPOINT(file.path());
      BOOST_TEST(target(bytes.data(), bytes.size()) == 0);
      files++;
    }
    BOOST_TEST(files > 1U, "no files in " << folder);
  }
}

}  // namespace xdplb::test
