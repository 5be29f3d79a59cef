#include <simdetr/simdetr.hpp>

#include <span>

simdetr::span<const float> tail(simdetr::span<const float> values);
simdetr::span<const float> tail(simdetr::span<const float> values) {
  std::span<const float> view(values.data(), values.size());
  std::span<const float> rest = view.subspan(1);
  return {rest.data(), rest.size()};
}
