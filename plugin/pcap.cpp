// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/pcap.h"

#include <array>
#include <cstring>

#include "plugin/error.h"

namespace xdplb {

namespace {

constexpr std::uint32_t magic_micro = 0xa1b2c3d4;
constexpr std::uint32_t magic_nano = 0xa1b23c4d;
constexpr std::uint32_t magic_next_generation = 0x0a0d0d0a;  // in either order
constexpr std::uint32_t ethernet = 1;
constexpr std::uint32_t max_frame = 262144;  // libpcap's MAXIMUM_SNAPLEN
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::size_t header_words = 6;
constexpr std::size_t record_words = 4;
constexpr std::size_t word_size = sizeof(std::uint32_t);

// A file, word by word in its byte order.
class PcapReader {
 public:
  PcapReader(std::span<const std::uint8_t> file, std::string name)
      : rest_(file), name_(std::move(name)) {}

  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(name_ + why,
                "give a pcap file of Ethernet frames; 'editcap -F pcap OLD NEW' makes one of other "
                "formats");
  }
  [[nodiscard]] bool ended() const { return rest_.empty(); }

  std::span<const std::uint8_t> bytes(std::size_t size) {
    if (size > rest_.size()) refuse(" ends within a packet");
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  template <std::size_t N>
  std::array<std::uint32_t, N> words() {
    std::array<std::uint32_t, N> all{};
    std::memcpy(all.data(), bytes(N * word_size).data(), N * word_size);
    if (swapped_)
      for (auto& word : all) word = __builtin_bswap32(word);
    return all;
  }

  // True for nanoseconds.
  bool header() {
    if (rest_.size() < header_words * word_size) refuse(" is no pcap file");
    auto head = words<header_words>();
    swapped_ =
        head[0] == __builtin_bswap32(magic_micro) || head[0] == __builtin_bswap32(magic_nano);
    if (swapped_)
      for (auto& word : head) word = __builtin_bswap32(word);
    if (head[0] == magic_next_generation) refuse(" is a pcapng file");
    if (head[0] != magic_micro && head[0] != magic_nano) refuse(" is no pcap file");
    const auto link = head[header_words - 1] & 0xffff;  // above it: the length of checksums
    if (link != ethernet) refuse(" has link type " + std::to_string(link) + ", not Ethernet (1)");
    return head[0] == magic_nano;
  }

 private:
  std::span<const std::uint8_t> rest_;
  std::string name_;
  bool swapped_ = false;
};

void append(Frame& file, std::span<const std::uint32_t> words) {
  const auto at = file.size();
  file.resize(at + words.size_bytes());
  std::memcpy(file.data() + at, words.data(), words.size_bytes());
}

}  // namespace

std::vector<CapturedFrame> parse_pcap(std::span<const std::uint8_t> file, const std::string& name) {
  PcapReader reader(file, name);
  const std::uint64_t unit = reader.header() ? 1 : 1000;
  std::vector<CapturedFrame> frames;
  while (!reader.ended()) {
    const auto [seconds, fraction, captured, size] = reader.words<record_words>();
    if (size > max_frame || captured > size)
      reader.refuse(": packet " + std::to_string(frames.size() + 1) + " has " +
                    std::to_string(captured) + " of " + std::to_string(size) + " bytes");
    if (fraction * unit >= second)
      reader.refuse(": packet " + std::to_string(frames.size() + 1) +
                    " has a fraction of a second that is none");
    const auto bytes = reader.bytes(captured);
    frames.push_back({seconds * second + fraction * unit, size, Frame(bytes.begin(), bytes.end())});
  }
  return frames;
}

Frame to_pcap(const std::vector<CapturedFrame>& frames) {
  Frame file;
  const std::uint16_t version = 2;
  const std::uint16_t minor = 4;
  std::array<std::uint32_t, header_words> head{magic_nano, 0, 0, 0, max_frame, ethernet};
  std::memcpy(head.data() + 1, &version, sizeof(version));
  std::memcpy(reinterpret_cast<char*>(head.data() + 1) + sizeof(version), &minor, sizeof(minor));
  append(file, head);
  for (const auto& frame : frames) {
    append(file, std::array{static_cast<std::uint32_t>(frame.nanoseconds / second),
                            static_cast<std::uint32_t>(frame.nanoseconds % second),
                            static_cast<std::uint32_t>(frame.bytes.size()), frame.size});
    file.insert(file.end(), frame.bytes.begin(), frame.bytes.end());
  }
  return file;
}

}  // namespace xdplb
