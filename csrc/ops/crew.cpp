#include "ops/crew.h"

#include <ATen/Parallel.h>
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
#include <future>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

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

  void wait() const {
    while (unfinished_.load() > 0) std::this_thread::yield();
  }

  void throw_error() const {
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

// A thread, or the place of one. It looks for calls for itself alone, so those that no work needs
// sleep.
class Helper {
 public:
  // Returns when the thread has its settings: torch, after a fork, bears only one at a time that
  // makes them.
  void start() {
    std::promise<void> promise;
    const std::future<void> settled = promise.get_future();
    std::thread([this, promise = std::move(promise)]() mutable {
      use_one_thread();
      promise.set_value();
      live();
    }).detach();
    settled.wait();
  }

  void call(std::shared_ptr<Work> work) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      work_ = std::move(work);
      calls_.fetch_add(1);
    }
    wake_.notify_one();
  }

  void forget() {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_.reset();
  }

 private:
  static void use_one_thread() {
    // torch would give this thread its own number at the first call that may use several.
    at::internal::lazy_init_num_threads();
#ifdef _OPENMP
    omp_set_num_threads(1);
#endif
  }

  void live() {
    uint64_t seen = 0;
    while (true) {
      look_for_call(seen);
      std::shared_ptr<Work> work;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return calls_.load() != seen; });
        seen = calls_.load();
        work = work_;
      }
      if (work) work->help();
    }
  }

  void look_for_call(uint64_t seen) const {
    const auto end = std::chrono::steady_clock::now() + kAwake;
    do {
      for (int i = 0; i < kLooks; ++i) {
        if (calls_.load(std::memory_order_relaxed) != seen) return;
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> calls_{0};
  std::shared_ptr<Work> work_;
};

class Crew {
 public:
  void run(int64_t parts, int64_t helpers, const std::function<void(int64_t)>& compute) {
    const auto work = std::make_shared<Work>(parts, compute);
    const std::unique_lock<std::mutex> mine(busy_, std::try_to_lock);
    const size_t called = mine.owns_lock() ? grow(helpers) : 0;
    for (size_t i = 0; i < called; ++i) helpers_[i]->call(work);
    work->take_parts();
    work->wait();
    for (size_t i = 0; i < called; ++i) helpers_[i]->forget();
    work->throw_error();
  }

 private:
  // How many there are, of as many as are wanted.
  size_t grow(int64_t wanted) {
    const auto count = static_cast<size_t>(wanted);
    try {
      while (helpers_.size() < count) {
        auto helper = std::make_unique<Helper>();
        helper->start();
        helpers_.push_back(std::move(helper));
      }
    } catch (const std::system_error&) {  // no more threads are to be had: fewer help
    }
    return std::min(helpers_.size(), count);
  }

  std::mutex busy_;
  std::vector<std::unique_ptr<Helper>> helpers_;
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
  // A helper multiplies with one thread, as the caller has to, so that it does not matter who does.
  if (threads > 1 && parts > 1 && at::get_num_threads() == 1)
    return crew().run(parts, std::min(threads, parts) - 1, compute);
  for (int64_t part = 0; part < parts; ++part) compute(part);
}

}  // namespace fastgan
