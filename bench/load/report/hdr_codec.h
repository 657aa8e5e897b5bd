// A histogram as text that HdrHistogram's tools read: its compressed V2 encoding in base64. Pure.
// The published format (hdrhistogram.org, HistogramLogFormat and the V2 encoding): big-endian header of 40 bytes,
// counts as zig-zag LEB128 numbers of at most 9 bytes where a negative one is a run of empty buckets; that as a zlib
// stream behind a header of 8 bytes; all of it in base64. Our buckets are those of two significant digits from 1 up, so
// none is moved.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/load/histogram.h"

namespace millrace::load {

[[nodiscard]] std::string hdr_text(const Histogram& histogram);

/// Adds what hdr_text() wrote; an error when it is not of that form or of other buckets.
Result<void> add_hdr_text(std::string_view text, Histogram& into);

}  // namespace millrace::load
