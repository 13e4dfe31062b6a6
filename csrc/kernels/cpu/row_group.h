// Rows side by side: a column of kLanes rows is one vector, so what is summed over a row needs no
// exchange between lanes. Included once for each instruction set, after simd.h; no include guard.

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// Converts `count` numbers, one of whose types is that of the lanes; reads and writes no others.
template <class From, class To>
FASTGAN_TARGET void convert(const From* from, int64_t count, To* to) {
  constexpr int kLanes = VectorOf<From>::kLanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
  for (; i < count; ++i) to[i] = static_cast<To>(from[i]);
}

// Writes columns [first, last) of a row to lane `lane` of `columns`, which begin at column `first`.
template <class T>
FASTGAN_TARGET void load_lane(const T* row, int64_t first, int64_t last, int lane,
                              Arithmetic<T>* columns) {
  constexpr int kLanes = VectorOf<T>::kLanes;
  for (int64_t at = first; at < last; at += kBlock) {
    const int count = static_cast<int>(std::min<int64_t>(kBlock, last - at));
    Arithmetic<T>* const to = columns + (at - first) * kLanes + lane;
    if constexpr (std::is_same_v<T, Arithmetic<T> >) {
      for (int i = 0; i < count; ++i) to[i * kLanes] = row[at + i];
    } else {
      Arithmetic<T> numbers[kBlock];
      convert(row + at, count, numbers);
      for (int i = 0; i < count; ++i) to[i * kLanes] = numbers[i];
    }
  }
}

// Writes the first `count` columns of lane `lane` to a row.
template <class T>
FASTGAN_TARGET void store_lane(const Arithmetic<T>* columns, int64_t count, int lane, T* row) {
  constexpr int kLanes = VectorOf<T>::kLanes;
  for (int64_t at = 0; at < count; at += kBlock) {
    const int length = static_cast<int>(std::min<int64_t>(kBlock, count - at));
    const Arithmetic<T>* const from = columns + at * kLanes + lane;
    if constexpr (std::is_same_v<T, Arithmetic<T> >) {
      for (int i = 0; i < length; ++i) row[at + i] = from[i * kLanes];
    } else {
      Arithmetic<T> numbers[kBlock];
      for (int i = 0; i < length; ++i) numbers[i] = from[i * kLanes];
      convert(numbers, length, row + at);
    }
  }
}

#ifdef __SSE__

// Four rows of floats at once, in squares of four columns, which registers transpose. A load and a
// store for each number take twice as long.
FASTGAN_TARGET inline void load_four(const float* rows, int64_t width, float* columns) {
  constexpr int kLanes = Floats::kLanes;
  int64_t at = 0;
  for (; at + 4 <= width; at += 4) {
    __m128 a = _mm_loadu_ps(rows + at), b = _mm_loadu_ps(rows + width + at);
    __m128 c = _mm_loadu_ps(rows + 2 * width + at), d = _mm_loadu_ps(rows + 3 * width + at);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(columns + at * kLanes, a);
    _mm_storeu_ps(columns + (at + 1) * kLanes, b);
    _mm_storeu_ps(columns + (at + 2) * kLanes, c);
    _mm_storeu_ps(columns + (at + 3) * kLanes, d);
  }
  for (; at < width; ++at) {
    for (int row = 0; row < 4; ++row) columns[at * kLanes + row] = rows[row * width + at];
  }
}

FASTGAN_TARGET inline void store_four(const float* columns, int64_t width, float* rows) {
  constexpr int kLanes = Floats::kLanes;
  int64_t at = 0;
  for (; at + 4 <= width; at += 4) {
    __m128 a = _mm_loadu_ps(columns + at * kLanes), b = _mm_loadu_ps(columns + (at + 1) * kLanes);
    __m128 c = _mm_loadu_ps(columns + (at + 2) * kLanes);
    __m128 d = _mm_loadu_ps(columns + (at + 3) * kLanes);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(rows + at, a);
    _mm_storeu_ps(rows + width + at, b);
    _mm_storeu_ps(rows + 2 * width + at, c);
    _mm_storeu_ps(rows + 3 * width + at, d);
  }
  for (; at < width; ++at) {
    for (int row = 0; row < 4; ++row) rows[row * width + at] = columns[at * kLanes + row];
  }
}

#endif

// Writes `count` rows to the lanes of `columns`, from the first one on.
template <class T>
FASTGAN_TARGET void load_rows(const T* rows, int64_t width, int count, Arithmetic<T>* columns) {
  int lane = 0;
#ifdef __SSE__
  if constexpr (std::is_same_v<T, float>) {
    for (; lane + 4 <= count; lane += 4) load_four(rows + lane * width, width, columns + lane);
  }
#endif
  for (; lane < count; ++lane) load_lane(rows + lane * width, 0, width, lane, columns);
}

// And back.
template <class T>
FASTGAN_TARGET void store_rows(const Arithmetic<T>* columns, int64_t width, int count, T* rows) {
  int lane = 0;
#ifdef __SSE__
  if constexpr (std::is_same_v<T, float>) {
    for (; lane + 4 <= count; lane += 4) store_four(columns + lane, width, rows + lane * width);
  }
#endif
  for (; lane < count; ++lane) store_lane(columns, width, lane, rows + lane * width);
}

// The largest number of each lane in `count` columns. NaN may or may not be among the results: it
// comes back where it is subtracted from.
template <class V>
FASTGAN_MATH V largest(const typename V::Scalar* columns, int64_t count) {
  V most = load(columns);
  for (int64_t c = 1; c < count; ++c) {
    const V x = load(columns + c * V::kLanes);
    most = select(greater(x, most), x, most);
  }
  return most;
}

// Replaces x by exp(x - most) in `count` columns; returns their sum.
template <class V>
FASTGAN_MATH V exponentials(typename V::Scalar* columns, int64_t count, V most) {
  V sum = broadcast<V>(0);
  for (int64_t c = 0; c < count; ++c) {
    typename V::Scalar* const at = columns + c * V::kLanes;
    const V e = exp_nonpositive(load(at) - most).value;
    sum = sum + e;
    store(at, e);
  }
  return sum;
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan
