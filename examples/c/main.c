/* A folder of photographs in; a COCO data set without labels and one picture to look at out.
 *
 *   cc main.c $(pkg-config --cflags --libs simdetr) -o dataset && ./dataset PHOTOS OUT
 */
#include <simdetr.h>
#include <stdio.h>

static int failed(const char *step, const simdetr_error_t *error) {
  fprintf(stderr, "%s: %s: %s\n", step, simdetr_status_name(error->status), error->message);
  return 1;
}

int main(int argc, char **argv) {
  char store_path[1024], truth_path[1024], picture_path[1024];
  simdetr_error_t error;
  simdetr_encoder_t *encoder = NULL;
  simdetr_extractor_t *extractor = NULL;
  simdetr_proposal_store_t *store = NULL;
  simdetr_clusterer_t *clusterer = NULL;
  simdetr_clusterer_options_t options;
  simdetr_folder_report_t report;
  int status = 1;

  if (argc != 3) {
    fprintf(stderr, "usage: %s PHOTOS OUT\n", argv[0]);
    return 2;
  }
  snprintf(store_path, sizeof store_path, "%s/proposals", argv[2]);
  snprintf(truth_path, sizeof truth_path, "%s/T0.json", argv[2]);
  snprintf(picture_path, sizeof picture_path, "%s/overlay.png", argv[2]);
  simdetr_clusterer_options_init(&options, sizeof options);
  options.classes = 4;
  report.struct_size = sizeof report;

  if (simdetr_encoder_create(NULL, &encoder, &error) != SIMDETR_OK ||
      simdetr_extractor_create(encoder, NULL, &extractor, &error) != SIMDETR_OK) {
    failed("encoder", &error);
  } else if (simdetr_extractor_extract_folder(extractor, argv[1], store_path, NULL, 0, NULL, &report,
                                              &error) != SIMDETR_OK ||
             simdetr_proposal_store_open(store_path, &store, &error) != SIMDETR_OK) {
    failed("proposals", &error);
  } else if (simdetr_clusterer_create(&options, &clusterer, &error) != SIMDETR_OK ||
             simdetr_clusterer_fit_store(clusterer, store, NULL, NULL, &error) != SIMDETR_OK) {
    failed("pseudo-classes", &error);
  } else if (simdetr_proposal_store_export_coco(store, clusterer, truth_path, NULL, &error) != SIMDETR_OK ||
             simdetr_proposal_store_overlay(store, 0, argv[1], clusterer, picture_path, &error) != SIMDETR_OK) {
    failed("export", &error);
  } else {
    printf("%llu images, %llu boxes\n", (unsigned long long)report.images_count,
           (unsigned long long)report.proposals_count);
    status = 0;
  }
  simdetr_clusterer_destroy(clusterer);
  simdetr_proposal_store_destroy(store);
  simdetr_extractor_destroy(extractor);
  simdetr_encoder_destroy(encoder);
  return status;
}
