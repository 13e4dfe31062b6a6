#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

// Buffers between guard bytes, and the message of a failing case.

namespace fastgan {
namespace emulation {

// The current case, for messages, and the number of cases so far.
inline std::string current_case;
inline int64_t cases = 0;

template <class... A>
[[noreturn]] void mismatch(const char* format, A... arguments) {
  std::fprintf(stderr, "%s: ", current_case.c_str());
  std::fprintf(stderr, format, arguments...);
  std::fputc('\n', stderr);
  std::exit(1);
}

// An address range of `bytes` bytes. Only those from about `start` on have memory; an access to the
// others ends the program.
class Addresses {
 public:
  Addresses(size_t bytes, size_t start) : bytes_(bytes) {
    if (start == 0) {
      base_ = static_cast<unsigned char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
      begin_ = base_;
      return;
    }
    reserved_ = true;
    const size_t page = sysconf(_SC_PAGESIZE), before = start / page * page;
    void* const base =
        mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    base_ = static_cast<unsigned char*>(base);
    begin_ = base_ + before;
    if (base == MAP_FAILED || mprotect(begin_, bytes - before, PROT_READ | PROT_WRITE) != 0) {
      mismatch("expected %zu bytes of addresses, of which %zu with memory, got none", bytes,
               bytes - before);
    }
  }
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;
  ~Addresses() { reserved_ ? static_cast<void>(munmap(base_, bytes_)) : std::free(base_); }

  unsigned char* base() const { return base_; }
  // Start and end of what has memory.
  unsigned char* begin() const { return begin_; }
  unsigned char* end() const { return base_ + bytes_; }

 private:
  size_t bytes_;
  bool reserved_ = false;
  unsigned char *base_, *begin_;
};

// `count` elements, starting `shift` elements after a multiple of 64 bytes, between guard bytes.
// They are filled with 0xFF, which is NaN. Elements before `first` have addresses but no memory, so
// that a tensor may be larger than the machine's memory.
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t count, int64_t shift = 0, int64_t first = 0)
      : addresses_(kGuard + (shift + count) * sizeof(T) + kGuard,
                   first == 0 ? 0 : (shift + first) * sizeof(T)),
        data_(reinterpret_cast<T*>(addresses_.base() + kGuard) + shift),
        first_(first),
        count_(count) {
    std::memset(addresses_.begin(), kGuardByte, addresses_.end() - addresses_.begin());
    std::memset(begin(), 0xFF, end() - begin());
#if defined(__SANITIZE_ADDRESS__)
    ASAN_POISON_MEMORY_REGION(addresses_.begin(), begin() - addresses_.begin());
    ASAN_POISON_MEMORY_REGION(end(), addresses_.end() - end());
#endif
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  ~Buffer() {
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(addresses_.begin(), addresses_.end() - addresses_.begin());
#endif
    for (const unsigned char* p = addresses_.begin(); p < addresses_.end(); ++p) {
      if ((p < begin() || p >= end()) && *p != kGuardByte) {
        mismatch("wrote outside a buffer: at byte %td of %td", p - begin(), end() - begin());
      }
    }
  }

  T* data() { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  int64_t first() const { return first_; }
  int64_t size() const { return count_; }

 private:
  static constexpr size_t kGuard = 128;
  static constexpr unsigned char kGuardByte = 0xA5;

  unsigned char* begin() const { return reinterpret_cast<unsigned char*>(data_ + first_); }
  unsigned char* end() const { return reinterpret_cast<unsigned char*>(data_ + count_); }

  Addresses addresses_;
  T* data_;
  int64_t first_, count_;
};

}  // namespace emulation
}  // namespace fastgan
