// Draws ranks 1..n with P(k) proportional to k^-s, exactly, in constant time and memory, for any s >= 0 (also s = 1).
// Rejection-inversion: W. Hoermann, G. Derflinger, "Rejection-inversion to generate variates from monotone discrete
// distributions", ACM TOMACS 6(3), 1996. The hat is the integral H of x^-s; on average fewer than 1.2 draws a rank.
// Why not the formula of Gray et al. (1994) that YCSB uses: it is an approximation, needs a sum over all n and s < 1.
// Owned by one thread; pure apart from the Prng handed in.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/assert.h"
#include "bench/load/prng.h"

namespace millrace::load {

class Zipf {
 public:
  Zipf(std::uint64_t n, double s) noexcept
      : n_(static_cast<double>(n)),
        s_(s),
        h_low_(integral(1.5) - 1.0),
        h_high_(integral(n_ + 0.5)),
        sure_(2.0 - inverse(integral(2.5) - std::exp(-s * std::log(2.0)))) {
    MR_ASSERT(n > 0);
    MR_ASSERT(s >= 0);
  }

  std::uint64_t rank(Prng& prng) const noexcept {
    while (true) {
      const double u = h_high_ + prng.unit() * (h_low_ - h_high_);
      const double x = inverse(u);
      double k = std::floor(x + 0.5);
      k = k < 1.0 ? 1.0 : (k > n_ ? n_ : k);
      // Close enough to the top of the hat, or under the histogram: accepted.
      if (k - x <= sure_ || u >= integral(k + 0.5) - std::exp(-s_ * std::log(k))) {
        return static_cast<std::uint64_t>(k);
      }
    }
  }

 private:
  /// H(x) = (x^(1-s) - 1) / (1 - s), or log x at s = 1; expm1 keeps it exact around there.
  [[nodiscard]] double integral(double x) const noexcept {
    const double log_x = std::log(x);
    return expm1_over((1.0 - s_) * log_x) * log_x;
  }

  [[nodiscard]] double inverse(double h) const noexcept {
    double t = h * (1.0 - s_);
    if (t < -1.0) {
      t = -1.0;  // rounding below the end of the domain
    }
    return std::exp(log1p_over(t) * h);
  }

  /// (e^t - 1) / t, continuous at 0.
  static double expm1_over(double t) noexcept { return std::fabs(t) > 1e-8 ? std::expm1(t) / t : 1.0 + t * 0.5; }
  /// log(1 + t) / t, continuous at 0.
  static double log1p_over(double t) noexcept { return std::fabs(t) > 1e-8 ? std::log1p(t) / t : 1.0 - t * 0.5; }

  double n_;
  double s_;
  double h_low_;
  double h_high_;
  double sure_;
};

}  // namespace millrace::load
