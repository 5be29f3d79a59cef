/* Detectors: made, saved, opened again, asked in every form of image; wrong files and options. */
#include "expect.h"

static const char CONFIG[] =
    "[detector]\nbackbone_depth = 18\nbackbone_width = 8\nlevels_count = 2\nhidden_size = 32\n"
    "encoder_layers_count = 1\ndecoder_layers_count = 1\nfeedforward_size = 16\nqueries_count = 7\n"
    "classes_count = 3\n[augmentation]\nimage_short_sides = [64]\nimage_long_side_max = 96\n";

/* "P6" is no format that is read; this is a BMP of 2 x 2 pixels. */
static uint8_t bitmap[70];

static simdetr_error_t error;

static void fill_bitmap(void) {
  size_t i;
  bitmap[0] = 'B', bitmap[1] = 'M', bitmap[2] = 70, bitmap[10] = 54, bitmap[14] = 40;
  bitmap[18] = 2, bitmap[22] = 2, bitmap[26] = 1, bitmap[28] = 24, bitmap[34] = 16;
  for (i = 54; i < 70; i++) bitmap[i] = (uint8_t)(i * 37);
}

static simdetr_detector_t *untrained(void) {
  simdetr_detector_options_t options;
  simdetr_detector_t *detector = NULL;
  simdetr_detector_options_init(&options, sizeof options);
  options.config = CONFIG;
  options.threads = 1;
  EXPECT_OK(simdetr_detector_create_untrained(5, &options, &detector, &error));
  return detector;
}

static simdetr_detections_t *new_detections(void) {
  simdetr_detections_t *detections = NULL;
  EXPECT_OK(simdetr_detections_create(&detections, &error));
  return detections;
}

static void same(const simdetr_detections_t *left, const simdetr_detections_t *right) {
  simdetr_detections_view_t a, b;
  a.struct_size = b.struct_size = sizeof a;
  EXPECT_OK(simdetr_detections_view(left, &a, &error));
  EXPECT_OK(simdetr_detections_view(right, &b, &error));
  EXPECT(a.count == b.count && a.count > 0 && a.images_count == b.images_count);
  EXPECT(memcmp(a.boxes, b.boxes, a.count * 16) == 0 && memcmp(a.scores, b.scores, a.count * 4) == 0);
  EXPECT(memcmp(a.classes, b.classes, a.count * 4) == 0 && memcmp(a.images, b.images, a.count * 4) == 0);
}

static void files(const simdetr_detector_t *detector) {
  static const int32_t namings[3] = {0, SIMDETR_NAMING_OFFICIAL, SIMDETR_NAMING_HUGGING_FACE};
  static uint8_t bytes[1 << 21];
  simdetr_detections_t *found = new_detections(), *again = new_detections();
  simdetr_detector_options_t options;
  simdetr_detector_t *opened = NULL, *none = NULL;
  const char *path = "image.bmp";
  FILE *file = fopen(path, "wb");
  size_t length, i;
  EXPECT(file != NULL && fwrite(bitmap, 1, sizeof bitmap, file) == sizeof bitmap && fclose(file) == 0);
  EXPECT_OK(simdetr_detector_predict_files(detector, &path, 1, NULL, NULL, found, &error));
  for (i = 0; i < 3; i++) {
    EXPECT_OK(simdetr_detector_save(detector, "detector.safetensors", namings[i], &error));
    EXPECT_OK(simdetr_detector_create("detector.safetensors", NULL, &opened, &error));
    EXPECT_OK(simdetr_detector_predict_files(opened, &path, 1, NULL, NULL, again, &error));
    same(found, again);
    simdetr_detector_destroy(opened);
  }
  file = fopen("detector.safetensors", "rb");
  EXPECT(file != NULL && (length = fread(bytes, 1, sizeof bytes, file)) > 100 && fclose(file) == 0);
  EXPECT(length < sizeof bytes);
  EXPECT_OK(simdetr_detector_create_from_memory(bytes, length, NULL, &opened, &error));
  EXPECT_OK(simdetr_detector_predict_files(opened, &path, 1, NULL, NULL, again, &error));
  same(found, again);
  simdetr_detector_destroy(opened);
  EXPECT_STATUS(SIMDETR_ERROR_FORMAT, simdetr_detector_create_from_memory(bytes, length - 1, NULL, &none, &error));
  EXPECT_STATUS(SIMDETR_ERROR_FORMAT, simdetr_detector_create_from_memory(bytes, 7, NULL, &none, &error));
  EXPECT_STATUS(SIMDETR_ERROR_IO, simdetr_detector_create("absent.safetensors", NULL, &none, &error));
  EXPECT_OK(simdetr_detector_save_backbone(detector, "backbone.safetensors", &error));
  EXPECT_STATUS(SIMDETR_ERROR_WEIGHT_NAMES, simdetr_detector_create("backbone.safetensors", NULL, &none, &error));
  EXPECT_OK(simdetr_detector_export_onnx(detector, "detector.onnx", 32, 64, &error));
  EXPECT_OK(simdetr_detector_export_onnx(detector, "detector.onnx", 0, 0, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_detector_export_onnx(detector, "big.onnx", 1U << 30, 64, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_detector_export_onnx(detector, "odd.onnx", 64, 100, &error));
  EXPECT(strstr(error.message, "100 is not a multiple of the detector's side_multiple 32") != NULL);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_detector_save(detector, "other.safetensors", 3, &error));
  EXPECT_OK(simdetr_detector_save(detector, "made/other.safetensors", 0, &error));
  EXPECT_STATUS(SIMDETR_ERROR_OUTPUT, simdetr_detector_save(detector, "made", 0, &error));
  EXPECT_STATUS(SIMDETR_ERROR_IO, simdetr_detector_save(detector, "backbone.safetensors/other.safetensors", 0, &error));

  simdetr_detector_options_init(&options, sizeof options);
  options.preset = "huge";
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_detector_create_untrained(0, &options, &none, &error));
  options.preset = NULL;
  options.config = "[detector]\nqueries = 3\n";
  EXPECT_STATUS(SIMDETR_ERROR_UNKNOWN_KEY, simdetr_detector_create_untrained(0, &options, &none, &error));
  options.config = "[detector]\nhidden_size = 33\n";
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_detector_create_untrained(0, &options, &none, &error));
  options.config = NULL;
  options.reserved = 1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_detector_create_untrained(0, &options, &none, &error));
  options.struct_size = 3;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE, simdetr_detector_create_untrained(0, &options, &none, &error));
  EXPECT(none == NULL);
  simdetr_detections_destroy(found);
  simdetr_detections_destroy(again);
}

