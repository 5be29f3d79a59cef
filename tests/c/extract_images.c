/* Images through an encoder of the host: pixels, tensors, batches and folders agree; the
 * callback's answers, cancelling before and during a call, and broken files come out right. */
#include <sys/stat.h>

#include "bitmap.h"

enum { WIDTH = 96, HEIGHT = 64, CHANNELS = 8 };

static uint8_t pixels[WIDTH * HEIGHT * 3];

typedef struct {
  int calls, ended, answer;
} host_t;

/* Each map's cell is the mean colour of its pixels, and where it lies. */
static int32_t encode(void *user_data, const simdetr_image_t *image, const simdetr_map_t *maps, size_t maps_count) {
  host_t *host = (host_t *)user_data;
  size_t map, y, x, c;
  host->calls++;
  EXPECT(maps_count == 2 && image->pixel_format == SIMDETR_PIXEL_RGB8);
  EXPECT(image->struct_size == sizeof *image);
  for (map = 0; map < maps_count; map++) {
    size_t side = map == 0 ? 32 : 16;
    EXPECT(maps[map].channels == CHANNELS && maps[map].height * side == image->height);
    EXPECT(maps[map].width * side == image->width);
    for (y = 0; y < maps[map].height; y++) {
      for (x = 0; x < maps[map].width; x++) {
        const uint8_t *pixel = image->data + (y * side + side / 2) * (size_t)image->row_stride_bytes + (x * side + side / 2) * 3;
        float *cell = maps[map].values + (y * maps[map].width + x) * CHANNELS;
        for (c = 0; c < CHANNELS; c++) cell[c] = (float)pixel[c % 3] / 255.0f + 0.01f * (float)((x * 3 + y * 5 + c) % 7);
      }
    }
  }
  return host->answer;
}

static void end(void *user_data) { ((host_t *)user_data)->ended++; }

