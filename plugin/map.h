// SPDX-License-Identifier: GPL-2.0-only
// Typed views of pinned maps.
#pragma once

#include <linux/bpf.h>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "plugin/fd.h"

namespace xdplb {

// The value memory of an ARRAY map made with BPF_F_MMAPABLE.
class Mapping {
 public:
  Mapping() = default;
  Mapping(const Fd& map, std::size_t size, bool writable, const std::string& name);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  // Memory of this process alone: zero, or what is here now.
  static Mapping own(std::size_t size);
  [[nodiscard]] Mapping copy() const;

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  template <typename T>
  [[nodiscard]] std::span<T> as() const {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// One aligned word of at most eight bytes of a mapping, as the data path sees it: whole.
template <typename T>
T load(const T& word) {
  static_assert(sizeof(T) == 8 || sizeof(T) == 4);
  using Word = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  return std::bit_cast<T>(__atomic_load_n(reinterpret_cast<const Word*>(&word), __ATOMIC_ACQUIRE));
}

template <typename T>
void store(T& word, const T& value) {
  static_assert(sizeof(T) == 8 || sizeof(T) == 4);
  using Word = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  __atomic_store_n(reinterpret_cast<Word*>(&word), std::bit_cast<Word>(value), __ATOMIC_RELEASE);
}

// Shape, name and id; if it returns false, errno says why there is none.
bool read_info(const Fd& map, bpf_map_info& info);

// Those that a map of keys of four bytes has now.
std::set<std::uint32_t> map_keys(const Fd& map);

// The value of a key of an array.
void read_value(const Fd& map, std::uint32_t key, void* value);
void write_value(const Fd& map, std::uint32_t key, const void* value);

// That of a per-CPU array: one of each CPU.
std::size_t possible_cpus();
template <typename T>
std::vector<T> per_cpu(const Fd& map, std::uint32_t key) {
  std::vector<T> all(possible_cpus());
  read_value(map, key, all.data());
  return all;
}
template <typename T>
void clear_per_cpu(const Fd& map, std::uint32_t key) {
  write_value(map, key, std::vector<T>(possible_cpus()).data());
}

// Waits until every packet that was under way when it was called has left.
void wait_for_packets();

}  // namespace xdplb
