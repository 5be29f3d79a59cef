/* Every kind of encoder and the maps it gives: names, shapes, strides, the ways to take them out
 * and to go on from them, and what goes wrong. Golden files lie in SIMDETR_TEST_GOLDEN, the ONNX
 * runtime is SIMDETR_TEST_ORT where there is one. */
#include "expect.h"

enum { WIDTH = 96, HEIGHT = 64, CHANNELS = 4 };

static uint8_t pixels[WIDTH * HEIGHT * 3];
static simdetr_error_t error;

static simdetr_image_t the_image(void) {
  simdetr_image_t image;
  simdetr_image_init(&image, sizeof image);
  image.data = pixels;
  image.width = WIDTH;
  image.height = HEIGHT;
  return image;
}

/* Images stay as large as they are. */
static simdetr_encode_options_t as_it_is(uint32_t threads) {
  simdetr_encode_options_t options;
  simdetr_encode_options_init(&options, sizeof options);
  options.image_short_side = HEIGHT;
  options.image_long_side_max = WIDTH;
  options.threads = threads;
  return options;
}

static simdetr_feature_maps_t *encoded(const simdetr_encoder_t *encoder, uint32_t threads) {
  simdetr_feature_maps_t *maps = NULL;
  simdetr_encode_options_t options = as_it_is(threads);
  simdetr_image_t image = the_image();
  EXPECT_OK(simdetr_feature_maps_create(&maps, &error));
  EXPECT_OK(simdetr_encoder_encode_image(encoder, &image, &options, NULL, maps, &error));
  return maps;
}

static size_t values_of(const simdetr_feature_map_t *map) { return map->height * map->width * map->channels; }

static void same_maps(const simdetr_feature_maps_t *first, const simdetr_feature_maps_t *second) {
  simdetr_feature_map_t a[4], b[4];
  size_t count = 0, again = 0, i;
  EXPECT_OK(simdetr_feature_maps_view(first, a, 4, &count, &error));
  EXPECT_OK(simdetr_feature_maps_view(second, b, 4, &again, &error));
  EXPECT(count > 0 && count == again);
  for (i = 0; i < count; i++) {
    EXPECT(strcmp(a[i].name, b[i].name) == 0 && values_of(&a[i]) == values_of(&b[i]));
    EXPECT(memcmp(a[i].values, b[i].values, values_of(&a[i]) * sizeof(float)) == 0);
  }
}

/* Two maps of the names and channels, of strides 32 and 16; any threads give the same. */
static void check_maps(const simdetr_encoder_t *encoder, const char *const names[2], const size_t channels[2]) {
  simdetr_feature_maps_t *maps = encoded(encoder, 1), *more = encoded(encoder, 3);
  simdetr_feature_map_t view[2];
  simdetr_map_description_t described[2];
  size_t count = 0, i, value;
  EXPECT_OK(simdetr_encoder_maps(encoder, described, 2, &count, &error));
  EXPECT_OK(simdetr_feature_maps_view(maps, view, 2, &count, &error));
  EXPECT(count == 2);
  for (i = 0; i < 2; i++) {
    EXPECT(strcmp(view[i].name, names[i]) == 0 && strcmp(described[i].name, names[i]) == 0);
    EXPECT(view[i].stride == (i == 0 ? 32u : 16u) && described[i].stride == view[i].stride);
    EXPECT(view[i].channels == channels[i] && described[i].channels == channels[i]);
    EXPECT(view[i].height == HEIGHT / view[i].stride && view[i].width == WIDTH / view[i].stride);
    for (value = 0; value < values_of(&view[i]); value++) EXPECT(view[i].values[value] - view[i].values[value] == 0);
  }
  same_maps(maps, more);
  simdetr_feature_maps_destroy(maps);
  simdetr_feature_maps_destroy(more);
}

