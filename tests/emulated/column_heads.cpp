#include "kernels/column_heads.h"

#include "columns.h"

// Row column_heads: the CUDA kernels against the CPU kernels, with the same params.

namespace fastgan {
namespace emulation {
namespace {

// The second grid has fewer blocks than there is work for, the last one more.
constexpr Grid kGrids[] = {kWholeGrid, {2, 0, false}, {kMostBlocksOfCuda, 3, true}};

// Numbers that meet in a segment. A larger one would be rounded so much that noise of the C
// library's logarithms differs from that of the vectors'.
const std::vector<double> kSpecials{0.0, -0.0, 20.0, -20.0, INFINITY, -INFINITY, std::nan("")};

template <class T>
struct Rows {
  Layout layout;
  int64_t rows, first;
  Buffer<T> x, y, grad, result, y_reference, result_reference;
  RandomState random;
  int64_t captured[2];

  // Rows before `first` have no memory.
  Rows(const Columns& columns, int64_t rows, int64_t shift, int64_t first = 0)
      : layout(columns),
        rows(rows),
        first(first),
        x(rows * layout.width(), shift, first * layout.width()),
        y(rows * layout.width(), shift, first * layout.width()),
        grad(rows * layout.width(), shift, first * layout.width()),
        result(rows * layout.width(), shift, first * layout.width()),
        y_reference(rows * layout.width(), 0, first * layout.width()),
        result_reference(rows * layout.width(), 0, first * layout.width()) {
    fill_uniform(x, -6.0, 6.0);
    fill_uniform(grad, -2.0, 2.0);
    random.seed = 0x123456789ABCDEF;
    random.offset = 0x1122334455;
  }

  // As while a graph is captured: the same key, from memory.
  void capture() {
    captured[0] = static_cast<int64_t>(random.seed);
    captured[1] = static_cast<int64_t>((random.offset - 3) * kTorchWordsPerCounter);
    random = {0, 0, captured, captured + 1, 3 * kTorchWordsPerCounter};
  }

  ColumnHeadsForward<T> forward(bool reference, double tau) {
    return {x.data(),
            (reference ? y_reference : y).data(),
            rows,
            layout.layout(),
            Arithmetic<T>(1 / tau),
            random};
  }

  // Both from the CPU's result, so that only the backward is compared.
  ColumnHeadsBackward<T> backward(bool reference, double tau) {
    return {grad.data(), y_reference.data(), (reference ? result_reference : result).data(),
            rows,        layout.layout(),    Arithmetic<T>(1 / tau)};
  }
};

// Logits of up to 30 / tau are rounded a few times, and so are the backward's sums.
template <class T>
constexpr double slack_of(double tau) {
  return 100 * epsilon_of<T>() / tau;
}

template <class T>
void check(Rows<T>& rows, double tau, int64_t forward_block = 0, int64_t backward_block = 0) {
  run_cpu(rows.forward(true, tau), rows.first, rows.rows);
  run_cpu(rows.backward(true, tau), rows.first, rows.rows);
  settings.first_block = forward_block;
  run_cuda(rows.forward(false, tau), nullptr);
  settings.first_block = backward_block;
  run_cuda(rows.backward(false, tau), nullptr);
  settings.first_block = 0;
  expect_close("y", rows.y, rows.y_reference, slack_of<T>(tau));
  expect_close("grad_input", rows.result, rows.result_reference, slack_of<T>(tau));
  ++cases;
}

template <class T>
void check_all(T) {
  for (const Grid& grid : kGrids) {
    const std::string of_grid = grid.use();
    for (const Columns& columns : all_columns()) {
      for (const int64_t count : kRows) {
        if (grid.few_sizes && count != 33) continue;
        const int64_t shift = count % 2;
        current_case = std::string(name_of<T>()) + ", " + std::to_string(count) + " rows of " +
                       columns.name() + ", shifted by " + std::to_string(shift) + ", " + of_grid;
        Rows<T> rows(columns, count, shift);
        if (count == 33) rows.capture();
        check(rows, 1.0);
        if (count == 33) check(rows, 0.25);
        sprinkle(rows.x, kSpecials);
        check(rows, 1.0);
      }
    }
  }
  kWholeGrid.use();
}

template <class T>
void check_far(T) {
  current_case = std::string(name_of<T>()) + ", rows above 2^32";
  Rows<T> rows(kFarColumns, kFarRows, 1, kFarRow);
  constexpr int64_t kLanesOfRow = 3 * 4;  // two segments and a task of scalars, in teams of four
  const int64_t block = kFarRow * kLanesOfRow / kThreadsOfBlock;
  check(rows, 1.0, block, block);
}

}  // namespace
}  // namespace emulation
}  // namespace fastgan

int main(int count, char** arguments) {
  using namespace fastgan::emulation;
  return run_driver(count, arguments, [](auto type) {
    check_all(type);
    check_far(type);
  });
}
