// Included by simd.h once for each instruction set that has Words (words_*.h); no include guard.

#include "math/column_noise.h"
#include "math/octet.h"

namespace fastgan {
namespace FASTGAN_ISA_NAMESPACE {

// The words of 16 Philox blocks.
struct Draws {
  Words word[4];
};

// draw_octet() of math/octet.h for 16 indices that share their upper half: the Philox rounds of 16
// counters at once. The counters differ only in word 2, so the first two rounds, which are written
// out, compute in scalars what is the same for all 16.
FASTGAN_MATH Draws draw_block(RandomKey random, Words low, uint32_t high) {
  static_assert(kPhiloxRounds >= 2);
  PhiloxKey key = philox_key(random);
  const uint64_t shared0 = uint64_t{kPhiloxMultiplier0} * static_cast<uint32_t>(random.offset);
  const Product counter = multiply(low, kPhiloxMultiplier1);
  const uint32_t shared2 = static_cast<uint32_t>(shared0 >> 32) ^ high ^ key.word[1];
  Words word0 = exclusive_or(counter.high,
                             same_words(static_cast<uint32_t>(random.offset >> 32) ^ key.word[0]));
  Words word1 = counter.low;
  key = next_key(key);

  const uint64_t shared1 = uint64_t{kPhiloxMultiplier1} * shared2;
  const Product second = multiply(word0, kPhiloxMultiplier0);
  word0 = exclusive_or(word1, same_words(static_cast<uint32_t>(shared1 >> 32) ^ key.word[0]));
  word1 = same_words(static_cast<uint32_t>(shared1));
  Words word2 = exclusive_or(second.high, same_words(static_cast<uint32_t>(shared0) ^ key.word[1]));
  Words word3 = second.low;
  key = next_key(key);

  for (int round = 2; round < kPhiloxRounds; ++round) {
    const Product product0 = multiply(word0, kPhiloxMultiplier0);
    const Product product1 = multiply(word2, kPhiloxMultiplier1);
    word0 = exclusive_or(product1.high, word1, key.word[0]);
    word2 = exclusive_or(product0.high, word3, key.word[1]);
    word1 = product1.low;
    word3 = product0.low;
    key = next_key(key);
  }
  return {{word0, word1, word2, word3}};
}

// keep_octet() of math/octet.h for octets first .. first + 15, `first` a multiple of 16: adding 0
// .. 15 to such a `first` carries nothing into its upper half.
FASTGAN_MATH void keep_block(RandomKey random, int64_t first, uint32_t threshold, uint8_t* keep) {
  if (threshold >= kThresholdOne) {
    std::memset(keep, 0, kBlockOctets);
    return;
  }
  const Draws draws = draw_block(random, counters_from(static_cast<uint32_t>(first)),
                                 static_cast<uint32_t>(static_cast<uint64_t>(first) >> 32));
  store_decisions(draws.word[0], draws.word[1], draws.word[2], draws.word[3], threshold, keep);
}

// draw_entries() of math/column_noise.h for rows first .. first + 15, `first` a multiple of 8: word
// k of row first + i goes to words[16 k + i]. Where `first` is no multiple of 16, only the first 8
// rows are right.
FASTGAN_MATH void draw_rows(RandomKey random, int64_t first, int64_t block, uint32_t* words) {
  const Draws draws =
      draw_block(random, consecutive_from(static_cast<uint32_t>(first)), upper_index(first, block));
  for (int k = 0; k < kBlockEntries; ++k) store_words(words + k * kBlockOctets, draws.word[k]);
}

}  // namespace FASTGAN_ISA_NAMESPACE
}  // namespace fastgan