static int32_t fill(void *user_data, const simdetr_image_t *image, const simdetr_map_t *maps, size_t maps_count) {
  size_t map, cell, c;
  EXPECT(image->width == WIDTH && image->height == HEIGHT && maps_count == 2);
  for (map = 0; map < maps_count; map++) {
    size_t side = HEIGHT / maps[map].height;
    for (cell = 0; cell < maps[map].height * maps[map].width; cell++) {
      size_t y = cell / maps[map].width * side, x = cell % maps[map].width * side;
      for (c = 0; c < CHANNELS; c++) {
        maps[map].values[cell * CHANNELS + c] = (float)image->data[(y * WIDTH + x) * 3 + c % 3] + 0.1f * (float)((x * 3 + y * 5 + c) % 7);
      }
    }
  }
  return *(const int32_t *)user_data;
}

static simdetr_encoder_t *callback_encoder(int32_t *answer) {
  static const size_t channels[2] = {CHANNELS, CHANNELS}, strides[2] = {16, 32};
  simdetr_encoder_callback_t callback;
  simdetr_encoder_t *encoder = NULL;
  simdetr_encoder_callback_init(&callback, sizeof callback);
  callback.name = "colours";
  callback.encode = fill;
  callback.user_data = answer;
  callback.channels = channels;
  callback.strides = strides;
  callback.maps_count = 2;
  EXPECT_OK(simdetr_encoder_create_from_callback(&callback, &encoder, &error));
  return encoder;
}

/* Into the host's memory and out as a tensor; a target that does not fit stays as it is. */
static void tensors(const simdetr_feature_maps_t *maps) {
  static float values[4 * 6 * CHANNELS];
  int64_t shape[3] = {4, 6, CHANNELS}, turned[3] = {1, 4, 24};
  simdetr_feature_map_t view[2];
  DLManagedTensorVersioned *owned = NULL;
  DLManagedTensor *legacy = NULL;
  DLTensor target;
  size_t count = 0, i;
  EXPECT_OK(simdetr_feature_maps_view(maps, view, 2, &count, &error));
  for (i = 0; i < sizeof values / sizeof values[0]; i++) values[i] = -7.0f;
  memset(&target, 0, sizeof target);
  target.data = values;
  target.device.device_type = kDLCPU;
  target.ndim = 3;
  target.dtype.code = 2; /* kDLFloat */
  target.dtype.bits = 32;
  target.dtype.lanes = 1;
  target.shape = shape;
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_feature_maps_copy_tensor(maps, 0, &target, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_feature_maps_copy_tensor(maps, 2, &target, &error));
  EXPECT_MESSAGE("2 of 2 maps");
  target.strides = turned;
  EXPECT_STATUS(SIMDETR_ERROR_STRIDES, simdetr_feature_maps_copy_tensor(maps, 1, &target, &error));
  target.strides = NULL;
  target.dtype.bits = 64;
  EXPECT_STATUS(SIMDETR_ERROR_ELEMENT_TYPE, simdetr_feature_maps_copy_tensor(maps, 1, &target, &error));
  target.dtype.bits = 32;
  EXPECT(values[0] == -7.0f && values[4 * 6 * CHANNELS - 1] == -7.0f);
  EXPECT_OK(simdetr_feature_maps_copy_tensor(maps, 1, &target, &error));
  EXPECT(memcmp(values, view[1].values, sizeof values) == 0);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_feature_maps_export_tensor(maps, 9, &owned, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_feature_maps_export_tensor_legacy(maps, 9, &legacy, &error));
  EXPECT(owned == NULL && legacy == NULL);
  EXPECT_OK(simdetr_feature_maps_export_tensor_legacy(maps, 1, &legacy, &error));
  EXPECT(legacy->dl_tensor.ndim == 3 && legacy->dl_tensor.shape[2] == CHANNELS);
  legacy->deleter(legacy);
  EXPECT_OK(simdetr_feature_maps_export_tensor(maps, 1, &owned, &error));
  EXPECT(memcmp(owned->dl_tensor.data, view[1].values, sizeof values) == 0);
  owned->deleter(owned);
}

