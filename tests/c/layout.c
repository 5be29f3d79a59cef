/* The sizes and offsets that programs were compiled with; the library asserts the same numbers
 * where it declares the structs (src/capi). Written for 64-bit pointers. */
#include <stddef.h>

#include "simdetr.h"

#define IS(name, condition) typedef char is_##name[(condition) ? 1 : -1]
#define OFFSET(type, field, at) IS(type##_##field, offsetof(type, field) == (at))

IS(error_size, sizeof(simdetr_error_t) == 256);
OFFSET(simdetr_error_t, message, 4);
IS(status_size, sizeof(simdetr_status_t) == 4);

IS(run_options_size, sizeof(simdetr_run_options_t) == 32);
OFFSET(simdetr_run_options_t, cancel, 8);
OFFSET(simdetr_run_options_t, progress, 16);
OFFSET(simdetr_run_options_t, progress_user_data, 24);

IS(tensor_size, sizeof(DLTensor) == 48);
OFFSET(DLTensor, ndim, 16);
OFFSET(DLTensor, dtype, 20);
OFFSET(DLTensor, shape, 24);
OFFSET(DLTensor, byte_offset, 40);
IS(managed_size, sizeof(struct DLManagedTensor) == 64);
IS(versioned_size, sizeof(struct DLManagedTensorVersioned) == 80);

int main(void) { return 0; }
