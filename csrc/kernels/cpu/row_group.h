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