/* Out through the maps and in again: the same proposals as in one call. */
static void round_trip(const simdetr_encoder_t *encoder, const simdetr_feature_maps_t *maps) {
  simdetr_extractor_options_t options;
  simdetr_extractor_t *whole = NULL, *half = NULL;
  simdetr_proposals_t *one = NULL, *other = NULL;
  simdetr_proposals_view_t a, b;
  simdetr_image_t image = the_image();
  simdetr_extractor_options_init(&options, sizeof options);
  options.threads = 1;
  options.image_short_side = HEIGHT;
  options.image_long_side_max = WIDTH;
  EXPECT_OK(simdetr_extractor_create(encoder, &options, &whole, &error));
  EXPECT_OK(simdetr_extractor_create(NULL, &options, &half, &error));
  EXPECT_OK(simdetr_proposals_create(&one, &error));
  EXPECT_OK(simdetr_proposals_create(&other, &error));
  EXPECT_OK(simdetr_extractor_extract_image(whole, &image, 3, NULL, one, &error));
  EXPECT_OK(simdetr_extractor_extract_feature_maps(half, maps, 3, NULL, other, &error));
  a.struct_size = b.struct_size = sizeof a;
  EXPECT_OK(simdetr_proposals_view(one, &a, &error));
  EXPECT_OK(simdetr_proposals_view(other, &b, &error));
  EXPECT(a.count > 0 && a.count == b.count && a.dimensions == b.dimensions);
  EXPECT(memcmp(a.boxes, b.boxes, a.count * 4 * sizeof(float)) == 0);
  EXPECT(memcmp(a.vectors, b.vectors, a.count * a.dimensions * sizeof(float)) == 0);
  simdetr_proposals_destroy(one);
  simdetr_proposals_destroy(other);
  simdetr_extractor_destroy(whole);
  simdetr_extractor_destroy(half);
}

static void host_encoder(void) {
  static const char *const names[2] = {"map1", "map0"};
  static const size_t channels[2] = {CHANNELS, CHANNELS};
  int32_t answer = 0;
  simdetr_encoder_t *encoder = callback_encoder(&answer);
  simdetr_encode_options_t options = as_it_is(1);
  simdetr_image_geometry_t geometry;
  simdetr_image_t image = the_image();
  simdetr_feature_maps_t *maps = NULL, *before;
  simdetr_proposals_t *proposals = NULL;
  simdetr_extractor_t *extractor = NULL;
  simdetr_feature_map_t view[1];
  size_t count = 9;
  uint64_t bytes = 0;
  check_maps(encoder, names, channels);
  /* Before it is filled, a set has no maps. */
  geometry.struct_size = sizeof geometry;
  EXPECT_OK(simdetr_feature_maps_create(&maps, &error));
  EXPECT_OK(simdetr_feature_maps_view(maps, NULL, 0, &count, &error));
  EXPECT(count == 0);
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_feature_maps_geometry(maps, &geometry, &error));
  EXPECT_OK(simdetr_extractor_create(NULL, NULL, &extractor, &error));
  EXPECT_OK(simdetr_proposals_create(&proposals, &error));
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_extractor_extract_feature_maps(extractor, maps, 1, NULL, proposals, &error));
  simdetr_proposals_destroy(proposals);
  simdetr_extractor_destroy(extractor);
  EXPECT_OK(simdetr_encoder_encode_image(encoder, &image, &options, NULL, maps, &error));
  EXPECT_OK(simdetr_feature_maps_geometry(maps, &geometry, &error));
  EXPECT(geometry.original_width == WIDTH && geometry.resized_height == HEIGHT && geometry.image_id == 0);
  EXPECT_STATUS(SIMDETR_ERROR_BUFFER_TOO_SMALL, simdetr_feature_maps_view(maps, view, 1, &count, &error));
  EXPECT(count == 2);
  EXPECT_OK(simdetr_feature_maps_memory_bytes(maps, &bytes, &error));
  EXPECT(bytes >= (2 * 3 + 4 * 6) * CHANNELS * sizeof(float));
  tensors(maps);
  round_trip(encoder, maps);
  /* What fails leaves the maps of before. */
  before = encoded(encoder, 1);
  answer = -77;
  EXPECT_STATUS(-77, simdetr_encoder_encode_image(encoder, &image, &options, NULL, maps, &error));
  answer = 0;
  image.width = 0;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_encoder_encode_image(encoder, &image, &options, NULL, maps, &error));
  image = the_image();
  options.image_short_side = 4;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_encoder_encode_image(encoder, &image, &options, NULL, maps, &error));
  EXPECT_MESSAGE("image_short_side");
  options.image_short_side = 0;
  options.set_mask = 2;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_encoder_encode_image(encoder, &image, &options, NULL, maps, &error));
  EXPECT_STATUS(SIMDETR_ERROR_IMAGE_DECODE, simdetr_encoder_encode_bytes(encoder, pixels, 40, NULL, NULL, maps, &error));
  same_maps(maps, before);
  simdetr_feature_maps_destroy(before);
  simdetr_feature_maps_destroy(maps);
  simdetr_encoder_destroy(encoder);
}