static simdetr_encoder_t *new_encoder(host_t *host) {
  static const size_t channels[2] = {CHANNELS, CHANNELS}, strides[2] = {32, 16};
  simdetr_error_t error;
  simdetr_encoder_callback_t callback;
  simdetr_encoder_t *encoder = NULL;
  simdetr_encoder_callback_init(&callback, sizeof callback);
  callback.name = "colours";
  callback.encode = encode;
  callback.user_data = host;
  callback.user_data_destroy = end;
  callback.channels = channels;
  callback.strides = strides;
  callback.maps_count = 2;
  EXPECT_OK(simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  return encoder;
}

static simdetr_extractor_t *new_extractor(host_t *host, uint32_t threads) {
  simdetr_error_t error;
  simdetr_extractor_options_t options;
  simdetr_extractor_t *extractor = NULL;
  simdetr_encoder_t *encoder = new_encoder(host);
  simdetr_extractor_options_init(&options, sizeof options);
  options.threads = threads;
  options.image_short_side = 96;
  options.image_long_side_max = 160;
  EXPECT_OK(simdetr_extractor_create(encoder, &options, &extractor, &error));
  simdetr_encoder_destroy(encoder);
  return extractor;
}

static simdetr_image_t image_of(const uint8_t *data) {
  simdetr_image_t image;
  simdetr_image_init(&image, sizeof image);
  image.data = data;
  image.width = WIDTH;
  image.height = HEIGHT;
  return image;
}

static void same(const simdetr_proposals_t *first, const simdetr_proposals_t *second) {
  simdetr_error_t error;
  simdetr_proposals_view_t a, b;
  a.struct_size = b.struct_size = sizeof a;
  EXPECT_OK(simdetr_proposals_view(first, &a, &error));
  EXPECT_OK(simdetr_proposals_view(second, &b, &error));
  EXPECT(a.count > 0 && a.count == b.count);
  EXPECT(memcmp(a.boxes, b.boxes, a.count * 16) == 0);
  EXPECT(memcmp(a.vectors, b.vectors, a.count * a.dimensions * 4) == 0);
}

static void forms_agree(void) {
  host_t host = {0, 0, 0};
  simdetr_error_t error;
  simdetr_extractor_t *extractor = new_extractor(&host, 2);
  simdetr_proposals_t *sets[4];
  simdetr_image_t image = image_of(pixels);
  const simdetr_image_t *images[2];
  static uint8_t planar[sizeof pixels], file[BITMAP_HEADER + sizeof pixels];
  int64_t interleaved_shape[3] = {HEIGHT, WIDTH, 3}, planar_shape[4] = {1, 3, HEIGHT, WIDTH};
  DLTensor tensor;
  size_t length, i;
  for (i = 0; i < 4; i++) EXPECT_OK(simdetr_proposals_create(&sets[i], &error));
  EXPECT_OK(simdetr_extractor_extract_image(extractor, &image, 1, NULL, sets[0], &error));
  length = encode_bitmap(pixels, WIDTH, HEIGHT, file);
  EXPECT_OK(simdetr_extractor_extract_encoded(extractor, file, length, 1, NULL, sets[1], &error));
  same(sets[0], sets[1]);
  EXPECT_STATUS(SIMDETR_ERROR_IMAGE_DECODE,
                simdetr_extractor_extract_encoded(extractor, file, length / 2, 1, NULL, sets[1], &error));
  EXPECT_STATUS(SIMDETR_ERROR_IMAGE_DECODE,
                simdetr_extractor_extract_encoded(extractor, NULL, 0, 1, NULL, sets[1], &error));
  same(sets[0], sets[1]);
  memset(&tensor, 0, sizeof tensor);
  tensor.data = pixels;
  tensor.device.device_type = kDLCPU;
  tensor.ndim = 3;
  tensor.dtype.code = 1; /* kDLUInt */
  tensor.dtype.bits = 8;
  tensor.dtype.lanes = 1;
  tensor.shape = interleaved_shape;
  EXPECT_OK(simdetr_extractor_extract_tensor(extractor, &tensor, 1, NULL, sets[1], &error));
  same(sets[0], sets[1]);
  for (i = 0; i < WIDTH * HEIGHT * 3; i++) planar[i % 3 * WIDTH * HEIGHT + i / 3] = pixels[i];
  tensor.data = planar;
  tensor.ndim = 4;
  tensor.shape = planar_shape;
  EXPECT_OK(simdetr_extractor_extract_tensor(extractor, &tensor, 1, NULL, sets[1], &error));
  same(sets[0], sets[1]);
  images[0] = images[1] = &image;
  EXPECT_OK(simdetr_extractor_extract_batch(extractor, images, 2, 1, NULL, &sets[2], &error));
  same(sets[0], sets[2]);
  {
    simdetr_proposals_t *twice[2];
    twice[0] = twice[1] = sets[2];
    EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                  simdetr_extractor_extract_batch(extractor, images, 2, 1, NULL, twice, &error));
  }
  image.width = 0;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_extractor_extract_image(extractor, &image, 1, NULL, sets[2], &error));
  image = image_of(pixels);
  image.pixel_format = 77;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_extractor_extract_image(extractor, &image, 1, NULL, sets[2], &error));
  for (i = 0; i < 4; i++) simdetr_proposals_destroy(sets[i]);
  simdetr_extractor_destroy(extractor);
  EXPECT(host.calls > 0 && host.ended == 1);
}

/* The second method looks at the image itself: it cannot start from maps. */
static void selective_search(void) {
  host_t host = {0, 0, 0};
  simdetr_error_t error;
  simdetr_extractor_options_t options;
  simdetr_selective_search_options_t keys;
  simdetr_extractor_t *extractor = NULL;
  simdetr_encoder_t *encoder = new_encoder(&host);
  simdetr_proposals_t *proposals = NULL;
  simdetr_proposals_view_t view;
  simdetr_image_t image = image_of(pixels);
  simdetr_image_geometry_t geometry;
  static const size_t shape[3] = {2, 3, CHANNELS}, stride[1] = {32};
  static float values[2 * 3 * CHANNELS];
  simdetr_selective_search_options_init(&keys, sizeof keys);
  keys.selective_search_boxes = 3;
  simdetr_extractor_options_init(&options, sizeof options);
  options.threads = 1;
  options.method = SIMDETR_METHOD_SELECTIVE_SEARCH;
  options.selective_search = &keys;
  EXPECT_OK(simdetr_extractor_create(encoder, &options, &extractor, &error));
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  EXPECT_OK(simdetr_extractor_extract_image(extractor, &image, 1, NULL, proposals, &error));
  view.struct_size = sizeof view;
  EXPECT_OK(simdetr_proposals_view(proposals, &view, &error));
  EXPECT(view.count > 0 && view.count <= 3);
  simdetr_image_geometry_init(&geometry, sizeof geometry);
  geometry.original_width = 96;
  geometry.original_height = 64;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_extractor_extract_maps_f32(extractor, values, sizeof values / sizeof values[0], shape, stride, 1,
                                                   &geometry, NULL, proposals, &error));
  EXPECT_MESSAGE("needs an image");
  simdetr_proposals_destroy(proposals);
  simdetr_extractor_destroy(extractor);
  extractor = NULL;
  keys.selective_search_side = 8;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_extractor_create(encoder, &options, &extractor, &error));
  EXPECT_MESSAGE("selective_search_side");
  options.method = 3;
  options.selective_search = NULL;
  EXPECT_STATUS(SIMDETR_ERROR_CONFIG_VALUE, simdetr_extractor_create(encoder, &options, &extractor, &error));
  EXPECT(extractor == NULL);
  simdetr_encoder_destroy(encoder);
}

