#include "ops/crew.h"

#include <ATen/ThreadLocalState.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace fastgan {
namespace {

// How long a helper looks for more work before it sleeps: more than the time between two products
// of a step.
constexpr std::chrono::microseconds kAwake{3000};
constexpr int kLooks = 100;  // between two looks at the clock

class Work {
 public:
  Work(int64_t parts, const std::function<void(int64_t)>& compute)
      : parts_(parts), unfinished_(parts), compute_(compute) {}

  // Parts, until all are begun.
  void take_parts() {
    for (int64_t part; (part = next_.fetch_add(1)) < parts_;) {
      try {
        compute_(part);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex_);
        error_ = std::current_exception();
      }
      unfinished_.fetch_sub(1);
    }
  }

  void help() {
    const at::ThreadLocalStateGuard settings(callers_settings_);
    take_parts();
  }

  void wait() {
    while (unfinished_.load() > 0) std::this_thread::yield();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const int64_t parts_;
  std::atomic<int64_t> next_{0}, unfinished_;
  const std::function<void(int64_t)>& compute_;  // valid while a part is unfinished
  const at::ThreadLocalState callers_settings_;
  std::mutex mutex_;
  std::exception_ptr error_;
};

class Crew {
 public:
  void run(int64_t parts, int64_t helpers, const std::function<void(int64_t)>& compute) {
    const auto work = std::make_shared<Work>(parts, compute);
    const std::unique_lock<std::mutex> mine(busy_, std::try_to_lock);
    if (mine.owns_lock()) call(work, helpers);
    work->take_parts();
    work->wait();
    if (mine.owns_lock()) forget();
  }

 private:
  void call(std::shared_ptr<Work> work, int64_t helpers) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      grow(helpers);
      work_ = std::move(work);
      wanted_ = helpers;
      call_.fetch_add(1);
    }
    wake_.notify_all();
  }

  void grow(int64_t helpers) {
    try {
      for (; size_ < helpers; ++size_) std::thread([this, i = size_] { live(i); }).detach();
    } catch (const std::system_error&) {  // no more threads are to be had: fewer help
    }
  }

  void forget() {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_.reset();
  }

  void live(int64_t number) {
#ifdef _OPENMP
    omp_set_num_threads(1);  // of what a part computes; a setting of this thread
#endif
    uint64_t seen = 0;
    while (true) {
      look_for(seen);
      std::shared_ptr<Work> work;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return call_.load() != seen; });
        seen = call_.load();
        if (number < wanted_) work = work_;
      }
      if (work) work->help();
    }
  }

  void look_for(uint64_t seen) const {
    const auto end = std::chrono::steady_clock::now() + kAwake;
    do {
      for (int i = 0; i < kLooks; ++i) {
        if (call_.load(std::memory_order_relaxed) != seen) return;
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::mutex busy_, mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> call_{0};
  std::shared_ptr<Work> work_;
  int64_t wanted_ = 0, size_ = 0;
};

// Of this process: after a fork the child has none of its parent's threads. A crew is never freed,
// as its threads may outlive everything.
Crew& crew() {
  static std::mutex mutex;
  static std::atomic<Crew*> current{nullptr};
  static std::atomic<pid_t> owner{0};
  const pid_t process = ::getpid();
  if (owner.load() != process) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (owner.load() != process) {
      current = new Crew;
      owner = process;
    }
  }
  return *current;
}

}  // namespace

void run_parts(int64_t parts, int64_t threads, const std::function<void(int64_t)>& compute) {
  if (threads > 1 && parts > 1) return crew().run(parts, std::min(threads, parts) - 1, compute);
  for (int64_t part = 0; part < parts; ++part) compute(part);
}

}  // namespace fastgan