/* An image tensor gives the maps of the same pixels. */
static void tensor_image(const simdetr_encoder_t *encoder) {
  simdetr_feature_maps_t *pixel_maps = encoded(encoder, 1), *tensor_maps = NULL;
  simdetr_encode_options_t options = as_it_is(1);
  int64_t shape[3] = {HEIGHT, WIDTH, 3};
  DLTensor tensor;
  memset(&tensor, 0, sizeof tensor);
  tensor.data = pixels;
  tensor.device.device_type = kDLCPU;
  tensor.ndim = 3;
  tensor.dtype.code = 1; /* kDLUInt */
  tensor.dtype.bits = 8;
  tensor.dtype.lanes = 1;
  tensor.shape = shape;
  EXPECT_OK(simdetr_feature_maps_create(&tensor_maps, &error));
  EXPECT_OK(simdetr_encoder_encode_tensor(encoder, &tensor, &options, NULL, tensor_maps, &error));
  same_maps(pixel_maps, tensor_maps);
  tensor.ndim = 2;
  EXPECT_STATUS(SIMDETR_ERROR_SHAPE, simdetr_encoder_encode_tensor(encoder, &tensor, &options, NULL, tensor_maps, &error));
  same_maps(pixel_maps, tensor_maps);
  simdetr_feature_maps_destroy(pixel_maps);
  simdetr_feature_maps_destroy(tensor_maps);
}

static const char *golden(const char *name) {
  static char path[4096];
  const char *folder = getenv("SIMDETR_TEST_GOLDEN");
  EXPECT(folder != NULL && strlen(folder) + strlen(name) + 2 < sizeof path);
  sprintf(path, "%s/%s", folder, name);
  return path;
}

static size_t read_file(const char *path, uint8_t *bytes, size_t capacity) {
  FILE *file = fopen(path, "rb");
  size_t length;
  EXPECT(file != NULL);
  length = fread(bytes, 1, capacity, file);
  EXPECT(length > 0 && length < capacity && fclose(file) == 0);
  return length;
}

static simdetr_encoder_t *opened(const simdetr_encoder_options_t *options) {
  simdetr_encoder_t *encoder = NULL;
  EXPECT_OK(simdetr_encoder_create(options, &encoder, &error));
  return encoder;
}

static void resnet(void) {
  static const char *const names[2] = {"layer4", "layer3"}, *const unknown[1] = {"layer9"};
  static const size_t channels[2] = {16, 8};
  static uint8_t bytes[1 << 20];
  simdetr_encoder_options_t options;
  simdetr_encoder_t *from_file, *from_memory = NULL;
  simdetr_feature_maps_t *first, *second;
  const char *path = golden("resnet/contrastive.safetensors");
  size_t length = read_file(path, bytes, sizeof bytes);
  simdetr_encoder_options_init(&options, sizeof options);
  options.encoder = path;
  from_file = opened(&options);
  options.encoder = NULL;
  EXPECT_OK(simdetr_encoder_create_from_memory(bytes, length, &options, &from_memory, &error));
  check_maps(from_file, names, channels);
  first = encoded(from_file, 1);
  second = encoded(from_memory, 1);
  same_maps(first, second);
  round_trip(from_memory, first);
  tensor_image(from_file);
  simdetr_feature_maps_destroy(first);
  simdetr_feature_maps_destroy(second);
  simdetr_encoder_destroy(from_file);
  simdetr_encoder_destroy(from_memory);
  from_memory = NULL;
  EXPECT_STATUS(SIMDETR_ERROR_FORMAT,
                simdetr_encoder_create_from_memory(bytes, length / 2, &options, &from_memory, &error));
  options.encoder = path;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT,
                simdetr_encoder_create_from_memory(bytes, length, &options, &from_memory, &error));
  options.layers = unknown;
  options.layers_count = 1;
  EXPECT_STATUS(SIMDETR_ERROR_INVALID_ARGUMENT, simdetr_encoder_create(&options, &from_memory, &error));
  EXPECT_MESSAGE("layer9");
  options.encoder = "absent.safetensors";
  EXPECT_STATUS(SIMDETR_ERROR_IO, simdetr_encoder_create(&options, &from_memory, &error));
  EXPECT(from_memory == NULL);
}

