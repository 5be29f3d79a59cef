// Unreal defines these; the header must not use the names.
#define check(expression) static_assert(false, "check")
#define verify(expression) static_assert(false, "verify")
#define ensure(expression) static_assert(false, "ensure")
#define TEXT(text) static_assert(false, "TEXT")
#define None 0
#define Status int

#include <simdetr/trainer.hpp>

// Derived from without exceptions and type information.
struct own : simdetr::host_detector {
  std::string name() const override { return "own"; }
  int start_stage(const simdetr_detector_start_t &) override { return -1; }
  int forward(const simdetr_detector_batch_t &, simdetr::predictions &) override { return -1; }
  int backward(simdetr::span<const float>, simdetr::span<const float>, std::uint32_t) override { return -1; }
  int step(simdetr_detector_update_t &) override { return -1; }
  int save(const std::string &) override { return -1; }
  int load(const std::string &) override { return -1; }
};

int main() {
  auto trainer = simdetr::trainer::create(simdetr::trainer::options(), std::make_shared<own>());
  if (!trainer || trainer->train("run", 0, "a", "b").failure().status() != SIMDETR_ERROR_INVALID_ARGUMENT) return 4;
  auto proposals = simdetr::proposals::create();
  if (!proposals) return 1;
  auto missing = simdetr::proposal_store::open("absent");
  if (missing.ok() || missing.failure().status() != SIMDETR_ERROR_FORMAT) return 2;
  auto view = proposals->view();
  return view.ok() && view->count == 0 ? 0 : 3;
}
