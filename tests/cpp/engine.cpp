// Unreal defines these; the header must not use the names.
#define check(expression) static_assert(false, "check")
#define verify(expression) static_assert(false, "verify")
#define ensure(expression) static_assert(false, "ensure")
#define TEXT(text) static_assert(false, "TEXT")
#define None 0
#define Status int

#include <simdetr/simdetr.hpp>

int main() {
  auto proposals = simdetr::proposals::create();
  if (!proposals) return 1;
  auto missing = simdetr::proposal_store::open("absent");
  if (missing.ok() || missing.failure().status() != SIMDETR_ERROR_FORMAT) return 2;
  auto view = proposals->view();
  return view.ok() && view->count == 0 ? 0 : 3;
}
