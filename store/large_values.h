// The values of several chunks that are in the index, in the order in which they came: whose turn it is when large
// values may only take each other's place.
//
// Thread: the partition's owner. Ownership: the links lie in the heads of the items (item.h), the ends here.
// Invariant: exactly the chained items that the index knows are in the list.
#pragma once

#include "store/item.h"
#include "store/page_pool.h"

namespace millrace::store {

class LargeValues {
 public:
  void enter(Item& item, const PagePool& pages) noexcept {
    const ItemRef ref = pages.ref_of(&item);
    item.set_large_links(newest_, ItemRef{});
    if (newest_ != ItemRef{}) {
      at(newest_, pages).set_newer_large(ref);
    } else {
      oldest_ = ref;
    }
    newest_ = ref;
  }
  void leave(const Item& item, const PagePool& pages) noexcept {
    const ItemRef older = item.older_large();
    const ItemRef newer = item.newer_large();
    if (older != ItemRef{}) {
      at(older, pages).set_newer_large(newer);
    } else {
      oldest_ = newer;
    }
    if (newer != ItemRef{}) {
      at(newer, pages).set_older_large(older);
    } else {
      newest_ = older;
    }
  }
  [[nodiscard]] ItemRef oldest() const noexcept { return oldest_; }

 private:
  static Item& at(ItemRef ref, const PagePool& pages) noexcept { return *reinterpret_cast<Item*>(pages.at(ref)); }

  ItemRef oldest_{};
  ItemRef newest_{};
};

}  // namespace millrace::store
