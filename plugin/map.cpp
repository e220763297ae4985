// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "plugin/error.h"

namespace xdplb {

Mapping::Mapping(const Fd& map, std::size_t size, bool writable, const std::string& name)
    : size_(size) {
  const int access = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* memory = ::mmap(nullptr, size, access, MAP_SHARED, map.get(), 0);
  if (memory == MAP_FAILED) throw SystemError(errno, "mapping " + name + " into memory");
  data_ = static_cast<std::byte*>(memory);
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Mapping Mapping::own(std::size_t size) {
  Mapping mapping;
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw SystemError(errno, "getting memory");
  mapping.data_ = static_cast<std::byte*>(at);
  mapping.size_ = size;
  return mapping;
}

Mapping Mapping::copy() const {
  constexpr std::size_t page = 4096;
  constexpr std::array<std::byte, page> zero{};
  auto mapping = own(size_);
  for (std::size_t at = 0; at < size_; at += page) {  // memory that is zero costs none
    const auto size = std::min(page, size_ - at);
    if (std::memcmp(data_ + at, zero.data(), size) != 0)
      std::memcpy(mapping.data_ + at, data_ + at, size);
  }
  return mapping;
}

bool read_info(const Fd& map, bpf_map_info& info) {
  std::uint32_t size = sizeof(info);
  return ::bpf_obj_get_info_by_fd(map.get(), &info, &size) == 0;
}

std::set<std::uint32_t> map_keys(const Fd& map) {
  std::set<std::uint32_t> keys;
  std::uint32_t key = 0;
  const void* last = nullptr;
  while (::bpf_map_get_next_key(map.get(), last, &key) == 0) {
    keys.insert(key);
    last = &key;
  }
  return keys;
}

void read_value(const Fd& map, std::uint32_t key, void* value) {
  if (::bpf_map_lookup_elem(map.get(), &key, value) != 0)
    throw SystemError(errno, "reading value " + std::to_string(key) + " of a map");
}

void write_value(const Fd& map, std::uint32_t key, const void* value) {
  if (::bpf_map_update_elem(map.get(), &key, value, BPF_ANY) != 0)
    throw SystemError(errno, "writing value " + std::to_string(key) + " of a map");
}

std::size_t possible_cpus() {
  static const int count = ::libbpf_num_possible_cpus();
  if (count < 0) throw SystemError(-count, "counting the CPUs");
  return static_cast<std::size_t>(count);
}

void wait_for_packets() {
  // The data path runs within an RCU read-side section, and this command is synchronize_rcu().
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
  // Refused on kernels with nohz_full CPUs. A packet is in hand for microseconds.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

}  // namespace xdplb