static void callbacks(void) {
  host_t host = {0, 0, -77};
  simdetr_error_t error;
  simdetr_extractor_t *extractor = new_extractor(&host, 1);
  simdetr_proposals_t *proposals = NULL;
  simdetr_image_t image = image_of(pixels);
  simdetr_encoder_callback_t callback;
  simdetr_encoder_t *encoder = NULL;
  simdetr_map_description_t maps[2];
  size_t count = 0;
  uint64_t bytes = 99;
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  EXPECT_STATUS(-77, simdetr_extractor_extract_image(extractor, &image, 1, NULL, proposals, &error));
  EXPECT(strcmp(simdetr_status_name(-77), "host") == 0);
  host.answer = 3;
  EXPECT_STATUS(SIMDETR_ERROR_HOST_CALLBACK,
                simdetr_extractor_extract_image(extractor, &image, 1, NULL, proposals, &error));
  simdetr_extractor_destroy(extractor);
  EXPECT(host.ended == 1);
  /* A callback without maps: the data is ended all the same. */
  simdetr_encoder_callback_init(&callback, sizeof callback);
  callback.name = "none";
  callback.encode = encode;
  callback.user_data = &host;
  callback.user_data_destroy = end;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  EXPECT(encoder == NULL && host.ended == 2);
  encoder = new_encoder(&host);
  EXPECT_OK(simdetr_encoder_maps(encoder, NULL, 0, &count, &error));
  EXPECT(count == 2);
  EXPECT_STATUS(SIMDETR_ERROR_BUFFER_TOO_SMALL, simdetr_encoder_maps(encoder, maps, 1, &count, &error));
  EXPECT_OK(simdetr_encoder_maps(encoder, maps, 2, &count, &error));
  EXPECT(maps[0].stride == 32 && maps[1].stride == 16 && maps[0].channels == CHANNELS && maps[0].name[0] != 0);
  EXPECT_OK(simdetr_encoder_memory_bytes(encoder, &bytes, &error));
  simdetr_encoder_destroy(encoder);
  simdetr_proposals_destroy(proposals);
}

typedef struct {
  const simdetr_cancel_token_t *token;
  int calls;
} watch_t;

static int32_t watch(void *user_data, const char *step, uint64_t done, uint64_t total) {
  watch_t *watch = (watch_t *)user_data;
  EXPECT((strcmp(step, "check") == 0 || strcmp(step, "extract") == 0) && done <= total);
  watch->calls++;
  if (strcmp(step, "extract") == 0 && done > 2) EXPECT(simdetr_cancel_token_cancel(watch->token, NULL) == SIMDETR_OK);
  return 0;
}

static void write_bytes(const char *path, const uint8_t *data, size_t length) {
  FILE *file = fopen(path, "wb");
  EXPECT(file != NULL && fwrite(data, 1, length, file) == length && fclose(file) == 0);
}

