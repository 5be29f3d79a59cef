// A folder of photographs in; a COCO data set without labels and one picture to look at out.
#include <simdetr/simdetr.hpp>

#include <cstdio>
#include <string>

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s PHOTOS OUT\n", argv[0]);
    return 2;
  }
  const std::string photos = argv[1], out = argv[2];
  try {
    simdetr::check_abi().value();
    auto encoder = simdetr::encoder::create().value();
    auto extractor = simdetr::extractor::create(encoder, simdetr::extractor::options()).value();
    auto report = extractor.extract_folder(photos, out + "/proposals").value();
    auto store = simdetr::proposal_store::open(out + "/proposals").value();
    auto clusterer = simdetr::clusterer::create(4).value();
    clusterer.fit(store).value();
    store.export_coco(clusterer, out + "/T0.json").value();
    store.overlay(0, photos, clusterer, out + "/overlay.png").value();
    std::printf("%llu images, %llu boxes\n", static_cast<unsigned long long>(report.images_count),
                static_cast<unsigned long long>(report.proposals_count));
  } catch (const simdetr::error &failure) {
    std::fprintf(stderr, "%s: %s\n", failure.name(), failure.message());
    return 1;
  }
}