static void descriptions(const simdetr_detector_t *detector) {
  simdetr_detector_description_t description;
  uint64_t bytes = 0;
  int64_t id = -1;
  size_t count = 0;
  char name[8] = "x";
  description.struct_size = sizeof description;
  EXPECT_OK(simdetr_detector_describe(detector, &description, &error));
  EXPECT(description.classes_count == 3 && description.queries_count == 7 && description.image_short_side == 64);
  EXPECT(description.image_long_side_max == 96 && description.side_multiple == 32 && description.reserved == 0);
  EXPECT(description.image_mean[0] > 0.4F && description.parameters_count > 1000);
  EXPECT_OK(simdetr_detector_memory_bytes(detector, &bytes, &error));
  EXPECT(bytes >= 4 * description.parameters_count);
  EXPECT_OK(simdetr_detector_category(detector, 2, &id, name, sizeof name, &count, &error));
  EXPECT(id == 2 && name[0] == 0 && count == 1);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_detector_category(detector, 3, &id, NULL, 0, &count, &error));
  description.struct_size = 8;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE, simdetr_detector_describe(detector, &description, &error));
}

static void answers(const simdetr_detections_t *found) {
  simdetr_detections_view_t view;
  float boxes[12 * 4], scores[12];
  int32_t classes[12], images[12];
  int64_t shape[2] = {12, 4};
  size_t count = 0, i;
  DLTensor tensor;
  DLManagedTensorVersioned *owned = NULL;
  DLManagedTensor *legacy = NULL;
  view.struct_size = sizeof view;
  EXPECT_OK(simdetr_detections_view(found, &view, &error));
  EXPECT(view.images_count == 2 && view.count == 10);
  EXPECT(view.image_offsets[0] == 0 && view.image_offsets[1] == 5 && view.image_offsets[2] == 10);
  EXPECT_STATUS(SIMDETR_ERROR_BUFFER_TOO_SMALL,
                simdetr_detections_copy_f32(found, boxes, scores, classes, images, 9, &count, &error));
  EXPECT(count == 10);
  EXPECT_OK(simdetr_detections_copy_f32(found, boxes, scores, classes, images, 12, &count, &error));
  for (i = 0; i < 10; i++) {
    EXPECT(boxes[4 * i] <= boxes[4 * i + 2] && boxes[4 * i] >= 0 && boxes[4 * i + 2] <= 48);
    EXPECT(scores[i] > 0 && scores[i] < 1 && classes[i] >= 0 && classes[i] < 3 && images[i] == (int32_t)(i / 5));
    EXPECT(i % 5 == 0 || scores[i] <= scores[i - 1]);
  }
  memset(&tensor, 0, sizeof tensor);
  tensor.data = boxes;
  tensor.device.device_type = kDLCPU;
  tensor.ndim = 2;
  tensor.shape = shape;
  tensor.dtype.code = kDLFloat;
  tensor.dtype.bits = 32;
  tensor.dtype.lanes = 1;
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_detections_copy_tensor(found, SIMDETR_DETECTIONS_BOXES, &tensor, &error));
  shape[0] = 10;
  boxes[0] = -1;
  EXPECT_OK(simdetr_detections_copy_tensor(found, SIMDETR_DETECTIONS_BOXES, &tensor, &error));
  EXPECT(boxes[0] == view.boxes[0]);
  EXPECT_STATUS(SIMDETR_ERROR_ELEMENT_TYPE,
                simdetr_detections_copy_tensor(found, SIMDETR_DETECTIONS_CLASSES, &tensor, &error));
  EXPECT_OK(simdetr_detections_export_tensor(found, SIMDETR_DETECTIONS_CLASSES, &owned, &error));
  EXPECT(owned->dl_tensor.ndim == 1 && owned->dl_tensor.shape[0] == 10);
  owned->deleter(owned);
  EXPECT_OK(simdetr_detections_export_tensor_legacy(found, SIMDETR_DETECTIONS_SCORES, &legacy, &error));
  EXPECT(legacy->dl_tensor.shape[0] == 10);
  legacy->deleter(legacy);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_detections_export_tensor(found, 5, &owned, &error));
}