static void built_in(void) {
  simdetr_encoder_t *encoder = NULL;
  simdetr_map_description_t described[2];
  const char *names[2];
  size_t channels[2], count = 0, i;
  uint64_t bytes = 0;
  simdetr_status_t status = simdetr_encoder_create(NULL, &encoder, &error);
  if (status == SIMDETR_ERROR_NOT_COMPILED) {
    EXPECT_MESSAGE("default-encoder");
    return;
  }
  EXPECT(status == SIMDETR_OK);
  EXPECT_OK(simdetr_encoder_maps(encoder, described, 2, &count, &error));
  EXPECT(count == 2);
  for (i = 0; i < 2; i++) {
    names[i] = described[i].name;
    channels[i] = described[i].channels;
  }
  EXPECT(strcmp(names[0], "layer4") == 0 && channels[0] > channels[1]);
  check_maps(encoder, names, channels);
  /* The kinds of its channels go with its maps. */
  {
    simdetr_feature_maps_t *maps = encoded(encoder, 1);
    round_trip(encoder, maps);
    simdetr_feature_maps_destroy(maps);
  }
  EXPECT_OK(simdetr_encoder_memory_bytes(encoder, &bytes, &error));
  EXPECT(bytes > 1000000);
  simdetr_encoder_destroy(encoder);
}

static void onnx(const char *library) {
  static const char *const names[2] = {"coarse", "fine"};
  static const size_t channels[2] = {7, 5};
  static uint8_t bytes[1 << 20];
  simdetr_encoder_options_t options;
  simdetr_encoder_t *encoder, *from_memory = NULL;
  simdetr_feature_maps_t *first, *second;
  const char *path = golden("onnx/maps.onnx");
  size_t length = read_file(path, bytes, sizeof bytes);
  simdetr_encoder_options_init(&options, sizeof options);
  options.encoder = path;
  options.onnx_library = library;
  options.onnx_threads = 1;
  encoder = opened(&options);
  check_maps(encoder, names, channels);
  options.encoder = NULL;
  EXPECT_OK(simdetr_encoder_create_from_memory(bytes, length, &options, &from_memory, &error));
  first = encoded(encoder, 1);
  second = encoded(from_memory, 1);
  same_maps(first, second);
  round_trip(encoder, second);
  simdetr_feature_maps_destroy(first);
  simdetr_feature_maps_destroy(second);
  simdetr_encoder_destroy(encoder);
  simdetr_encoder_destroy(from_memory);
  /* The library is there, the model is cut. */
  from_memory = NULL;
  EXPECT(simdetr_encoder_create_from_memory(bytes, length / 2, &options, &from_memory, &error) != SIMDETR_OK);
  EXPECT(from_memory == NULL && error.message[0] != 0);
}

int main(void) {
  const char *library = getenv("SIMDETR_TEST_ORT");
  size_t i;
  for (i = 0; i < sizeof pixels; i++) {
    size_t x = i / 3 % WIDTH, y = i / 3 / WIDTH;
    pixels[i] = (uint8_t)(((x < WIDTH / 2) == (y < HEIGHT / 2) ? 190 : 40) + i * 7 % 13 + i % 3 * 15);
  }
  host_encoder();
  resnet();
  /* Unpacking its three million weights takes minutes where instructions are interpreted. */
  if (getenv("SIMDETR_TEST_SLOW_MACHINE") == NULL) built_in();
  if (library != NULL) onnx(library);
  return 0;
}