static void folders(void) {
  host_t host = {0, 0, 0};
  static uint8_t file[BITMAP_HEADER + sizeof pixels];
  simdetr_error_t error;
  simdetr_extractor_t *extractor = new_extractor(&host, 1);
  simdetr_cancel_token_t *token = NULL;
  simdetr_run_options_t run;
  simdetr_folder_report_t report;
  simdetr_proposal_store_options_t options;
  watch_t seen = {NULL, 0};
  size_t length = encode_bitmap(pixels, WIDTH, HEIGHT, file);
  char name[32];
  int i;
  EXPECT(mkdir("images", 0755) == 0 && mkdir("empty", 0755) == 0);
  write_bytes("images/phone.heic", file, 0);
  write_bytes("images/.hidden.bmp", file, 0);
  for (i = 0; i < 10; i++) {
    sprintf(name, "images/%02d.bmp", i);
    write_bytes(name, file, i == 5 ? length / 2 : length);
  }
  report.struct_size = sizeof report;
  simdetr_proposal_store_options_init(&options, sizeof options);
  options.shard_images = 2;
  EXPECT_STATUS(SIMDETR_ERROR_NO_IMAGES, simdetr_extractor_extract_folder(extractor, "empty", "store", &options, 0,
                                                                         NULL, &report, &error));
  EXPECT_STATUS(SIMDETR_ERROR_IO, simdetr_extractor_extract_folder(extractor, "absent", "store", &options, 0, NULL,
                                                                  &report, &error));
  EXPECT_STATUS(SIMDETR_ERROR_LEFT_OUT, simdetr_extractor_extract_folder(extractor, "images", "strict", &options, 1,
                                                                        NULL, &report, &error));
  EXPECT_MESSAGE(".hidden.bmp");
  EXPECT(remove("images/.hidden.bmp") == 0);
  EXPECT_STATUS(SIMDETR_ERROR_UNSUPPORTED_IMAGE, simdetr_extractor_extract_folder(extractor, "images", "strict",
                                                                                 &options, 1, NULL, &report, &error));
  EXPECT_MESSAGE("HEIC");
  EXPECT(remove("images/phone.heic") == 0);
  EXPECT_STATUS(SIMDETR_ERROR_IMAGE_DECODE, simdetr_extractor_extract_folder(extractor, "images", "strict", &options,
                                                                            1, NULL, &report, &error));
  EXPECT_MESSAGE("05.bmp");
  write_bytes("images/phone.heic", file, 0);
  /* Cancelled during the call, then gone on with. */
  EXPECT_OK(simdetr_cancel_token_create(&token, &error));
  seen.token = token;
  simdetr_run_options_init(&run, sizeof run);
  run.cancel = token;
  run.progress = watch;
  run.progress_user_data = &seen;
  report.images_count = 77;
  EXPECT_STATUS(SIMDETR_ERROR_CANCELLED, simdetr_extractor_extract_folder(extractor, "images", "store", &options, 0,
                                                                         &run, &report, &error));
  EXPECT(seen.calls > 0 && report.images_count == 77);
  simdetr_cancel_token_destroy(token);
  EXPECT_OK(simdetr_extractor_extract_folder(extractor, "images", "store", &options, 0, NULL, &report, &error));
  EXPECT(report.images_count == 10 && report.images_resumed >= 2 && report.images_resumed < 10);
  EXPECT(report.images_broken <= 1 && report.proposals_count > 0);
  EXPECT(report.files_hidden == 0 && report.files_unreadable_name == 0 && report.files_unsupported_format == 1);
  options.shard_images = 4;
  EXPECT_STATUS(SIMDETR_ERROR_RUN_MISMATCH, simdetr_extractor_extract_folder(extractor, "images", "store", &options,
                                                                            0, NULL, &report, &error));
  simdetr_extractor_destroy(extractor);
}

static void maps_only(void) {
  simdetr_error_t error;
  simdetr_extractor_t *extractor = NULL;
  simdetr_proposals_t *proposals = NULL;
  simdetr_image_t image = image_of(pixels);
  EXPECT_OK(simdetr_extractor_create(NULL, NULL, &extractor, &error));
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_extractor_extract_image(extractor, &image, 1, NULL, proposals, &error));
  EXPECT_MESSAGE("without an encoder");
  simdetr_proposals_destroy(proposals);
  simdetr_extractor_destroy(extractor);
}

int main(void) {
  size_t x, y;
  for (y = 0; y < HEIGHT; y++) {
    for (x = 0; x < WIDTH; x++) {
      uint8_t *pixel = pixels + (y * WIDTH + x) * 3;
      int inside = x > WIDTH / 3 && x < 2 * WIDTH / 3 && y > HEIGHT / 4 && y < 3 * HEIGHT / 4;
      pixel[0] = inside ? 230 : 40;
      pixel[1] = (uint8_t)(x < WIDTH / 2 ? 200 : 60);
      pixel[2] = (uint8_t)(y < HEIGHT / 2 ? 30 : 180);
    }
  }
  forms_agree();
  selective_search();
  callbacks();
  folders();
  maps_only();
  return 0;
}
