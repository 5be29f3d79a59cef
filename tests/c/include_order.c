/* The header compiles twice, and after a dlpack.h of the host's own (here: a stand-in with the
 * fields that the ABI needs, in the form of DLPack 0.6, which has no versioned tensors). */
#include <stdint.h>

#define DLPACK_DLPACK_H_
#define DLPACK_VERSION 60
typedef enum { kDLCPU = 1 } DLDeviceType;
typedef struct {
  DLDeviceType device_type;
  int device_id;
} DLDevice;
typedef struct {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} DLDataType;
typedef struct {
  void *data;
  DLDevice device;
  int ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
} DLTensor;

#include "simdetr.h"
#include "simdetr.h"

int main(void) { return simdetr_version() == SIMDETR_VERSION ? 0 : 1; }
