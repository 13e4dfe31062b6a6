#pragma once

#include <cstdint>

#include "macros.h"

namespace fastgan {

// Maps the elements of a dense tensor, in memory order, to the entries n * channels + c of a table
// with one entry for each (sample, channel): element e belongs to channel c = (e / channel_stride)
// % channels and sample n = (e / sample_stride) % samples. This holds for every dense layout. A
// table with one entry for each channel has samples = 1.
struct Channels {
  int64_t channel_stride = 1;
  int64_t channels = 1;
  int64_t sample_stride = 1;
  int64_t samples = 1;
};

// Walks over consecutive elements and their entries. Only the constructor divides.
struct ChannelWalk {
  Channels table;
  int64_t channel, channel_left;  // _left: elements until the channel changes, this one included
  int64_t sample, sample_left;

  FASTGAN_HD ChannelWalk(const Channels& channels, int64_t element) : table(channels) {
    const int64_t channel_step = element / table.channel_stride;
    const int64_t sample_step = element / table.sample_stride;
    channel = channel_step % table.channels;
    channel_left = table.channel_stride - (element - channel_step * table.channel_stride);
    sample = sample_step % table.samples;
    sample_left = table.sample_stride - (element - sample_step * table.sample_stride);
  }

  FASTGAN_HD int64_t entry() const { return sample * table.channels + channel; }

  // The number of elements, from this one on, that share its entry.
  FASTGAN_HD int64_t run() const { return channel_left < sample_left ? channel_left : sample_left; }

  // `elements` is at most run().
  FASTGAN_HD void advance(int64_t elements) {
    channel_left -= elements;
    sample_left -= elements;
    if (channel_left == 0) {
      channel_left = table.channel_stride;
      channel = channel + 1 == table.channels ? 0 : channel + 1;
    }
    if (sample_left == 0) next_sample();
  }

  // With channel_stride 1: the number of elements, from this one on, whose entries are consecutive.
  FASTGAN_HD int64_t consecutive_entries() const {
    const int64_t channels = table.channels - channel;
    return channels < sample_left ? channels : sample_left;
  }

  // `elements` is at most consecutive_entries().
  FASTGAN_HD void advance_consecutive(int64_t elements) {
    channel = channel + elements == table.channels ? 0 : channel + elements;
    sample_left -= elements;
    if (sample_left == 0) next_sample();
  }

 private:
  FASTGAN_HD void next_sample() {
    sample_left = table.sample_stride;
    sample = sample + 1 == table.samples ? 0 : sample + 1;
  }
};

}  // namespace fastgan
