#include "kernels/condition_loss.h"

#include <atomic>

#include "columns.h"
#include "kernels/reduction.h"

// Row condition_loss: the CUDA kernels against the CPU kernels, with the same params.

namespace fastgan {
namespace emulation {
namespace {

// Losses are added in different orders, and each is rounded to the arithmetic's type.
template <class T>
constexpr double kSumTolerance = std::is_same_v<T, double> ? 1e-13 : 2e-6;

constexpr Grid kGrids[] = {kWholeGrid, {2, 0, false}, {kMostBlocksOfCuda, 3, true}};

template <class T>
struct Rows {
  Layout layout;
  int64_t rows, first;
  Buffer<T> x, result, reference;
  Buffer<int64_t> conditions;
  Buffer<Arithmetic<T>> grad;
  std::atomic<int> outside{0};

  // Rows before `first` have no memory.
  Rows(const Columns& columns, int64_t rows, int64_t shift, int64_t first = 0)
      : layout(columns),
        rows(rows),
        first(first),
        x(rows * layout.width(), shift, first * layout.width()),
        result(rows * layout.width(), shift, first * layout.width()),
        reference(rows * layout.width(), 0, first * layout.width()),
        conditions(rows, 0, first),
        grad(1) {
    fill_uniform(x, -6.0, 6.0);
    for (int64_t i = first; i < rows; ++i) {
      conditions[i] = static_cast<int64_t>(values_random() % layout.entries());
    }
    grad[0] = Arithmetic<T>(-1.75 * static_cast<double>(rows));  // so that no result is denormal
  }

  ConditionTerms<T> terms(bool of_reference) {
    return {x.data(), conditions.data(), rows, layout.layout(), of_reference ? &outside : nullptr};
  }
};

template <class T>
double on_cpu(Rows<T>& rows) {
  const int64_t first = rows.first / kRowGroup, groups = row_groups(rows.rows);
  Buffer<double> partials(groups, 0, first);
  run_cpu(ConditionLoss<T>{rows.terms(true), nullptr, partials.data(), nullptr}, rows.first,
          rows.rows);
  double sum = 0.0;
  for (int64_t i = first; i < groups; ++i) sum += partials[i];
  return sum / static_cast<double>(rows.rows);
}

template <class T>
Arithmetic<T> on_cuda(Rows<T>& rows) {
  Buffer<double> partials(kMostSumBlocks + settings.more_blocks);
  Buffer<Arithmetic<T>> loss(1);
  Buffer<uint32_t> ticket(1);
  ticket[0] = 0;
  run_cuda(ConditionLoss<T>{rows.terms(false), loss.data(), partials.data(), ticket.data()},
           nullptr);
  if (ticket[0] != 0) mismatch("ticket: expected 0 again, got %u", ticket[0]);
  return loss[0];
}

template <class T>
void check_loss(Rows<T>& rows) {
  const Arithmetic<T> loss = on_cuda(rows);
  expect_sum("loss", loss, on_cpu(rows), kSumTolerance<T>);
  const uint64_t order = settings.order;
  settings.order = order + 1;
  const Arithmetic<T> again = on_cuda(rows);
  settings.order = order;
  if (std::memcmp(&loss, &again, sizeof loss) != 0) {
    mismatch("loss differs with the order of threads");
  }
}

template <class T>
void check_gradient(Rows<T>& rows) {
  run_cpu(ConditionGradient<T>{rows.terms(true), rows.grad.data(), rows.reference.data()},
          rows.first, rows.rows);
  run_cuda(ConditionGradient<T>{rows.terms(false), rows.grad.data(), rows.result.data()}, nullptr);
  // Differences of terms of at most 1.75.
  expect_close("grad_input", rows.result, rows.reference, 16 * epsilon_of<T>());
}

// Rows whose conditions are no entries: NaN in CUDA, as the kernel cannot raise an error.
template <class T>
void check_outside(Rows<T>& rows) {
  constexpr int64_t kRow = 5;
  for (const int64_t condition : {int64_t{-1}, rows.layout.entries(), int64_t{1} << 40}) {
    rows.conditions[kRow] = condition;
    if (!std::isnan(on_cuda(rows))) mismatch("loss: expected NaN, got a number");
    run_cuda(ConditionGradient<T>{rows.terms(false), rows.grad.data(), rows.result.data()},
             nullptr);
    const int64_t width = rows.layout.width();
    for (int64_t i = 0; i < rows.rows * width; ++i) {
      if (std::isnan(static_cast<double>(rows.result[i])) == (i / width == kRow)) continue;
      mismatch("grad_input[%ld]: expected NaN in row 5 only", static_cast<long>(i));
    }
  }
}

template <class T>
void check_all(T) {
  for (const Grid& grid : kGrids) {
    const std::string of_grid = grid.use();
    for (const Columns& columns : all_columns()) {
      if (columns.widths.empty()) continue;
      for (const int64_t count : kRows) {
        if (grid.few_sizes && count != 33) continue;
        current_case = std::string(name_of<T>()) + ", " + std::to_string(count) + " rows of " +
                       columns.name() + ", " + of_grid;
        Rows<T> rows(columns, count, count % 2);
        if (grid.most == kMostBlocksOfCuda) check_loss(rows);
        check_gradient(rows);
        if (count == 16) check_outside(rows);
        rows.conditions[5 % count] = 0;
        sprinkle(rows.x, special_numbers());
        check_gradient(rows);
        if (rows.outside != 0) mismatch("expected all conditions inside, got %d", 1);
        ++cases;
      }
    }
  }
  kWholeGrid.use();
}

// The rows from kFarRow on, as check_far() of gan_loss.cpp does it.
template <class T>
void check_far(T) {
  current_case = std::string(name_of<T>()) + ", rows above 2^32";
  Rows<T> rows(kFarColumns, kFarRows, 1, kFarRow);
  constexpr int64_t kTeams = kThreadsOfBlock / 4;  // of a block, for the loss
  const int64_t first = kFarRow / kTeams, blocks = (kFarRows + kTeams - 1) / kTeams;
  Buffer<double> partials(blocks, 0, first);
  Buffer<Arithmetic<T>> loss(1);
  Buffer<uint32_t> ticket(1);
  ticket[0] = 0;
  settings.first_block = first;
  settings.more_blocks = blocks - kMostSumBlocks;
  run_cuda(ConditionLoss<T>{rows.terms(false), loss.data(), partials.data(), ticket.data()},
           nullptr);
  settings.more_blocks = 0;
  double sum = 0.0;
  for (int64_t i = first; i < blocks; ++i) sum += partials[i];
  expect_sum("loss", sum / static_cast<double>(kFarRows), on_cpu(rows), kSumTolerance<T>);

  rows.grad[0] = Arithmetic<T>(kFarRows);
  settings.first_block = kFarRow / (kThreadsOfBlock / 32);
  check_gradient(rows);
  settings.first_block = 0;
  ++cases;
}

// Blocks that share a ticket, and adjacent stores.
int check_races() {
  settings.order = 1;
  Rows<float> rows(kFarColumns, 200, 1);
  on_cuda(rows);
  run_cuda(ConditionGradient<float>{rows.terms(false), rows.grad.data(), rows.result.data()},
           nullptr);
  return 0;
}

}  // namespace
}  // namespace emulation
}  // namespace fastgan

int main(int count, char** arguments) {
  using namespace fastgan::emulation;
  if (only_races(count, arguments)) return check_races();
  return run_driver(count, arguments, [](auto type) {
    check_all(type);
    check_far(type);
  });
}
