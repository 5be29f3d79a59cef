/* Average precision and recall from arrays and files, against figures worked out by hand. */
#include "expect.h"

static void write_file(const char *name, const char *text) {
  FILE *file = fopen(name, "w");
  EXPECT(file != NULL);
  EXPECT(fputs(text, file) >= 0);
  EXPECT(fclose(file) == 0);
}

static int close_to(double a, double b) { return a - b < 1e-12 && b - a < 1e-12; }

static simdetr_evaluator_t *new_evaluator(int32_t class_agnostic) {
  static const uint32_t maxima[2] = {1, 10};
  simdetr_error_t error;
  simdetr_evaluator_options_t options;
  simdetr_evaluator_t *evaluator = NULL;
  simdetr_evaluator_options_init(&options, sizeof options);
  options.class_agnostic = class_agnostic;
  options.threads = 1;
  options.detections_max = maxima;
  options.detections_max_count = 2;
  EXPECT_OK(simdetr_evaluator_create(&options, &evaluator, &error));
  return evaluator;
}

static void arrays(void) {
  static const int64_t images[2] = {1, 1}, categories[2] = {3, 3}, others[2] = {3, 4};
  static const float boxes[8] = {0, 0, 10, 10, 20, 20, 40, 40};
  static const float scores[2] = {0.9f, 0.8f};
  simdetr_error_t error;
  simdetr_evaluation_t found;
  simdetr_evaluator_t *aware = new_evaluator(0), *agnostic = new_evaluator(1);
  memset(&found, 0, sizeof found);
  found.struct_size = sizeof found;
  EXPECT_OK(simdetr_evaluator_evaluate_f32(aware, images, categories, boxes, NULL, NULL, 2, images, others, boxes,
                                           scores, 2, NULL, &found, &error));
  EXPECT(close_to(found.average_recall[0], 0.5) && close_to(found.average_recall[1], 0.5));
  EXPECT(found.average_recall[2] == -1 && found.objects_count == 2 && found.images_count == 1);
  EXPECT_OK(simdetr_evaluator_evaluate_f32(agnostic, images, categories, boxes, NULL, NULL, 2, images, others,
                                           boxes, scores, 2, NULL, &found, &error));
  EXPECT(close_to(found.average_precision, 1.0) && close_to(found.average_recall[1], 1.0));
  EXPECT_OK(simdetr_evaluator_evaluate_f32(agnostic, images, NULL, boxes, NULL, NULL, 2, NULL, NULL, NULL, NULL, 0,
                                           NULL, &found, &error));
  EXPECT(close_to(found.average_recall[1], 0.0));
  {
    static const float inverted[4] = {10, 0, 0, 10};
    found.average_precision = 77;
    EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                  simdetr_evaluator_evaluate_f32(aware, images, categories, inverted, NULL, NULL, 1, images, others,
                                                 boxes, scores, 2, NULL, &found, &error));
    EXPECT(found.average_precision == 77);
  }
  found.struct_size = 4;
  EXPECT_STATUS(SIMDETR_ERROR_STRUCT_SIZE,
                simdetr_evaluator_evaluate_f32(aware, images, categories, boxes, NULL, NULL, 2, images, others, boxes,
                                               scores, 2, NULL, &found, &error));
  simdetr_evaluator_destroy(aware);
  simdetr_evaluator_destroy(agnostic);
}

static void files(void) {
  simdetr_error_t error;
  simdetr_evaluation_t found;
  simdetr_evaluator_t *evaluator = new_evaluator(0);
  found.struct_size = sizeof found;
  write_file("truth.json",
             "{\"images\":[{\"id\":1,\"file_name\":\"a.jpg\",\"width\":50,\"height\":50}],"
             "\"categories\":[{\"id\":3,\"name\":\"x\"}],"
             "\"annotations\":[{\"id\":1,\"image_id\":1,\"category_id\":3,\"bbox\":[0,0,10,10],"
             "\"area\":100,\"iscrowd\":0}]}");
  write_file("results.json", "[{\"image_id\":1,\"category_id\":3,\"bbox\":[0,0,10,10],\"score\":0.5}]");
  write_file("half.json", "[{\"image_id\":1,");
  EXPECT_OK(simdetr_evaluator_evaluate_files(evaluator, "truth.json", "results.json", NULL, &found, &error));
  EXPECT(close_to(found.average_precision, 1.0) && found.detections_count == 1);
  EXPECT_STATUS(SIMDETR_ERROR_FORMAT,
                simdetr_evaluator_evaluate_files(evaluator, "truth.json", "half.json", NULL, &found, &error));
  EXPECT_MESSAGE("half.json");
  EXPECT_STATUS(SIMDETR_ERROR_IO,
                simdetr_evaluator_evaluate_files(evaluator, "absent.json", "half.json", NULL, &found, &error));
  simdetr_evaluator_destroy(evaluator);
}

int main(void) {
  simdetr_error_t error;
  uint64_t bytes = 0;
  simdetr_evaluator_t *evaluator = NULL;
  arrays();
  files();
  EXPECT_OK(simdetr_evaluator_create(NULL, &evaluator, &error));
  EXPECT_OK(simdetr_evaluator_memory_bytes(evaluator, &bytes, &error));
  EXPECT(bytes > 0);
  simdetr_evaluator_destroy(evaluator);
  return 0;
}