static void images(const simdetr_detector_t *detector) {
  static uint8_t pixels[48 * 40 * 3];
  simdetr_detections_t *found = new_detections(), *again = new_detections();
  simdetr_prediction_options_t options;
  simdetr_run_options_t run;
  simdetr_cancel_token_t *token = NULL;
  simdetr_image_t image;
  const simdetr_image_t *batch[2];
  const uint8_t *encoded[2] = {bitmap, bitmap};
  size_t lengths[2] = {sizeof bitmap, 20}, i;
  int64_t shape[3] = {40, 48, 3};
  DLTensor tensor;
  for (i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 31 % 253);
  simdetr_image_init(&image, sizeof image);
  image.data = pixels;
  image.width = 48;
  image.height = 40;
  batch[0] = batch[1] = &image;
  simdetr_prediction_options_init(&options, sizeof options);
  options.detections_max = 5;
  EXPECT_OK(simdetr_detector_predict(detector, batch, 2, &options, NULL, found, &error));
  answers(found);

  memset(&tensor, 0, sizeof tensor);
  tensor.data = pixels;
  tensor.device.device_type = kDLCPU;
  tensor.ndim = 3;
  tensor.shape = shape;
  tensor.dtype.code = kDLUInt;
  tensor.dtype.bits = 8;
  tensor.dtype.lanes = 1;
  EXPECT_OK(simdetr_detector_predict(detector, batch, 1, &options, NULL, found, &error));
  EXPECT_OK(simdetr_detector_predict_tensor(detector, &tensor, &options, NULL, again, &error));
  same(found, again);
  EXPECT_OK(simdetr_detector_predict_encoded(detector, encoded, lengths, 1, &options, NULL, again, &error));
  EXPECT_STATUS(SIMDETR_ERROR_IMAGE_DECODE,
                simdetr_detector_predict_encoded(detector, encoded, lengths, 2, &options, NULL, found, &error));
  EXPECT_MESSAGE("data[1]");

  simdetr_run_options_init(&run, sizeof run);
  EXPECT_OK(simdetr_cancel_token_create(&token, &error));
  EXPECT_OK(simdetr_cancel_token_cancel(token, &error));
  run.cancel = token;
  EXPECT_STATUS(SIMDETR_ERROR_CANCELLED, simdetr_detector_predict(detector, batch, 2, &options, &run, again, &error));
  options.reading = SIMDETR_READING_OBJECTS + 1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_detector_predict(detector, batch, 2, &options, NULL, again, &error));
  options.reading = SIMDETR_READING_QUERIES;
  options.score_min = 1.5F;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_detector_predict(detector, batch, 2, &options, NULL, again, &error));
  options.score_min = 0;
  options.detections_max = 100;
  EXPECT_OK(simdetr_detector_predict(detector, batch, 1, &options, NULL, again, &error));
  {
    simdetr_detections_view_t view;
    float best;
    view.struct_size = sizeof view;
    EXPECT_OK(simdetr_detections_view(again, &view, &error));
    EXPECT(view.count == 7);
    best = view.scores[0];
    options.reading = SIMDETR_READING_OBJECTS;
    EXPECT_OK(simdetr_detector_predict(detector, batch, 1, &options, NULL, again, &error));
    EXPECT_OK(simdetr_detections_view(again, &view, &error));
    /* Of any class is more than of the best one. */
    EXPECT(view.count == 7 && view.scores[0] > best && view.scores[0] <= 1);
    EXPECT_OK(simdetr_detector_predict(detector, NULL, 0, NULL, NULL, again, &error));
    EXPECT_OK(simdetr_detections_view(again, &view, &error));
    EXPECT(view.count == 0 && view.images_count == 0);
  }
  simdetr_cancel_token_destroy(token);
  simdetr_detections_destroy(found);
  simdetr_detections_destroy(again);
}

int main(void) {
  simdetr_detector_t *detector = untrained();
  fill_bitmap();
  descriptions(detector);
  images(detector);
  files(detector);
  simdetr_detector_destroy(detector);
  return 0;
}
